-- Designs, and where their files lie.
--
-- role: dimension
-- key: design_id
-- columns:
--   design_id       integer   not null
--   design_name     text      not null
--   file_location   text      not null
--   file_name       text      not null
SELECT design_id, design_name, file_location, file_name
FROM design
