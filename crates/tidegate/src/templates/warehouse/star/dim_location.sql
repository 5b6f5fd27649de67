-- Addresses, as places that goods are delivered to.
--
-- role: dimension
-- key: location_id
-- columns:
--   location_id      integer   not null
--   address_line_1   text      not null
--   address_line_2   text
--   district         text
--   city             text      not null
--   postal_code      text      not null
--   country          text      not null
--   phone            text      not null
SELECT
    address_id AS location_id,
    address_line_1,
    address_line_2,
    district,
    city,
    postal_code,
    country,
    phone
FROM address
