-- Revenue by design. Two designs may have one name: they are told apart by their number.
WITH sold AS (
    SELECT d.design_id, d.design_name, c.currency_code, sum(s.units_sold) AS units,
           CAST(sum(s.units_sold * round(s.unit_price * 100)) AS bigint) AS cents
    FROM current_fact_sales_order AS s
    JOIN dim_design AS d ON d.design_id = s.design_id
    JOIN dim_currency AS c ON c.currency_id = s.currency_id
    GROUP BY d.design_id, d.design_name, c.currency_code
)
SELECT design_id, design_name, currency_code, units,
       (cents / 100) || '.' || substr(CAST(100 + cents % 100 AS text), 2) AS revenue
FROM sold
ORDER BY cents DESC, design_id, currency_code;
