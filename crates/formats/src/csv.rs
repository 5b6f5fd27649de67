//! CSV by RFC 4180, as it is met in the field: any line end, BOMs, gzip, old encodings, quoted line breaks.
//!
//! [`Reader`] holds one record at a time, whatever the size of the file. Every record knows the physical line it began
//! on, because that is what a person needs to find it again.

mod reader;
mod text;
mod typed;
mod writer;

pub use reader::{MAX_FIELDS, MAX_RECORD, Reader, Record};
pub use text::check_encoding;
pub use typed::{RefusedRow, TypedReader, schema_of};
pub(crate) use writer::Cells;
pub use writer::Writer;

/// How CSV is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// What separates fields.
    pub delimiter: Delimiter,
    /// Label of the encoding (WHATWG names: `utf-8`, `windows-1252`, `latin1`, `utf-16le`, …); `None` is UTF-8. A byte
    /// order mark at the beginning of the content overrules it.
    pub encoding: Option<String>,
}

/// What separates fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delimiter {
    /// Whichever of comma, semicolon, tab and pipe is most frequent in the first line; comma if none is.
    #[default]
    Auto,
    /// This character.
    Is(u8),
}

impl Delimiter {
    /// The delimiter that a text names: `auto`, `tab`, or the character itself.
    ///
    /// # Errors
    /// What a delimiter can be, if `text` cannot be one.
    pub fn parse(text: &str) -> Result<Self, String> {
        match (text, text.as_bytes()) {
            ("auto", _) => Ok(Self::Auto),
            ("tab", _) => Ok(Self::Is(b'\t')),
            (_, [byte]) if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0) => Ok(Self::Is(*byte)),
            _ => Err("`auto`, `tab`, or one ASCII character other than a quote or a line end".to_owned()),
        }
    }
}
