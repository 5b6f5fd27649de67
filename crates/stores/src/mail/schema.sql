-- The outbox of one pipeline. Times are microseconds since 1970 UTC. Address and content leave a row once it is sent.
-- People read the view at the end; `docs/guide/mail.md` describes it.

CREATE TABLE secret (salt BLOB NOT NULL) STRICT;

CREATE TABLE mail (
  seq        INTEGER PRIMARY KEY,
  id         BLOB NOT NULL UNIQUE,
  run        BLOB NOT NULL,
  function   TEXT NOT NULL,
  about      TEXT NOT NULL,
  size       INTEGER NOT NULL,
  recipient  TEXT,
  message    BLOB,
  state      TEXT NOT NULL,
  attempts   INTEGER NOT NULL DEFAULT 0,
  queued_at  INTEGER NOT NULL,
  due        INTEGER,
  settled_at INTEGER,
  failure    TEXT                  -- JSON
) STRICT;
CREATE INDEX mail_due ON mail (due) WHERE state = 'queued';
CREATE INDEX mail_begun ON mail (seq) WHERE state = 'sending';

CREATE VIEW mails AS
  SELECT lower(hex(id)) AS id, lower(hex(run)) AS run, function, about, size, state, attempts,
         strftime('%Y-%m-%dT%H:%M:%fZ', queued_at / 1e6, 'unixepoch') AS queued_at,
         strftime('%Y-%m-%dT%H:%M:%fZ', due / 1e6, 'unixepoch') AS due,
         strftime('%Y-%m-%dT%H:%M:%fZ', settled_at / 1e6, 'unixepoch') AS settled_at,
         failure ->> 'code' AS failure_code, failure ->> 'reason' AS failure_reason
  FROM mail;
