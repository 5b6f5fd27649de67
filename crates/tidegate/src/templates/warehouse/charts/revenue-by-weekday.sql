-- Revenue by the weekday on which was sold, Monday first.
SELECT d.day_of_week, d.day_name, c.currency_code, count(*) AS orders, round(sum(s.units_sold * s.unit_price), 2) AS revenue
FROM current_fact_sales_order AS s
JOIN dim_date AS d ON d.date_id = s.created_date
JOIN dim_currency AS c ON c.currency_id = s.currency_id
GROUP BY d.day_of_week, d.day_name, c.currency_code
ORDER BY d.day_of_week, c.currency_code;
