-- Revenue by member of staff.
WITH sold AS (
    SELECT p.staff_id, p.first_name, p.last_name, p.department_name, c.currency_code, count(*) AS orders,
           CAST(sum(s.units_sold * round(s.unit_price * 100)) AS bigint) AS cents
    FROM current_fact_sales_order AS s
    JOIN dim_staff AS p ON p.staff_id = s.sales_staff_id
    JOIN dim_currency AS c ON c.currency_id = s.currency_id
    GROUP BY p.staff_id, p.first_name, p.last_name, p.department_name, c.currency_code
)
SELECT first_name, last_name, department_name, currency_code, orders,
       (cents / 100) || '.' || substr(CAST(100 + cents % 100 AS text), 2) AS revenue
FROM sold
ORDER BY cents DESC, last_name, first_name, staff_id, currency_code;
