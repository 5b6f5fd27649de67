-- Revenue by design.
SELECT d.design_name, c.currency_code, sum(s.units_sold) AS units, round(sum(s.units_sold * s.unit_price), 2) AS revenue
FROM current_fact_sales_order AS s
JOIN dim_design AS d ON d.design_id = s.design_id
JOIN dim_currency AS c ON c.currency_id = s.currency_id
GROUP BY d.design_name, c.currency_code
ORDER BY revenue DESC, d.design_name, c.currency_code;
