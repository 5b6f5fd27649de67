-- Revenue by member of staff.
SELECT p.first_name, p.last_name, p.department_name, c.currency_code, count(*) AS orders,
       round(sum(s.units_sold * s.unit_price), 2) AS revenue
FROM current_fact_sales_order AS s
JOIN dim_staff AS p ON p.staff_id = s.sales_staff_id
JOIN dim_currency AS c ON c.currency_id = s.currency_id
GROUP BY p.staff_id, p.first_name, p.last_name, p.department_name, c.currency_code
ORDER BY revenue DESC, p.last_name, p.first_name, c.currency_code;
