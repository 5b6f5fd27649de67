-- Revenue by month.
WITH sold AS (
    SELECT d.year, d.month, d.month_name, c.currency_code, count(*) AS orders,
           CAST(sum(s.units_sold * round(s.unit_price * 100)) AS bigint) AS cents
    FROM current_fact_sales_order AS s
    JOIN dim_date AS d ON d.date_id = s.created_date
    JOIN dim_currency AS c ON c.currency_id = s.currency_id
    GROUP BY d.year, d.month, d.month_name, c.currency_code
)
SELECT year, month, month_name, currency_code, orders,
       (cents / 100) || '.' || substr(CAST(100 + cents % 100 AS text), 2) AS revenue
FROM sold
ORDER BY year, month, currency_code;
