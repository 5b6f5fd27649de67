-- Revenue by the country and city to which is delivered.
SELECT l.country, l.city, c.currency_code, count(*) AS orders, round(sum(s.units_sold * s.unit_price), 2) AS revenue
FROM current_fact_sales_order AS s
JOIN dim_location AS l ON l.location_id = s.agreed_delivery_location_id
JOIN dim_currency AS c ON c.currency_id = s.currency_id
GROUP BY l.country, l.city, c.currency_code
ORDER BY revenue DESC, l.country, l.city, c.currency_code;
