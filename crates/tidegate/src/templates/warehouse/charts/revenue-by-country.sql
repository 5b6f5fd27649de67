-- Revenue by the country and city to which is delivered. Amounts are counted in cents, and shown with both decimals.
WITH sold AS (
    SELECT l.country, l.city, c.currency_code, count(*) AS orders,
           CAST(sum(s.units_sold * round(s.unit_price * 100)) AS bigint) AS cents
    FROM current_fact_sales_order AS s
    JOIN dim_location AS l ON l.location_id = s.agreed_delivery_location_id
    JOIN dim_currency AS c ON c.currency_id = s.currency_id
    GROUP BY l.country, l.city, c.currency_code
)
SELECT country, city, currency_code, orders,
       (cents / 100) || '.' || substr(CAST(100 + cents % 100 AS text), 2) AS revenue
FROM sold
ORDER BY cents DESC, country, city, currency_code;
