//! The courier against a real mail server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod courier;
