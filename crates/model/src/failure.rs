//! Why a run ended without its effect: [`Failure`], stored in the ledger and shown to people.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the caller can do about an error. Shared by every crate, so that retrying is never guessed at a call site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
    /// The input is wrong: mend it.
    Invalid,
    /// What was asked for is not there.
    NotFound,
    /// Somebody else won.
    Conflict,
    /// A service or the machine is not able just now: try again later.
    Unavailable,
    /// Not granted.
    Denied,
    /// Stored state contradicts itself: stop.
    Corrupt,
    /// Our mistake.
    Bug,
}

impl ErrorKind {
    /// True if the same call may succeed later with nothing mended.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Conflict)
    }
}

/// Where in the input a failure lies. Every part that is known is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// `bucket/key` of the object, which the engine fills in; or the file beside the pipeline file that is to be mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Member of an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Line, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Name of the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Byte offset, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut part = |f: &mut fmt::Formatter<'_>, text: String| {
            let result = write!(f, "{separator}{text}");
            separator = " ";
            result
        };
        if let Some(object) = &self.object {
            part(f, object.clone())?;
        }
        if let Some(member) = &self.member {
            part(f, format!("member {member}"))?;
        }
        if let Some(line) = self.line {
            part(f, format!("line {line}"))?;
        }
        if let Some(column) = &self.column {
            part(f, format!("column `{column}`"))?;
        }
        if let Some(byte) = self.byte {
            part(f, format!("byte {byte}"))?;
        }
        Ok(())
    }
}

/// Why a run failed: code, reason, place, what was expected, and how to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The code whose page `tidegate explain` shows, for example `R0101`.
    pub code: String,
    /// What the caller can do.
    pub kind: ErrorKind,
    /// What happened: lower case, no final period. Never a row's values: they may be personal.
    pub reason: String,
    /// Where.
    #[serde(default)]
    pub place: Place,
    /// What would have been accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// How to mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Failure {
    /// A failure with a code, a kind and a reason; the rest by the `with_` methods.
    pub fn new(code: &str, kind: ErrorKind, reason: impl Into<String>) -> Self {
        Self { code: code.to_owned(), kind, reason: reason.into(), place: Place::default(), expected: None, help: None }
    }

    /// The same, at `place`.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// The same, at a line (from 1).
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.place.line = Some(line);
        self
    }

    /// The same, with what was expected.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// The same, with a remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)?;
        let place = self.place.to_string();
        if !place.is_empty() {
            write!(f, " ({place})")?;
        }
        if let Some(expected) = &self.expected {
            write!(f, "; expected {expected}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
