//! JSON as Python's standard library writes it.

use serde_json::Value;

/// Writes any value.
pub fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => write_number(number, out),
            None => out.extend(number.to_string().as_bytes()),
        },
        Value::String(text) => write_text(text, out),
        Value::Array(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                out.extend(if index == 0 { b"".as_slice() } else { b", " });
                write_value(value, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                out.extend(if index == 0 { b"".as_slice() } else { b", " });
                write_text(name, out);
                out.extend(b": ");
                write_value(value, out);
            }
            out.push(b'}');
        }
    }
}

/// Writes a text: whatever is not printable ASCII as `\uXXXX`, beyond the first plane as two of them.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for letter in text.chars() {
        match letter {
            '"' => out.extend(b"\\\""),
            '\\' => out.extend(b"\\\\"),
            '\n' => out.extend(b"\\n"),
            '\r' => out.extend(b"\\r"),
            '\t' => out.extend(b"\\t"),
            '\u{8}' => out.extend(b"\\b"),
            '\u{c}' => out.extend(b"\\f"),
            ' '..='~' => out.push(letter as u8),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    out.extend(format!("\\u{unit:04x}").as_bytes());
                }
            }
        }
    }
    out.push(b'"');
}

/// Writes a number as Python's `repr` does: the shortest digits that read back the same, plain from 1e-4 to below 1e16.
pub fn write_number(number: f64, out: &mut Vec<u8>) {
    let size = number.abs();
    if number == 0.0 || (1e-4..1e16).contains(&size) {
        out.extend(ryu::Buffer::new().format_finite(number).as_bytes());
    } else if number.is_nan() {
        out.extend(b"NaN");
    } else if number.is_infinite() {
        out.extend(if number < 0.0 { b"-Infinity".as_slice() } else { b"Infinity" });
    } else {
        // `1.5e-7` with a sign and two digits: `1.5e-07`.
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
        out.extend(format!("{digits}e{sign}{exponent:0>2}").as_bytes());
    }
}

/// Writes a time as `2023-06-14T12:00:00.589000Z`; `false`, and nothing written, if it is not within the years 1 to 9999.
pub fn write_time(seconds: f64, out: &mut Vec<u8>) -> bool {
    Day::default().write(seconds, out)
}

/// The date that was written last: most soundings are of the same day as the one before.
#[derive(Default)]
pub(super) struct Day {
    number: Option<i64>,
    text: [u8; 11],
}

impl Day {
    pub(super) fn write(&mut self, seconds: f64, out: &mut Vec<u8>) -> bool {
        // From year 1 to year 9999.
        if !(-62_135_596_800.0..253_402_300_800.0).contains(&seconds) {
            return false;
        }
        let mut whole = seconds.trunc();
        let mut micros = ((seconds - whole) * 1e6).round_ties_even();
        if micros >= 1e6 {
            (whole, micros) = (whole + 1.0, micros - 1e6);
        } else if micros < 0.0 {
            (whole, micros) = (whole - 1.0, micros + 1e6);
        }
        #[expect(clippy::cast_possible_truncation, reason = "the range was checked above")]
        let (whole, micros) = (whole as i64, micros as i64);
        let (day, second) = (whole.div_euclid(86_400), whole.rem_euclid(86_400));
        if self.number != Some(day) {
            let Some(text) = date(day) else { return false };
            (self.number, self.text) = (Some(day), text);
        }
        out.extend(self.text);
        two(second / 3600, out);
        out.push(b':');
        two(second / 60 % 60, out);
        out.push(b':');
        two(second % 60, out);
        out.push(b'.');
        two(micros / 10_000, out);
        two(micros / 100 % 100, out);
        two(micros % 100, out);
        out.push(b'Z');
        true
    }
}

fn two(number: i64, out: &mut Vec<u8>) {
    let digit = |number: i64| b'0' + u8::try_from(number).unwrap_or(0);
    out.extend([digit(number / 10), digit(number % 10)]);
}

/// Days since 1970-01-01 as `2023-06-14T` (Hinnant's civil_from_days); `None` beyond the year 9999.
fn date(days: i64) -> Option<[u8; 11]> {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if !(1..=9999).contains(&year) {
        return None;
    }
    let mut text = Vec::with_capacity(11);
    two(year / 100, &mut text);
    two(year % 100, &mut text);
    text.push(b'-');
    two(month, &mut text);
    text.push(b'-');
    two(day, &mut text);
    text.push(b'T');
    text.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(number: f64) -> String {
        let mut out = Vec::new();
        write_number(number, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    fn time(seconds: f64) -> Option<String> {
        let mut out = Vec::new();
        write_time(seconds, &mut out).then(|| String::from_utf8(out).expect("ASCII"))
    }

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        for (value, text) in [
            (10.0, "10.0"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1e-5, "1e-05"),
            (1.5e-5, "1.5e-05"),
            (0.0001, "0.0001"),
            (0.000_123_4, "0.0001234"),
            (1e16, "1e+16"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (9_007_199_254_740_992.0, "9007199254740992.0"),
            (1e15, "1000000000000000.0"),
            (1e22, "1e+22"),
            (-1e9, "-1000000000.0"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (-70.709_931_419_999_99, "-70.70993141999999"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn times_are_rounded_to_the_even_microsecond_and_carried() {
        assert_eq!(time(1_686_744_000.589).as_deref(), Some("2023-06-14T12:00:00.589000Z"));
        assert_eq!(time(0.9999999).as_deref(), Some("1970-01-01T00:00:01.000000Z"));
        assert_eq!(time(-0.25).as_deref(), Some("1969-12-31T23:59:59.750000Z"));
        assert_eq!(time(951_782_400.0).as_deref(), Some("2000-02-29T00:00:00.000000Z"));
        assert_eq!(time(253_402_300_799.0).as_deref(), Some("9999-12-31T23:59:59.000000Z"));
        assert_eq!(time(-62_135_596_800.0).as_deref(), Some("0001-01-01T00:00:00.000000Z"));
        assert_eq!([f64::NAN, 1e18, -1e18].map(time), [None, None, None]);
    }

    #[test]
    fn texts_are_ascii() {
        let mut out = Vec::new();
        write_value(&serde_json::json!(["a\"\\\n\u{7f}/", "caf\u{e9} \u{1f41f}", 1, -2.5, {"k": null}]), &mut out);
        let expected = r#"["a\"\\\n\u007f/", "caf\u00e9 \ud83d\udc1f", 1, -2.5, {"k": null}]"#;
        assert_eq!(String::from_utf8(out).expect("ASCII"), expected);
    }

    proptest! {
        #[test]
        fn numbers_read_back_the_same(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(number(value).parse::<f64>().expect("a number").to_bits(), bits);
        }

        #[test]
        fn any_time_is_written_or_refused(seconds in any::<f64>()) {
            if let Some(text) = time(seconds) {
                prop_assert!(text.len() == 27 && text.parse::<jiff::Timestamp>().is_ok());
            }
        }
    }
}
