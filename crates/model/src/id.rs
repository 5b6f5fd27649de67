//! Identities that are derived, never drawn: the same event is the same [`EventId`], the same function on it the same [`RunId`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// SHA-256 over the parts, each preceded by its length, so that no two lists of parts run together.
fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

macro_rules! derived_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Derives the id from its parts, in order.
            pub fn derive(parts: &[&str]) -> Self {
                let mut id = [0; $bytes];
                id.copy_from_slice(&digest(parts)[..$bytes]);
                Self(id)
            }

            /// The id's bytes, as they are stored.
            pub fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// The id whose stored bytes these are; `None` if there are not exactly as many as an id has.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Some(Self(bytes.try_into().ok()?))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for byte in self.0 {
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut id = [0; $bytes];
                if text.len() != 2 * $bytes || !text.is_ascii() {
                    return Err(format!("an id has {} hexadecimal digits, not {}", 2 * $bytes, text.len()));
                }
                for (byte, digits) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
                    let digits = std::str::from_utf8(digits).map_err(|error| error.to_string())?;
                    *byte = u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
                }
                Ok(Self(id))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

derived_id!(
    /// Identity of an event: 16 bytes, printed as 32 hexadecimal digits.
    EventId, 16
);
derived_id!(
    /// Identity of a run: 16 bytes, printed as 32 hexadecimal digits; people may type any unambiguous beginning.
    RunId, 16
);
derived_id!(
    /// Identity of a mail in an outbox: 16 bytes, printed as 32 hexadecimal digits. A secret of the outbox is among its
    /// parts, so that nobody can try out addresses on it.
    MailId, 16
);
derived_id!(
    /// Identity of a function's rules: its kind's version, its options and its grants; 8 bytes, 16 digits.
    Revision, 8
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(RunId::derive(&["ab", "c"]), RunId::derive(&["a", "bc"]));
    }

    #[test]
    fn prints_and_parses_back() {
        let id = RunId::derive(&["load", "r", "e"]);
        assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
        assert!("zz".parse::<RunId>().is_err());
        assert!("é".repeat(16).parse::<RunId>().is_err());
    }
}
