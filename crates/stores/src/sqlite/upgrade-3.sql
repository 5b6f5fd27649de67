-- From version 2 to 3: the queue knows runs by their row number, which needs no index of ids.
ALTER TABLE queue RENAME TO queue_before;
DROP INDEX queue_due;
DROP INDEX queue_leased;
CREATE TABLE queue (
  run      INTEGER PRIMARY KEY REFERENCES run (seq),
  function TEXT NOT NULL,
  "group"  TEXT NOT NULL,
  due      INTEGER NOT NULL,
  worker   TEXT,
  receives INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO queue SELECT run.seq, before.function, before."group", before.due, before.worker, before.receives
  FROM queue_before AS before JOIN run ON run.id = before.run;
DROP TABLE queue_before;
CREATE INDEX queue_due ON queue (function, due);
CREATE INDEX queue_leased ON queue (function, "group") WHERE worker IS NOT NULL;
