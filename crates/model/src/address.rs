//! Addresses that mails come from and go to. Whoever prints one has to ask for it: it is personal, and stands in no log.

use std::fmt;

/// An address of a person or an office, perhaps with a name: `Tide Office <tide@example.org>`.
///
/// It is parsed, not guessed: letters, digits and the usual marks before the `@` (the dot-string of RFC 5321), a host name
/// after it. `Debug` shows neither part.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    name: Option<String>,
    email: String,
}

/// The most bytes before the `@`, and in all (RFC 5321, section 4.5.3.1).
const LONGEST: (usize, usize) = (64, 254);

impl Address {
    /// Reads `local@host`, or `Name <local@host>`.
    ///
    /// # Errors
    /// What is wrong, in words that do not repeat the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.chars().any(char::is_control) {
            return Err("it has control characters");
        }
        let text = text.trim();
        let (name, email) = match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
            Some((name, email)) => (name.trim().trim_matches('"').trim(), email.trim()),
            None => ("", text),
        };
        let (local, host) = email.rsplit_once('@').ok_or("it has no `@`")?;
        check_local(local)?;
        check_host(host)?;
        if email.len() > LONGEST.1 {
            return Err("it is too long");
        }
        Ok(Self { name: (!name.is_empty()).then(|| name.to_owned()), email: email.to_owned() })
    }

    /// Reads addresses with commas, semicolons or blanks between them, as people write them into one cell of a table.
    /// What cannot be read is counted.
    pub fn parse_list(text: &str) -> (Vec<Self>, usize) {
        let mut found: Vec<Self> = Vec::new();
        let mut unreadable = 0;
        let is_between = |c: char| matches!(c, ',' | ';' | '/') || c.is_whitespace();
        for part in text.split(is_between).filter(|part| !part.is_empty()) {
            match Self::parse(part.trim_start_matches('<').trim_end_matches('>')) {
                Ok(address) if found.iter().any(|other| other.is_same(&address)) => {}
                Ok(address) => found.push(address),
                Err(_) => unreadable += 1,
            }
        }
        (found, unreadable)
    }

    /// The name before the address.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address alone: `tide@example.org`.
    pub fn email(&self) -> &str {
        &self.email
    }

    /// True if mails to either reach the same box: hosts, and in practice the part before them, have no case.
    pub fn is_same(&self, other: &Self) -> bool {
        self.email.eq_ignore_ascii_case(&other.email)
    }
}

fn check_local(local: &str) -> Result<(), &'static str> {
    let is_mark = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    if local.is_empty() {
        Err("nothing stands before the `@`")
    } else if local.len() > LONGEST.0 {
        Err("too much stands before the `@`")
    } else if !local.chars().all(is_mark) {
        Err("a character before the `@` is not allowed")
    } else if local.split('.').any(str::is_empty) {
        Err("a dot before the `@` stands alone")
    } else {
        Ok(())
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.split('.').all(is_label) { Ok(()) } else { Err("no host name stands after the `@`") }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        let address = Address::parse(" \"Māori Tide\" <tide+x@example.co.nz> ").expect("an address");
        assert_eq!((address.name(), address.email()), (Some("Māori Tide"), "tide+x@example.co.nz"));
        assert_eq!(Address::parse("a@localhost").expect("an address").name(), None);
    }

    #[test]
    fn what_could_not_be_delivered_or_could_add_a_header_is_refused() {
        for bad in [
            "",
            "a",
            "a@",
            "@b",
            "a b@c",
            "a@b@c",
            "a..b@c",
            "a@b..c",
            "a@-b",
            "a@b\r\nBcc: x@y",
            "é@b",
            "a@é",
            "a,b@c",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn one_cell_may_hold_several_addresses_each_counts_once() {
        let (found, unreadable) = Address::parse_list("a@x.nz; B@x.nz,b@X.nz  n/a");
        assert_eq!(found.iter().map(Address::email).collect::<Vec<_>>(), ["a@x.nz", "B@x.nz"]);
        assert_eq!(unreadable, 2);
    }

    #[test]
    fn an_address_never_shows_itself() {
        let address = Address::parse("Ann <ann@example.org>").expect("an address");
        assert_eq!(format!("{address:?}"), "Address(…)");
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_without_control_characters_or_none(text in any::<String>()) {
            if let Ok(address) = Address::parse(&text) {
                prop_assert!(address.email().is_ascii() && !address.email().contains(char::is_control));
                prop_assert_eq!(Address::parse(address.email()).map(|again| again.email), Ok(address.email));
            }
            Address::parse_list(&text);
        }
    }
}
