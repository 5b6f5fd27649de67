//! The one error of this crate: what the caller can do, what was attempted, and the cause.

use std::fmt;

use tidegate_model::{ErrorKind, Failure};

/// Result of a call to a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a store did not do what it was asked.
#[derive(Debug)]
pub struct Error {
    /// What the caller can do.
    pub kind: ErrorKind,
    /// What was attempted, and on what: lower case, no final period.
    pub what: String,
    /// How to mend it, if that is known here.
    pub help: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error without a cause of its own.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), help: None, source: None }
    }

    /// An error caused by another.
    pub fn caused(
        kind: ErrorKind,
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, what: what.into(), help: None, source: Some(source.into()) }
    }

    /// The same, with a remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// True if the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// The error as the failure of a run, under `code`.
    pub fn into_failure(self, code: &str) -> Failure {
        let mut failure = Failure::new(code, self.kind, self.to_string());
        failure.help = self.help;
        failure
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.what.clone();
        let mut cause = self.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(error) = cause {
            let why = error.to_string();
            // Many errors already say what their own cause says.
            if !text.contains(&why) {
                text = format!("{text}: {why}");
            }
            cause = error.source();
        }
        f.write_str(&text)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error as E;
        let kind = match &error {
            E::NotFound { .. } => ErrorKind::NotFound,
            E::AlreadyExists { .. } | E::Precondition { .. } | E::NotModified { .. } => ErrorKind::Conflict,
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => ErrorKind::Denied,
            E::InvalidPath { .. } | E::NotSupported { .. } | E::UnknownConfigurationKey { .. } => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        };
        Self::caused(kind, "the bucket did not answer as hoped", error)
    }
}

impl Error {
    /// What the caller can do about an error of SQLite.
    pub(crate) fn kind_of_sqlite(error: &rusqlite::Error) -> ErrorKind {
        use rusqlite::ErrorCode as C;
        match error.sqlite_error_code() {
            Some(C::DatabaseBusy | C::DatabaseLocked | C::DiskFull | C::SystemIoFailure | C::CannotOpen) => {
                ErrorKind::Unavailable
            }
            Some(C::DatabaseCorrupt | C::NotADatabase) => ErrorKind::Corrupt,
            Some(C::ReadOnly | C::PermissionDenied) => ErrorKind::Denied,
            _ => ErrorKind::Bug,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::caused(Self::kind_of_sqlite(&error), "the database refused", error)
    }
}
