-- What a payment was: receipt or refund of a sale, payment or refund of a purchase.
--
-- role: dimension
-- key: payment_type_id
-- columns:
--   payment_type_id     integer   not null
--   payment_type_name   text      not null
SELECT payment_type_id, payment_type_name
FROM payment_type
