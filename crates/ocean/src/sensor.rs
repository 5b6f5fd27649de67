//! What the header says about sensor and deck unit, as values that rules ask for.

use crate::attribute::Attributes;
use crate::time;

/// Sensor and deck unit. A field is `None` if the header has no such line, or one that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sensor {
    /// Serial number of the sensor.
    pub serial: Option<i64>,
    /// Serial number of the deck unit.
    pub deck_unit: Option<i64>,
    /// Version of the sensor's firmware; the WAVE line counts as 0.
    pub firmware: Option<f64>,
    /// Version of the deck unit's firmware.
    pub deck_firmware: Option<f64>,
    /// When the data were read out: microseconds since 1970 UTC.
    pub download: Option<i64>,
    /// Depth it is built for, m; about as many dbar.
    pub depth_rating: Option<f64>,
    /// Reset codes of its whole life, a bit each.
    pub reset_codes: Option<u64>,
}

impl Sensor {
    /// Reads the header.
    pub fn of(header: &Attributes) -> Self {
        let whole = |name: &str| header.text(name)?.trim().parse().ok();
        let codes = |text: &str| {
            let digits = text.trim().trim_start_matches("0x").trim_start_matches("0X");
            u64::from_str_radix(digits, 16).ok()
        };
        Self {
            serial: whole("moana_serial_number"),
            deck_unit: whole("deck_unit_serial_number"),
            firmware: header.text("moana_firmware").and_then(version),
            deck_firmware: header.text("deck_unit_firmware_version").and_then(version),
            download: header.text("download_time").and_then(time::day_first),
            depth_rating: header.text("depth_rating").and_then(|text| text.split(' ').next()?.parse().ok()),
            reset_codes: header.text("reset_codes").and_then(codes),
        }
    }
}

/// The first `digits.digits` of a text; 0 for the WAVE line of firmware, whatever its number.
fn version(text: &str) -> Option<f64> {
    if text.contains("WAVE") {
        return Some(0.0);
    }
    let bytes = text.as_bytes();
    let is_digit = |at: &usize| bytes.get(*at).is_some_and(u8::is_ascii_digit);
    let point = (0..bytes.len()).find(|at| bytes[*at] == b'.' && is_digit(&(at + 1)))?;
    let start = (0..point).rev().take_while(|at| is_digit(at)).last().unwrap_or(point);
    let end = (point + 1..bytes.len()).take_while(|at| is_digit(at)).last().unwrap_or(point + 1);
    text.get(start..=end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_their_names() {
        for (text, expected) in [
            ("MOANA-1.21", Some(1.21)),
            ("MOANA-WAVE-1.04", Some(0.0)),
            ("MOANA-3", None),
            ("5.27ble", Some(5.27)),
            ("v.5", Some(0.5)),
            ("1..2", Some(0.2)),
            ("", None),
            ("é1.5é", Some(1.5)),
        ] {
            assert_eq!(version(text), expected, "{text}");
        }
    }

    #[test]
    fn headers_are_read_as_far_as_they_go() {
        let pairs = [
            ("moana_serial_number", "38"),
            ("download_time", "24/06/2021 04:11:06"),
            ("reset_codes", "0x200204"),
            ("depth_rating", "200 (m)"),
            ("deck_unit_serial_number", "x"),
        ];
        let header = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let sensor = Sensor::of(&header);
        assert_eq!(sensor.download, Some(1_624_507_866_000_000));
        assert_eq!((sensor.serial, sensor.deck_unit), (Some(38), None));
        assert_eq!((sensor.reset_codes, sensor.depth_rating), (Some(0x0020_0204), Some(200.0)));
    }
}
