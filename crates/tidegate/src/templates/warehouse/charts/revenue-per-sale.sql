-- Revenue of the average, the smallest and the largest sale.
WITH sold AS (
    SELECT c.currency_code,
           CAST(round(avg(s.units_sold * round(s.unit_price * 100))) AS bigint) AS average,
           CAST(min(s.units_sold * round(s.unit_price * 100)) AS bigint) AS smallest,
           CAST(max(s.units_sold * round(s.unit_price * 100)) AS bigint) AS largest
    FROM current_fact_sales_order AS s
    JOIN dim_currency AS c ON c.currency_id = s.currency_id
    GROUP BY c.currency_code
)
SELECT currency_code,
       (average / 100) || '.' || substr(CAST(100 + average % 100 AS text), 2) AS average_sale,
       (smallest / 100) || '.' || substr(CAST(100 + smallest % 100 AS text), 2) AS smallest_sale,
       (largest / 100) || '.' || substr(CAST(100 + largest % 100 AS text), 2) AS largest_sale
FROM sold
ORDER BY currency_code;
