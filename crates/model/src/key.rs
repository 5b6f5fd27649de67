//! Object keys are user input: [`Key`] is one that cannot leave its bucket.

use std::fmt;

/// An object key that is safe as a path below a directory: relative, `/`-separated, no empty, `.` or `..` segment,
/// no control character, at most 1,024 bytes (the limit of S3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// Why a text is no [`Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// Nothing there.
    Empty,
    /// More than 1,024 bytes.
    TooLong,
    /// Begins with `/`.
    Absolute,
    /// Two slashes in a row, or one at the end.
    EmptySegment,
    /// A segment that is `.` or `..`.
    Dots,
    /// A control character or a backslash, at this byte.
    Character(usize),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the key is empty"),
            Self::TooLong => write!(f, "the key has more than 1024 bytes"),
            Self::Absolute => write!(f, "the key begins with `/`"),
            Self::EmptySegment => write!(f, "the key has an empty segment (`//`, or `/` at its end)"),
            Self::Dots => write!(f, "the key has a segment `.` or `..`, which would leave its place in the bucket"),
            Self::Character(at) => write!(f, "the key has a control character or a backslash at byte {at}"),
        }
    }
}

impl std::error::Error for KeyError {}

impl Key {
    /// Checks `text`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > 1024 {
            return Err(KeyError::TooLong);
        }
        if text.starts_with('/') {
            return Err(KeyError::Absolute);
        }
        if let Some((at, _)) = text.char_indices().find(|(_, c)| c.is_control() || *c == '\\') {
            return Err(KeyError::Character(at));
        }
        for segment in text.split('/') {
            match segment {
                "" => return Err(KeyError::EmptySegment),
                "." | ".." => return Err(KeyError::Dots),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_leaves_its_bucket() {
        for bad in ["", "/etc/passwd", "../x", "a/../x", "a/..", "a//b", "a/", "./a", "a\\..\\b", "a\0b", "a\nb"] {
            assert!(Key::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a.csv", "2024/07/x y.csv", "..a/b..", "é/✨.csv", "a+b.csv"] {
            assert_eq!(Key::new(good).map(|key| key.as_str().to_owned()), Ok(good.to_owned()));
        }
    }
}
