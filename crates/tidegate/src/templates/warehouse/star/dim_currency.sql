-- Currencies, with their names by ISO 4217. A code that the standard does not have is its own name.
--
-- role: dimension
-- key: currency_id
-- columns:
--   currency_id     integer      not null
--   currency_code   text         not null
--   currency_name   text         not null
SELECT
    currency_id,
    currency_code,
    coalesce(iso_4217_name(currency_code), currency_code) AS currency_name
FROM currency
