-- Revenue in total, by currency: amounts of different currencies are never added up.
SELECT c.currency_code, count(*) AS orders, round(sum(s.units_sold * s.unit_price), 2) AS revenue
FROM current_fact_sales_order AS s
JOIN dim_currency AS c ON c.currency_id = s.currency_id
GROUP BY c.currency_code
ORDER BY c.currency_code;
