//! The lines before the column line: `key,value[,value]`, in whatever order and number the firmware writes them.

/// One header line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Physical line, counted from 1.
    pub line: u64,
    /// Text before the first comma, trimmed.
    pub key: String,
    /// Blanks stood before the key.
    pub is_indented: bool,
    /// The fields after the first comma, each trimmed; none if the line has no comma.
    pub values: Vec<String>,
}

/// What the deck unit wrote about itself, the sensor and the deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// In the order of the file.
    pub entries: Vec<Entry>,
}

impl Header {
    pub(super) fn push(&mut self, line: u64, text: &str) {
        let mut fields = text.split(',');
        let raw = fields.next().unwrap_or_default();
        let is_indented = raw.starts_with(' ');
        let values = fields.map(|field| field.trim().to_owned()).collect();
        self.entries.push(Entry { line, key: raw.trim().to_owned(), is_indented, values });
    }

    /// The first value of the last line whose [`attribute_name`] is `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let entry = self.entries.iter().rev().find(|entry| attribute_name(&entry.key) == name)?;
        entry.values.first().map(String::as_str)
    }

    /// The header as attributes of a data set: names in lower case with underscores, the unit behind the value.
    ///
    /// A repeated key keeps its place and takes its last value. Of several values the first counts, except for a
    /// position, which keeps both. Lines without a comma are left out.
    pub fn attributes(&self) -> Vec<(String, String)> {
        self.attributes_with(true)
    }

    /// As [`Header::attributes`]; `pairs` says whether every position keeps both values.
    pub(super) fn attributes_with(&self, pairs: bool) -> Vec<(String, String)> {
        let mut attributes: Vec<(String, String)> = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let Some(first) = entry.values.first() else { continue };
            let name = attribute_name(&entry.key);
            let keeps_both = entry.key == "Cellular upload position" || (pairs && name.ends_with("position"));
            let mut value = match entry.values.get(1) {
                Some(second) if keeps_both => format!("{first}, {second}"),
                _ => first.clone(),
            };
            if let Some(unit) = bracketed(&entry.key).filter(|_| entry.key != "Cellular upload position") {
                value = format!("{value} {unit}");
            }
            match attributes.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => attributes.push((name, value)),
            }
        }
        attributes
    }
}

/// The first bracketed part of a key, with its brackets.
fn bracketed(key: &str) -> Option<&str> {
    let start = key.find('(')?;
    let length = key[start..].find(')')?;
    Some(&key[start..=start + length])
}

/// `Moana Battery (V)` is `moana_battery`: bracketed parts cut, trimmed, spaces to underscores, lower case.
pub fn attribute_name(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    let mut rest = key;
    while let Some(start) = rest.find(['(', '[']) {
        let Some(length) = rest[start..].find([')', ']']) else { break };
        name.push_str(&rest[..start]);
        rest = &rest[start + length + 1..];
    }
    name.push_str(rest);
    name.trim().replace(' ', "_").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_attributes_with_their_units() {
        let mut header = Header::default();
        for (line, text) in [
            " Deck unit serial number,5101\r",
            "Cellular upload position,-35.145161,174.338669",
            "Moana Battery (V),3.59",
            "Baseline(mBar),933",
            "Reset Codes, 0x200204",
            "Download position,-33.99,+176.94",
            "no comma",
            "Moana Battery (V),3.60",
        ]
        .into_iter()
        .enumerate()
        {
            header.push(line as u64 + 1, text);
        }
        let expected = [
            ("deck_unit_serial_number", "5101"),
            ("cellular_upload_position", "-35.145161, 174.338669"),
            ("moana_battery", "3.60 (V)"),
            ("baseline", "933 (mBar)"),
            ("reset_codes", "0x200204"),
            ("download_position", "-33.99, +176.94"),
        ];
        let attributes = header.attributes();
        assert_eq!(attributes.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect::<Vec<_>>(), expected);
        assert_eq!(header.get("moana_battery"), Some("3.60"));
        assert_eq!(header.get("no_comma"), None);
    }

    #[test]
    fn odd_brackets_do_no_harm() {
        for key in ["(", ")(", "a(b", "[é)", "é(ü)ö", "((x)", ""] {
            attribute_name(key);
            bracketed(key);
        }
        assert_eq!(attribute_name("Max Lifetime Depth (dBar)"), "max_lifetime_depth");
    }
}
