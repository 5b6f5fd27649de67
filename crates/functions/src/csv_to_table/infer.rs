//! Which columns are numbers? Only those whose every value, printed again, is the same text, byte for byte.
//!
//! So `007`, `+5`, `1.50`, `1e3` and numbers too long for their type stay text: they may be codes, and nothing is lost.
//! Integers are a part of the reals here: a column of `1` and `2.5` is real, and prints as `1` and `2.5` again.

use tidegate_model::ValueType;

/// Up to here every integer is a real of its own.
const EXACT: u64 = 1 << 53;

/// The narrowest type that fits every value seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// No value yet.
    Nothing,
    /// Integers; `true` if each of them is exact as a real too.
    Integers(bool),
    /// Reals, among them perhaps integers.
    Reals,
    /// Something else.
    Text,
}

impl Seen {
    /// Takes one more value into account; empty fields are none.
    pub(super) fn see(&mut self, value: &str) {
        if value.is_empty() || *self == Self::Text {
            return;
        }
        let integer = integer(value);
        let is_small = integer.is_some_and(|integer| integer.unsigned_abs() <= EXACT);
        *self = match *self {
            Self::Nothing | Self::Integers(_) if integer.is_some() => {
                Self::Integers(is_small && *self != Self::Integers(false))
            }
            Self::Nothing | Self::Integers(true) if is_real(value) => Self::Reals,
            Self::Reals if is_small || is_real(value) => Self::Reals,
            _ => Self::Text,
        };
    }

    /// The type of a column that is new, or that the table has as `known`: never narrower than that.
    pub(super) fn column_type(self, known: Option<ValueType>) -> ValueType {
        use ValueType as V;
        match (known, self) {
            (None | Some(V::Integer), Self::Integers(_)) | (Some(V::Integer), Self::Nothing) => V::Integer,
            (None | Some(V::Integer | V::Real), Self::Reals)
            | (Some(V::Real), Self::Integers(true) | Self::Nothing) => V::Real,
            (None | Some(V::Integer | V::Real), _) => V::String,
            (Some(known), _) => known,
        }
    }
}

/// The integer that prints as exactly this text.
pub(super) fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let is_plain = match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if is_plain { text.parse().ok() } else { None }
}

/// True if a real with a fraction prints as exactly this text.
fn is_real(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let Some((whole, fraction)) = digits.split_once('.') else { return false };
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let has_shape = is_number(whole)
        && is_number(fraction)
        && (whole == "0" || !whole.starts_with('0'))
        && !fraction.ends_with('0');
    // Up to fifteen digits a decimal survives the way to a double and back; beyond that it is tried.
    has_shape && (whole.len() + fraction.len() <= 15 || text.parse().is_ok_and(|real: f64| real.to_string() == text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(values: &[&str]) -> Seen {
        let mut seen = Seen::Nothing;
        values.iter().for_each(|value| seen.see(value));
        seen
    }

    #[test]
    fn what_does_not_print_back_is_text() {
        for text in [
            "007",
            "+5",
            "1.50",
            "-0",
            "-0.0",
            "0.0",
            "1.0",
            ".5",
            "5.",
            "1e3",
            "0x1F",
            "1_000",
            "1,5",
            " 1",
            "1 ",
            "NaN",
            "inf",
            "-",
            "٣",
            "12345678901234567890",
            "99999999999999999999",
            "1234567890.123456789",
            "9007199254740993.5",
            "n/a",
        ] {
            assert_eq!(seen(&[text]), Seen::Text, "{text}");
        }
    }

    #[test]
    fn numbers_are_numbers() {
        assert_eq!(seen(&["1", "-2", "0", ""]), Seen::Integers(true));
        assert_eq!(seen(&["9223372036854775807", "-9223372036854775808"]), Seen::Integers(false));
        assert_eq!(seen(&["1", "2.5"]), Seen::Reals);
        assert_eq!(seen(&["2.5", "1"]), Seen::Reals);
        assert_eq!(seen(&["0.1234567890123456", "-151.20123"]), Seen::Reals);
        assert_eq!(seen(&["9007199254740993", "0.5"]), Seen::Text, "no real is equal to the first");
        assert_eq!(seen(&["0.5", "9007199254740993"]), Seen::Text);
        assert_eq!(seen(&["1", "x", "2"]), Seen::Text);
        assert_eq!(seen(&["", ""]), Seen::Nothing);
    }

    #[test]
    fn a_column_never_becomes_narrower() {
        use ValueType as V;
        for known in V::ALL {
            for seen in [Seen::Nothing, Seen::Integers(true), Seen::Integers(false), Seen::Reals, Seen::Text] {
                let becomes = seen.column_type(Some(known));
                assert!(becomes == known || tidegate_stores::table::widens(known, becomes), "{known:?} {seen:?}");
            }
        }
        assert_eq!(Seen::Integers(false).column_type(Some(V::Real)), V::String);
        assert_eq!(Seen::Nothing.column_type(None), V::String);
    }

    proptest! {
        #[test]
        fn an_inferred_number_prints_back(text in "-?[0-9.]{1,19}|[-+0-9.eE ]{0,8}") {
            match seen(&[&text]) {
                Seen::Integers(_) => prop_assert_eq!(text.parse::<i64>().expect("an integer").to_string(), text),
                Seen::Reals => prop_assert_eq!(text.parse::<f64>().expect("a real").to_string(), text),
                Seen::Nothing | Seen::Text => {}
            }
        }

        #[test]
        fn what_numbers_print_is_inferred(integer in any::<i64>(), real in any::<f64>()) {
            prop_assert!(matches!(seen(&[&integer.to_string()]), Seen::Integers(_)));
            let text = real.to_string();
            if real.is_finite() && text.contains('.') {
                prop_assert_eq!(seen(&[&text]), Seen::Reals);
            }
        }
    }
}
