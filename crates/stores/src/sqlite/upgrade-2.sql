-- From version 1 to 2: mails among the outputs.
ALTER TABLE output ADD COLUMN message TEXT;
ALTER TABLE output ADD COLUMN about TEXT;
DROP VIEW outputs;
CREATE VIEW outputs AS
  SELECT lower(hex(run.id)) AS run, output.what, output.bucket, output.key, output.size, output.sha256,
         output."table", output.inserted, output.updated, output.unchanged, output.deleted,
         output.message, output.about
  FROM output JOIN run ON run.seq = output.run;
