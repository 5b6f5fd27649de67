//! Keys that have come before, for loads that refuse repeated ones row by row: a temporary database, so that memory stays as it is.

use rusqlite::{Connection, OptionalExtension, params};
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

use super::keys::hash;

/// Keys and the rows that brought them first.
pub(super) struct Seen {
    connection: Connection,
}

impl Seen {
    pub(super) fn new() -> Result<Self> {
        // The empty name is a database of its own, on disk once it is large, gone with the connection.
        let connection = Connection::open("").map_err(failed)?;
        let begin = "PRAGMA journal_mode = OFF; PRAGMA cache_size = -8000; PRAGMA synchronous = OFF;
                     CREATE TABLE seen (hash BLOB PRIMARY KEY, row INTEGER NOT NULL) WITHOUT ROWID; BEGIN";
        connection.execute_batch(begin).map_err(failed)?;
        Ok(Self { connection })
    }

    /// Notes the key of a row; the row that brought it first, if one did.
    pub(super) fn see(&mut self, key: &[u8], row: u64) -> Result<Option<u64>> {
        let hash = hash(key);
        let insert = "INSERT INTO seen (hash, row) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        let is_new = self.connection.prepare_cached(insert).and_then(|mut insert| insert.execute(params![hash, row]));
        if is_new.map_err(failed)? == 1 {
            return Ok(None);
        }
        let select = "SELECT row FROM seen WHERE hash = ?1";
        let first = self.connection.prepare_cached(select);
        first.and_then(|mut first| first.query_row([hash], |row| row.get(0)).optional()).map_err(failed)
    }
}

fn failed(error: rusqlite::Error) -> Error {
    Error::caused(ErrorKind::Unavailable, "the keys of a load could not be kept on disk", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_of_a_key_is_remembered() {
        let mut seen = Seen::new().unwrap();
        assert_eq!(seen.see(b"a", 3).unwrap(), None);
        assert_eq!(seen.see(b"b", 4).unwrap(), None);
        assert_eq!((seen.see(b"a", 5).unwrap(), seen.see(b"a", 6).unwrap()), (Some(3), Some(3)));
    }
}
