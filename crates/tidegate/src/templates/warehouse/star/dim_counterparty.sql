-- Whom the company deals with, at their legal addresses. An address that changes changes the rows of everybody at it.
--
-- role: dimension
-- key: counterparty_id
-- columns:
--   counterparty_id                     integer   not null
--   counterparty_legal_name             text      not null
--   counterparty_legal_address_line_1   text      not null
--   counterparty_legal_address_line_2   text
--   counterparty_legal_district         text
--   counterparty_legal_city             text      not null
--   counterparty_legal_postal_code      text      not null
--   counterparty_legal_country          text      not null
--   counterparty_legal_phone_number     text      not null
SELECT
    c.counterparty_id,
    c.counterparty_legal_name,
    a.address_line_1 AS counterparty_legal_address_line_1,
    a.address_line_2 AS counterparty_legal_address_line_2,
    a.district       AS counterparty_legal_district,
    a.city           AS counterparty_legal_city,
    a.postal_code    AS counterparty_legal_postal_code,
    a.country        AS counterparty_legal_country,
    a.phone          AS counterparty_legal_phone_number
FROM counterparty AS c
LEFT JOIN address AS a ON a.address_id = c.legal_address_id
