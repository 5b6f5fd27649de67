//! Messages as they arrive: is each as long as it should be?

use serde::{Deserialize, Serialize};

use super::good_or;
use crate::flag::{BAD, Flags};

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// Letters.
    Chars,
    /// Bytes that are written in hexadecimal, two letters each.
    HexBytes,
    /// Fields between delimiters.
    Fields(String),
}

/// A message whose length is not `count`: 4.
pub fn syntax<'m>(messages: impl Iterator<Item = &'m str>, count: usize, length: &Length) -> Flags {
    let is_right = |message: &str| match length {
        Length::Chars => message.chars().count() == count,
        Length::HexBytes => message.chars().count() == 2 * count,
        Length::Fields(delimiter) => message.split(delimiter.as_str()).count() == count,
    };
    messages.map(|message| good_or(!is_right(message), BAD)).collect()
}
