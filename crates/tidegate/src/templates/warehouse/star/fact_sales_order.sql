-- Sales orders, every version of each: what was agreed, by whom, and when that was last changed.
--
-- role: fact
-- key: sales_order_id
-- stamp: last_updated_date, last_updated_time
-- surrogate: sales_record_id
-- rows of: sales_order
-- columns:
--   sales_order_id                integer         not null
--   created_date                  date            not null   references dim_date (date_id)
--   created_time                  time(3)         not null
--   last_updated_date             date            not null   references dim_date (date_id)
--   last_updated_time             time(3)         not null
--   sales_staff_id                integer         not null   references dim_staff (staff_id)
--   counterparty_id               integer         not null   references dim_counterparty (counterparty_id)
--   units_sold                    integer         not null
--   unit_price                    numeric(10,2)   not null
--   currency_id                   integer         not null   references dim_currency (currency_id)
--   design_id                     integer         not null   references dim_design (design_id)
--   agreed_payment_date           date            not null   references dim_date (date_id)
--   agreed_delivery_date          date            not null   references dim_date (date_id)
--   agreed_delivery_location_id   integer         not null   references dim_location (location_id)
SELECT
    sales_order_id,
    CAST(created_at AS date)   AS created_date,
    CAST(created_at AS time)   AS created_time,
    CAST(last_updated AS date) AS last_updated_date,
    CAST(last_updated AS time) AS last_updated_time,
    staff_id AS sales_staff_id,
    counterparty_id,
    units_sold,
    unit_price,
    currency_id,
    design_id,
    -- Texts in the source: one that is no date makes the row a dead letter.
    agreed_payment_date,
    agreed_delivery_date,
    agreed_delivery_location_id
FROM changed_sales_order
