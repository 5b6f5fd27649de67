//! Fields of CSV, for sources whose database does not write it by itself.

/// Appends a text as one field: as it is if nothing in it has a meaning, else in quotes. The empty text is `""`, so that
/// NULL, which is nothing at all, is another.
pub fn append_text(text: &str, line: &mut Vec<u8>) {
    let is_plain = !text.is_empty()
        && !text.starts_with('\u{feff}')
        && !text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n'));
    if is_plain {
        return line.extend(text.bytes());
    }
    line.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            line.push(b'"');
        }
        line.push(byte);
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_is_quoted() {
        for (text, expected) in
            [("", "\"\""), ("a b", "a b"), ("O'Neill", "O'Neill"), ("a,\"b\"\n", "\"a,\"\"b\"\"\n\""), ("\r", "\"\r\"")]
        {
            let mut line = Vec::new();
            append_text(text, &mut line);
            assert_eq!(String::from_utf8_lossy(&line), expected);
        }
    }
}
