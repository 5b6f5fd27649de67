//! Integration tests of Postgres, against a real server that they start.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod connecting;
mod tables;
mod warehouse;
