//! Hop 2's second question: what is this content, whatever the object is called?

use crate::exchange::{self, Kind};
use crate::wibl::Recorder;

/// What content can be named, in the order of the reference.
pub const NAMES: &[&str] = &[
    "csv",
    "gzip",
    "zip",
    "netcdf",
    "parquet",
    "json",
    "moana",
    "exchange-bottle",
    "exchange-ctd",
    "wibl",
    "ydvr",
    "nmea0183",
    "unknown",
];

/// A format, and what tells it from the others: the first bytes of the content and the object's key.
struct Detector {
    name: &'static str,
    detects: fn(&[u8], &str) -> bool,
}

/// The first that detects, names. Signatures come before guesses.
const DETECTORS: &[Detector] = &[
    Detector { name: "gzip", detects: |head, _| head.starts_with(&[0x1f, 0x8b]) },
    Detector { name: "zip", detects: |head, _| head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") },
    Detector { name: "netcdf", detects: |head, _| is_netcdf(head) },
    Detector { name: "parquet", detects: |head, _| head.starts_with(b"PAR1") },
    Detector { name: "wibl", detects: |head, _| crate::wibl::detects(head) },
    Detector { name: "ydvr", detects: |head, _| Recorder::of(head) == Recorder::Ydvr },
    Detector { name: "nmea0183", detects: |head, _| Recorder::of(head) == Recorder::Nmea0183 },
    Detector { name: "json", detects: |head, _| is_json(head) },
    Detector { name: "exchange-bottle", detects: |head, _| exchange::detect(head) == Some(Kind::Bottle) },
    Detector { name: "exchange-ctd", detects: |head, _| exchange::detect(head) == Some(Kind::Ctd) },
    Detector { name: "moana", detects: |head, _| crate::moana::detects(head) },
    Detector { name: "csv", detects: is_csv },
];

/// Names a content by its first bytes (some kilobytes, or all of it) and its key; `unknown` if nothing fits.
pub fn sniff(head: &[u8], key: &str) -> &'static str {
    let detector = DETECTORS.iter().find(|detector| (detector.detects)(head, key));
    detector.map_or("unknown", |detector| detector.name)
}

/// Classic NetCDF (all three offset sizes), or NetCDF-4, which is HDF5.
fn is_netcdf(head: &[u8]) -> bool {
    head.starts_with(b"\x89HDF\r\n\x1a\n") || (head.starts_with(b"CDF") && matches!(head.get(3), Some(1 | 2 | 5)))
}

/// A JSON object or array begins: after the bracket comes what JSON allows there.
fn is_json(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut content = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (content.next(), content.next()) {
        (Some(b'{'), next) => matches!(next, None | Some(b'"' | b'}')),
        (Some(b'['), next) => matches!(next, None | Some(b'"' | b'{' | b'[' | b']' | b'-' | b'0'..=b'9')),
        _ => false,
    }
}

/// Text that is called CSV, or whose first two lines have the same number of the same delimiter.
fn is_csv(head: &[u8], key: &str) -> bool {
    let is_called_csv = [".csv", ".tsv"].iter().any(|end| key.to_ascii_lowercase().ends_with(end));
    let is_wide = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    if is_wide {
        return is_called_csv;
    }
    if !head.iter().all(|byte| *byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)) {
        return false;
    }
    is_called_csv || has_columns(head)
}

fn has_columns(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return false };
    b",;\t|".iter().any(|delimiter| {
        let columns = delimiters(first, *delimiter);
        columns > 0 && columns == delimiters(second, *delimiter)
    })
}

fn delimiters(line: &[u8], delimiter: u8) -> usize {
    let mut is_quoted = false;
    line.iter()
        .filter(|byte| {
            is_quoted ^= **byte == b'"';
            !is_quoted && **byte == delimiter
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_content_not_by_key() {
        for (head, key, name) in [
            (&b"\x1f\x8b\x08\x00"[..], "a.csv", "gzip"),
            (b"PK\x03\x04\x14", "book.csv", "zip"),
            (b"CDF\x01\x00\x00", "x", "netcdf"),
            (b"\x89HDF\r\n\x1a\n\x00", "x.nc", "netcdf"),
            (b"PAR1\x15\x04", "x", "parquet"),
            (b"\xef\xbb\xbf {\n \"a\": 1}", "x.csv", "json"),
            (b"[1, 2]", "x", "json"),
            (b"\x00\x00\x00\x00\x16\x00\x00\x00\x01\x00\x03\x00", "x", "wibl"),
            (b"\x05\x00\xff\xff\xff\xffYDVR v04", "x.DAT", "ydvr"),
            (&b"$SDDBT,39.39,f,12.01,M,6.56,F*31\r\n".repeat(3), "x.csv", "nmea0183"),
            (b"[not json", "x", "unknown"),
            (b"BOTTLE,20240101TEST\n#c\n", "x", "exchange-bottle"),
            (b"\xef\xbb\xbfBOTTLE\r\n# c\r\n", "x.zip", "exchange-bottle"),
            (b"CTD,20240101TEST\nNUMBER_HEADERS = 2\n", "x.csv", "exchange-ctd"),
            (b"CTD,depth,temperature\n1,2,3\n", "x.csv", "csv"),
            (b"BOTTLES,price\n1,2\n", "x.csv", "csv"),
            (b"a,b\n1,2\n", "anything", "csv"),
            (b"a;\"b;c\"\r\n1;2\r\n", "anything", "csv"),
            (b"one\ntwo\n", "list.CSV", "csv"),
            (b"one\ntwo\n", "list.txt", "unknown"),
            (b"a,b\x00c\n", "x.csv", "unknown"),
            (b"\xff\xfea\x00,\x00", "x.csv", "csv"),
            (b"", "x.csv", "csv"),
            (b"", "x", "unknown"),
        ] {
            assert_eq!(sniff(head, key), name, "{:?} {key}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn every_detector_has_a_name_in_the_list() {
        for detector in DETECTORS {
            assert!(NAMES.contains(&detector.name), "{}", detector.name);
        }
    }
}
