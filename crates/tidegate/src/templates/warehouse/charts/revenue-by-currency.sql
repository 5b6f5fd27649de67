-- Units and revenue by currency, with its name.
WITH sold AS (
    SELECT c.currency_code, c.currency_name, sum(s.units_sold) AS units,
           CAST(sum(s.units_sold * round(s.unit_price * 100)) AS bigint) AS cents
    FROM current_fact_sales_order AS s
    JOIN dim_currency AS c ON c.currency_id = s.currency_id
    GROUP BY c.currency_code, c.currency_name
)
SELECT currency_code, currency_name, units,
       (cents / 100) || '.' || substr(CAST(100 + cents % 100 AS text), 2) AS revenue
FROM sold
ORDER BY units DESC, currency_code;
