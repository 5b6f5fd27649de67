//! How a command ends: the exit codes, which scripts may rely on, and [`Stop`], why one ends before it is done.

use std::process::ExitCode;

use tidegate_model::{ErrorKind, Failure};

/// The exit codes. Nothing else is ever returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All done. Also when the reader of our output has gone.
    Done = 0,
    /// The input is wrong: the pipeline file, an object, a name or value among the arguments. Mend it.
    Wrong = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// It ran, but some runs failed, some rows were rejected, or some objects found no function.
    SomeFailed = 3,
    /// A service, a disk or a database is not available just now. Try again.
    Unavailable = 4,
    /// Our mistake. Please report it.
    Bug = 70,
}

impl Exit {
    /// What a caller can do decides the code.
    pub(crate) fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Denied => Self::Wrong,
            ErrorKind::Conflict | ErrorKind::Unavailable | ErrorKind::Corrupt => Self::Unavailable,
            ErrorKind::Bug => Self::Bug,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ends before it is done.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Whoever read our output has gone: quiet success.
    ReaderGone,
    /// Everything has been said already.
    Told(Exit),
    /// This, which is still to be said. Its code is empty for what needs no page of its own.
    Because(Box<Failure>),
}

impl Stop {
    /// The input is wrong.
    pub(crate) fn wrong(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, reason)
    }

    /// Something that is told by its kind and reason alone.
    pub(crate) fn new(kind: ErrorKind, reason: impl Into<String>) -> Self {
        Self::Because(Box::new(Failure::new("", kind, reason)))
    }

    /// The same, with what was expected.
    #[must_use]
    pub(crate) fn expected(self, expected: impl Into<String>) -> Self {
        match self {
            Self::Because(failure) => Self::Because(Box::new(failure.expected(expected))),
            other => other,
        }
    }

    /// The same, with a remedy.
    #[must_use]
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        match self {
            Self::Because(failure) => Self::Because(Box::new(failure.help(help))),
            other => other,
        }
    }

    /// A file or folder that the system does not let us use.
    pub(crate) fn file(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match error.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::Denied,
            Io::IsADirectory | Io::NotADirectory | Io::InvalidInput | Io::InvalidFilename => ErrorKind::Invalid,
            Io::AlreadyExists => ErrorKind::Conflict,
            _ => ErrorKind::Unavailable,
        };
        Self::new(kind, format!("`{}` cannot be {what}: {error}", path.display()))
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Because(Box::new(failure))
    }
}

impl From<Box<Failure>> for Stop {
    fn from(failure: Box<Failure>) -> Self {
        Self::Because(failure)
    }
}

impl From<tidegate_stores::Error> for Stop {
    fn from(error: tidegate_stores::Error) -> Self {
        Self::Because(Box::new(error.into_failure("")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_that_are_promised() {
        let codes = [Exit::Done, Exit::Wrong, Exit::Usage, Exit::SomeFailed, Exit::Unavailable, Exit::Bug];
        assert_eq!(codes.map(|exit| exit as u8), [0, 1, 2, 3, 4, 70]);
        use ErrorKind as K;
        assert_eq!([K::Invalid, K::NotFound, K::Denied].map(Exit::of), [Exit::Wrong; 3]);
        assert_eq!([K::Conflict, K::Unavailable, K::Corrupt].map(Exit::of), [Exit::Unavailable; 3]);
        assert_eq!(Exit::of(K::Bug), Exit::Bug);
    }
}
