-- State of one pipeline: the queue and the ledger. Times are microseconds since 1970 UTC; ids are derived hashes.
-- People read the views at the end; `docs/state-database.md` describes them.

CREATE TABLE event (
  seq          INTEGER PRIMARY KEY,
  id           BLOB NOT NULL,       -- unique, by the two indexes below
  bucket       TEXT,                -- an object version: bucket to size are set
  key          TEXT,
  version_id   TEXT,
  etag         TEXT,
  size         INTEGER,
  function     TEXT,                -- a tick: function and planned_at are set
  planned_at   INTEGER,
  seen_at      INTEGER NOT NULL,
  hops         INTEGER NOT NULL,
  acknowledged INTEGER NOT NULL DEFAULT 0,  -- 1 once its runs are in the queue
  unrouted     TEXT                 -- why no function took it, JSON
) STRICT;
CREATE UNIQUE INDEX event_object ON event (bucket, key, id) WHERE bucket IS NOT NULL;
CREATE UNIQUE INDEX event_tick ON event (function, planned_at) WHERE function IS NOT NULL;
CREATE INDEX event_unacknowledged ON event (seq) WHERE acknowledged = 0;
CREATE INDEX event_to_acknowledge ON event (id) WHERE acknowledged = 0;
CREATE INDEX event_unrouted ON event (seq) WHERE unrouted IS NOT NULL;

CREATE TABLE run (
  seq             INTEGER PRIMARY KEY,
  id              BLOB NOT NULL UNIQUE,
  event           INTEGER NOT NULL,   -- event.seq; 0: another ledger has it, and only the queue is here
  function        TEXT NOT NULL,
  revision        BLOB NOT NULL,
  state           TEXT NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,  -- in all; it fences settlements
  attempts_before INTEGER NOT NULL DEFAULT 0,  -- of those, made before the run was last reopened
  worker          TEXT,
  started_at      INTEGER,
  settled_at      INTEGER,
  failure         TEXT,             -- JSON
  rejected        INTEGER NOT NULL DEFAULT 0,
  input_sha256    TEXT,
  note            TEXT
) STRICT;
CREATE INDEX run_event ON run (event);
CREATE INDEX run_failed ON run (settled_at) WHERE state = 'failed';

CREATE TABLE output (
  run       INTEGER NOT NULL REFERENCES run (seq),
  ordinal   INTEGER NOT NULL,
  what      TEXT NOT NULL,          -- object, rows or mail
  bucket    TEXT,
  key       TEXT,
  size      INTEGER,
  sha256    TEXT,
  etag      TEXT,
  "table"   TEXT,
  inserted  INTEGER,
  updated   INTEGER,
  unchanged INTEGER,
  deleted   INTEGER,
  message   TEXT,                   -- a mail's id in the outbox
  about     TEXT,
  PRIMARY KEY (run, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX output_object ON output (bucket, key) WHERE bucket IS NOT NULL;

CREATE TABLE reject (
  run     INTEGER NOT NULL REFERENCES run (seq),
  ordinal INTEGER NOT NULL,
  place   TEXT NOT NULL,            -- JSON
  code    TEXT NOT NULL,
  reason  TEXT NOT NULL,
  PRIMARY KEY (run, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE queue (
  run      INTEGER PRIMARY KEY REFERENCES run (seq),
  function TEXT NOT NULL,
  "group"  TEXT NOT NULL,           -- runs of one function and group never overlap
  due      INTEGER NOT NULL,        -- waiting: not before; leased: end of the lease
  worker   TEXT,                    -- who holds it
  receives INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX queue_due ON queue (function, due);
CREATE INDEX queue_leased ON queue (function, "group") WHERE worker IS NOT NULL;

CREATE VIEW events AS
  SELECT lower(hex(id)) AS id, bucket, key, size, etag, version_id, function AS tick_of,
         strftime('%Y-%m-%dT%H:%M:%fZ', planned_at / 1e6, 'unixepoch') AS planned_at,
         strftime('%Y-%m-%dT%H:%M:%fZ', seen_at / 1e6, 'unixepoch') AS seen_at,
         unrouted ->> 'reason' AS unrouted
  FROM event;
CREATE VIEW runs AS
  SELECT lower(hex(run.id)) AS id, run.function, run.state, event.bucket, event.key, run.attempts,
         strftime('%Y-%m-%dT%H:%M:%fZ', event.seen_at / 1e6, 'unixepoch') AS seen_at,
         strftime('%Y-%m-%dT%H:%M:%fZ', run.started_at / 1e6, 'unixepoch') AS started_at,
         strftime('%Y-%m-%dT%H:%M:%fZ', run.settled_at / 1e6, 'unixepoch') AS settled_at,
         run.rejected, run.note, run.failure ->> 'code' AS failure_code, run.failure ->> 'reason' AS failure_reason,
         lower(hex(run.revision)) AS revision
  FROM run JOIN event ON event.seq = run.event;
CREATE VIEW outputs AS
  SELECT lower(hex(run.id)) AS run, output.what, output.bucket, output.key, output.size, output.sha256,
         output."table", output.inserted, output.updated, output.unchanged, output.deleted,
         output.message, output.about
  FROM output JOIN run ON run.seq = output.run;
CREATE VIEW rejects AS
  SELECT lower(hex(run.id)) AS run, reject.place ->> 'line' AS line, reject.place ->> 'column' AS "column",
         reject.code, reject.reason
  FROM reject JOIN run ON run.seq = reject.run;
