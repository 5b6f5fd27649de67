-- Revenue of the average, the smallest and the largest sale.
SELECT c.currency_code,
       round(avg(s.units_sold * s.unit_price), 2) AS average_sale,
       round(min(s.units_sold * s.unit_price), 2) AS smallest_sale,
       round(max(s.units_sold * s.unit_price), 2) AS largest_sale
FROM current_fact_sales_order AS s
JOIN dim_currency AS c ON c.currency_id = s.currency_id
GROUP BY c.currency_code
ORDER BY c.currency_code;
