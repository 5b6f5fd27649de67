-- Units and revenue by currency, with its name.
SELECT c.currency_code, c.currency_name, sum(s.units_sold) AS units, round(sum(s.units_sold * s.unit_price), 2) AS revenue
FROM current_fact_sales_order AS s
JOIN dim_currency AS c ON c.currency_id = s.currency_id
GROUP BY c.currency_code, c.currency_name
ORDER BY units DESC, c.currency_code;
