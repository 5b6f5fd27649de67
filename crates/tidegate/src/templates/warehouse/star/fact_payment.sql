-- Payments, every version of each. The account numbers stay in the source.
--
-- role: fact
-- key: payment_id
-- stamp: last_updated_date, last_updated_time
-- surrogate: payment_record_id
-- rows of: payment
-- columns:
--   payment_id          integer         not null
--   created_date        date            not null   references dim_date (date_id)
--   created_time        time(3)         not null
--   last_updated_date   date            not null   references dim_date (date_id)
--   last_updated_time   time(3)         not null
--   transaction_id      integer         not null   references dim_transaction (transaction_id)
--   counterparty_id     integer         not null   references dim_counterparty (counterparty_id)
--   payment_amount      numeric(10,2)   not null
--   currency_id         integer         not null   references dim_currency (currency_id)
--   payment_type_id     integer         not null   references dim_payment_type (payment_type_id)
--   paid                boolean         not null
--   payment_date        date            not null   references dim_date (date_id)
SELECT
    payment_id,
    CAST(created_at AS date)   AS created_date,
    CAST(created_at AS time)   AS created_time,
    CAST(last_updated AS date) AS last_updated_date,
    CAST(last_updated AS time) AS last_updated_time,
    transaction_id,
    counterparty_id,
    payment_amount,
    currency_id,
    payment_type_id,
    paid,
    payment_date
FROM changed_payment
