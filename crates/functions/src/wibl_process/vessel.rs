//! Whose file it is. The archive wants the Trusted Node's letters, `-` and a UUID that stays the same for a vessel.
//!
//! The reference takes the first text of the metadata packet for the identifier, though the firmware writes the ship's name
//! there; and it puts its letters before whatever it finds, which the archive then refuses. Here what looks like an
//! identifier is one, and a name that is none gives a UUID of its own, always the same.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Whose a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vessel {
    /// Identifier as the logger has it.
    pub(super) id: String,
    /// The ship's name.
    pub(super) name: Option<String>,
}

/// The UUID within a text, if there is one at its end or it is one: `e8c469f8-…` of `UNHJHC-e8c469f8-…`.
pub(super) fn uuid_in(text: &str) -> Option<&str> {
    let text = text.trim();
    let uuid = text.get(text.len().checked_sub(36)?..)?;
    let is_uuid = uuid.bytes().enumerate().all(|(index, byte)| match index {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    let before = &text[..text.len() - 36];
    (is_uuid && (before.is_empty() || before.ends_with('-'))).then_some(uuid)
}

/// Reads identifier and name from the two texts of the metadata packet, in whatever order they are, with the logger's
/// set-up to compare them with.
pub(super) fn of(metadata: Option<(&[u8], &[u8])>, setup: Option<&[u8]>) -> Option<Vessel> {
    let setup: Value = setup.and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default();
    let member = |name: &str| setup[name].as_str().filter(|text| !text.is_empty());
    let (id, ship) = (member("uniqueID"), member("shipname"));
    let Some((first, second)) = metadata else {
        return id.map(|id| Vessel { id: id.to_owned(), name: ship.map(str::to_owned) });
    };
    let (first, second) = (String::from_utf8_lossy(first), String::from_utf8_lossy(second));
    let is_swapped = if uuid_in(&first).is_some() != uuid_in(&second).is_some() {
        uuid_in(&second).is_some()
    } else {
        let (first, second) = (Some(first.as_ref()), Some(second.as_ref()));
        id.is_some() && id == second && id != first || ship.is_some() && ship == first && ship != second
    };
    let (id, name) = if is_swapped { (second, first) } else { (first, second) };
    if id.trim().is_empty() {
        return None;
    }
    Some(Vessel { id: id.into_owned(), name: Some(name.into_owned()).filter(|name| !name.is_empty()) })
}

/// The archive's identifier, and whether its UUID was made from a name.
pub(super) fn identifier(provider: &str, id: &str) -> (String, bool) {
    match uuid_in(id) {
        Some(uuid) => (format!("{provider}-{uuid}"), false),
        None => (format!("{provider}-{}", uuid_of(id)), true),
    }
}

/// A UUID of version 8 (RFC 9562, made from a name by SHA-256).
fn uuid_of(name: &str) -> String {
    let digest = Sha256::digest(format!("tidegate vessel {name}"));
    let mut text = String::with_capacity(36);
    for (index, byte) in digest.iter().take(16).enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let byte = match index {
            6 => 0x80 | (byte & 0x0f),
            8 => 0x80 | (byte & 0x3f),
            _ => *byte,
        };
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "e8c469f8-df38-11e5-b86d-9a79f06e9478";

    #[test]
    fn the_identifier_is_found_in_either_text() {
        let id = format!("UNHJHC-{UUID}");
        let vessel = Some(Vessel { id: id.clone(), name: Some("Rose".to_owned()) });
        assert_eq!(of(Some((id.as_bytes(), b"Rose")), None), vessel);
        assert_eq!(of(Some((b"Rose", id.as_bytes())), None), vessel);
        let setup = br#"{"uniqueID": "TNODEID", "shipname": "Rose"}"#;
        let by_setup = of(Some((b"Rose", b"TNODEID")), Some(setup)).expect("a vessel");
        assert_eq!((by_setup.id.as_str(), by_setup.name.as_deref()), ("TNODEID", Some("Rose")));
        assert_eq!(of(None, Some(setup)).expect("a vessel").id, "TNODEID");
        assert_eq!(of(Some((b"a", b"b")), None).expect("a vessel").id, "a");
        assert_eq!((of(None, None), of(Some((b"", b"Rose")), None)), (None, None));
    }

    #[test]
    fn identifiers_are_the_archive_s_and_stay_the_same() {
        assert_eq!(identifier("EXAMPLE", &format!("UNHJHC-{UUID}")), (format!("EXAMPLE-{UUID}"), false));
        assert_eq!(identifier("EXAMPLE", UUID), (format!("EXAMPLE-{UUID}"), false));
        let (made, is_made) = identifier("EXAMPLE", "Gulf Surveyor");
        assert!(is_made && uuid_in(&made).is_some() && made.starts_with("EXAMPLE-"));
        assert_eq!(identifier("EXAMPLE", "Gulf Surveyor").0, made);
        assert_ne!(identifier("EXAMPLE", "Gulf Surveyor 2").0, made);
        assert_eq!(uuid_in("\u{e9}e8c469f8-df38-11e5-b86d-9a79f06e9478"), None);
    }
}
