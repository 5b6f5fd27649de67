-- The calendar: each day from the first to the last that a fact names, and none left out between them.
--
-- The statement names its own table: the days of the last run, so that the calendar only grows. Days before 1900 or after
-- 2199 are taken for slips of the pen: a fact that names one waits in the warehouse until the bounds below are widened.
--
-- role: dimension
-- key: date_id
-- columns:
--   date_id       date          not null
--   year          integer       not null
--   month         integer       not null
--   day           integer       not null
--   day_of_week   integer       not null
--   day_name      varchar(9)    not null
--   month_name    varchar(9)    not null
--   quarter       integer       not null
WITH seen AS (
    SELECT
        min(least(created_date, last_updated_date, agreed_delivery_date, agreed_payment_date)) AS first_day,
        max(greatest(created_date, last_updated_date, agreed_delivery_date, agreed_payment_date)) AS last_day
    FROM fact_sales_order
    UNION ALL
    SELECT
        min(least(created_date, last_updated_date, agreed_delivery_date, agreed_payment_date)),
        max(greatest(created_date, last_updated_date, agreed_delivery_date, agreed_payment_date))
    FROM fact_purchase_order
    UNION ALL
    SELECT
        min(least(created_date, last_updated_date, payment_date)),
        max(greatest(created_date, last_updated_date, payment_date))
    FROM fact_payment
    UNION ALL
    SELECT min(date_id), max(date_id) FROM dim_date
),
bounds AS (
    SELECT greatest(min(first_day), DATE '1900-01-01') AS first_day, least(max(last_day), DATE '2199-12-31') AS last_day
    FROM seen
),
calendar AS (
    SELECT unnest(days(first_day, last_day)) AS date_id FROM bounds
)
SELECT
    date_id,
    date_part('year', date_id) AS year,
    date_part('month', date_id) AS month,
    date_part('day', date_id) AS day,
    -- 1 is Monday, 7 is Sunday.
    CASE date_part('dow', date_id) WHEN 0 THEN 7 ELSE date_part('dow', date_id) END AS day_of_week,
    to_char(date_id, '%A') AS day_name,
    to_char(date_id, '%B') AS month_name,
    date_part('quarter', date_id) AS quarter
FROM calendar
