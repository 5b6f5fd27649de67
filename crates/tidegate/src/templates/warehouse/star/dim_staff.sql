-- Who works for the company, and in which department. A department that moves changes the rows of everybody in it.
--
-- role: dimension
-- key: staff_id
-- columns:
--   staff_id          integer   not null
--   first_name        text      not null
--   last_name         text      not null
--   department_name   text      not null
--   location          text      not null
--   email_address     text      not null
SELECT
    s.staff_id,
    s.first_name,
    s.last_name,
    d.department_name,
    -- The source may leave it out, the warehouse may not.
    coalesce(d.location, 'unknown') AS location,
    s.email_address
FROM staff AS s
LEFT JOIN department AS d ON d.department_id = s.department_id
