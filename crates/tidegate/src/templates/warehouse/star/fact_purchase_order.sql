-- Purchase orders, every version of each.
--
-- role: fact
-- key: purchase_order_id
-- stamp: last_updated_date, last_updated_time
-- surrogate: purchase_record_id
-- rows of: purchase_order
-- columns:
--   purchase_order_id             integer         not null
--   created_date                  date            not null   references dim_date (date_id)
--   created_time                  time(3)         not null
--   last_updated_date             date            not null   references dim_date (date_id)
--   last_updated_time             time(3)         not null
--   staff_id                      integer         not null   references dim_staff (staff_id)
--   counterparty_id               integer         not null   references dim_counterparty (counterparty_id)
--   item_code                     text            not null
--   item_quantity                 integer         not null
--   item_unit_price               numeric(10,2)   not null
--   currency_id                   integer         not null   references dim_currency (currency_id)
--   agreed_delivery_date          date            not null   references dim_date (date_id)
--   agreed_payment_date           date            not null   references dim_date (date_id)
--   agreed_delivery_location_id   integer         not null   references dim_location (location_id)
SELECT
    purchase_order_id,
    CAST(created_at AS date)   AS created_date,
    CAST(created_at AS time)   AS created_time,
    CAST(last_updated AS date) AS last_updated_date,
    CAST(last_updated AS time) AS last_updated_time,
    staff_id,
    counterparty_id,
    item_code,
    item_quantity,
    item_unit_price,
    currency_id,
    agreed_delivery_date,
    agreed_payment_date,
    agreed_delivery_location_id
FROM changed_purchase_order
