//! The body of a BatchWriteItem: at most 25 items, far below 16 MB, no key twice.
//!
//! A load has every key once, and what DynamoDB did not take is taken out of the batch before it is put into a later one: so no
//! body has a key twice.

use bytes::Bytes;

use super::encode::put_text;

/// Items that one request may have.
pub(super) const MOST_ITEMS: usize = 25;

/// Bytes of a body after which nothing is added. DynamoDB takes 16 MB; several bodies are in memory at once.
pub(super) const MOST_BYTES: usize = 2 << 20;

/// What is done with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// It is put, in the place of what is there.
    Put,
    /// What has its key is deleted.
    Delete,
}

impl Verb {
    fn before(self) -> &'static [u8] {
        match self {
            Self::Put => br#"{"PutRequest":{"Item":"#,
            Self::Delete => br#"{"DeleteRequest":{"Key":"#,
        }
    }
}

/// An item on its own, waiting for a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) verb: Verb,
    /// Its number in the load.
    pub(super) number: u64,
    /// How many bytes of `item` are its key, but for a closing brace.
    pub(super) key: usize,
    /// Its JSON.
    pub(super) item: Vec<u8>,
}

/// A body that is being made.
#[derive(Debug)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    parts: Vec<Part>,
}

/// Where an item is in a body.
#[derive(Debug, Clone, Copy)]
struct Part {
    verb: Verb,
    number: u64,
    start: usize,
    key: usize,
    end: usize,
}

impl Batch {
    /// For the DynamoDB table `table`.
    pub(super) fn new(table: &str) -> Self {
        let mut bytes = Vec::with_capacity(8 << 10);
        bytes.extend_from_slice(br#"{"RequestItems":{"#);
        put_text(table, &mut bytes);
        bytes.extend_from_slice(b":[");
        Self { bytes, parts: Vec::with_capacity(MOST_ITEMS) }
    }

    /// True if nothing more may be added.
    pub(super) fn is_full(&self) -> bool {
        self.parts.len() >= MOST_ITEMS || self.bytes.len() >= MOST_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Adds the item that `write` appends, with its number and the length of its key; false if there is none.
    pub(super) fn add<E>(
        &mut self,
        verb: Verb,
        write: impl FnOnce(&mut Vec<u8>) -> Result<Option<(u64, usize)>, E>,
    ) -> Result<bool, E> {
        let before = self.bytes.len();
        if !self.parts.is_empty() {
            self.bytes.push(b',');
        }
        self.bytes.extend_from_slice(verb.before());
        let start = self.bytes.len();
        let Some((number, key)) = write(&mut self.bytes)? else {
            self.bytes.truncate(before);
            return Ok(false);
        };
        self.parts.push(Part { verb, number, start, key, end: self.bytes.len() });
        self.bytes.extend_from_slice(b"}}");
        Ok(true)
    }

    /// Adds a row that waited.
    pub(super) fn add_row(&mut self, row: &Row) {
        let added: Result<bool, std::convert::Infallible> = self.add(row.verb, |bytes| {
            bytes.extend_from_slice(&row.item);
            Ok(Some((row.number, row.key)))
        });
        // `Infallible` has no value.
        let _ = added;
    }

    /// The body as it is sent.
    pub(super) fn close(mut self) -> Closed {
        self.bytes.extend_from_slice(b"]}}");
        Closed { bytes: self.bytes.into(), parts: self.parts }
    }
}

/// A body that goes over the line, and may come back.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) bytes: Bytes,
    parts: Vec<Part>,
}

impl Closed {
    /// How many items it has.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The write units that it costs: one for each KB of an item that was begun. JSON is not shorter than DynamoDB's own form.
    pub(super) fn units(&self) -> usize {
        self.parts.iter().map(|part| (part.end - part.start).div_ceil(1024).max(1)).sum()
    }

    /// Its items, each with the JSON of its key.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Row, Vec<u8>)> + '_ {
        self.parts.iter().map(|part| {
            let item = self.bytes[part.start..part.end].to_vec();
            let mut key = item[..part.key].to_vec();
            key.push(b'}');
            (Row { verb: part.verb, number: part.number, key: part.key, item }, key)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_what_dynamodb_expects_and_gives_its_rows_back() {
        let put = Row { verb: Verb::Put, number: 3, key: 11, item: br#"{"a":{"S":"x"},"b":{"N":"1"}}"#.to_vec() };
        let put = Row { key: r#"{"a":{"S":"x"}"#.len(), ..put };
        let delete =
            Row { verb: Verb::Delete, number: 4, key: r#"{"a":{"S":"y"}"#.len(), item: br#"{"a":{"S":"y"}}"#.to_vec() };
        let mut batch = Batch::new("a.b");
        assert!(batch.is_empty());
        batch.add_row(&put);
        assert_eq!(
            batch.add(Verb::Put, |bytes| {
                bytes.push(b'?');
                Ok::<_, ()>(None)
            }),
            Ok(false)
        );
        batch.add_row(&delete);
        let closed = batch.close();
        assert_eq!(
            std::str::from_utf8(&closed.bytes).unwrap(),
            concat!(
                r#"{"RequestItems":{"a.b":[{"PutRequest":{"Item":{"a":{"S":"x"},"b":{"N":"1"}}}},"#,
                r#"{"DeleteRequest":{"Key":{"a":{"S":"y"}}}}]}}"#
            )
        );
        let rows: Vec<(Row, Vec<u8>)> = closed.rows().collect();
        assert_eq!(rows, [(put, br#"{"a":{"S":"x"}}"#.to_vec()), (delete, br#"{"a":{"S":"y"}}"#.to_vec())]);
    }
}
