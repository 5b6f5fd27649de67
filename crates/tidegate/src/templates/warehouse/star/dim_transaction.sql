-- Sales and purchases as one list, which payments refer to. An order that is deleted leaves its transaction without one.
--
-- There is one for each order, so only those that changed are looked at.
--
-- role: dimension
-- key: transaction_id
-- columns:
--   transaction_id      integer   not null
--   transaction_type    text      not null
--   sales_order_id      integer
--   purchase_order_id   integer
SELECT transaction_id, transaction_type, sales_order_id, purchase_order_id
FROM changed_transaction
