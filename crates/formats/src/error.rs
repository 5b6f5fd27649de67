//! The one error of this crate: what is wrong with the bytes, where, and how to mend it.

use std::{fmt, io};

/// What sort of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The reader or writer underneath failed; the content may be fine.
    Io,
    /// The bytes are not text in the encoding they are read in.
    Encoding,
    /// The content breaks the rules of its format.
    Malformed,
    /// A part of it is larger than any sensible content has.
    TooLarge,
    /// An option or a value that this format does not know.
    Unsupported,
}

/// Why content could not be read or written.
#[derive(Debug)]
pub struct Error {
    /// What sort of thing is wrong.
    pub problem: Problem,
    /// What happened: lower case, no final period, never a value of the content.
    pub message: String,
    /// Member of an archive.
    pub member: Option<String>,
    /// Physical line, counted from 1.
    pub line: Option<u64>,
    /// Byte, counted from 0; of the decompressed content.
    pub byte: Option<u64>,
    /// What would have been accepted.
    pub expected: Option<String>,
    /// How to mend it.
    pub help: Option<String>,
    source: Option<io::Error>,
}

impl Error {
    /// An error with nothing but a message; the rest by the other methods.
    pub(crate) fn new(problem: Problem, message: impl Into<String>) -> Self {
        Self {
            problem,
            message: message.into(),
            member: None,
            line: None,
            byte: None,
            expected: None,
            help: None,
            source: None,
        }
    }

    /// The same error once more, to be told again.
    pub(crate) fn without_source(&self) -> Self {
        Self {
            problem: self.problem,
            message: self.message.clone(),
            member: self.member.clone(),
            line: self.line,
            byte: self.byte,
            expected: self.expected.clone(),
            help: self.help.clone(),
            source: None,
        }
    }

    pub(crate) fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    pub(crate) fn at_byte(mut self, byte: u64) -> Self {
        self.byte = Some(byte);
        self
    }

    pub(crate) fn in_member(mut self, name: &str) -> Self {
        self.member = Some(name.to_owned());
        self
    }

    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        if let Some(member) = &self.member {
            write!(f, " (member {member})")?;
        }
        match (self.line, self.byte) {
            (Some(line), Some(byte)) => write!(f, " (line {line}, byte {byte})"),
            (Some(line), None) => write!(f, " (line {line})"),
            (None, Some(byte)) => write!(f, " (byte {byte})"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        Self { source: Some(source), ..Self::new(Problem::Io, "the content could not be read or written to its end") }
    }
}
