//! Whatever lands is reviewed or refused, and its rows are read or refused: no bytes make a reader panic.

use std::io::Cursor;
use std::sync::Arc;

use proptest::prelude::*;
use tidegate_formats::review::{self, Open, Options};
use tidegate_formats::wibl::{Packet, Stamp};
use tidegate_formats::{rows, sniff};

/// Reviews it, and goes through its rows, as each format that has some.
fn look(bytes: Vec<u8>, name: &str) {
    let open: Open<Cursor<Vec<u8>>> = Arc::new(move || Cursor::new(bytes.clone()));
    let _ = review::statistics(&open, name, &Options { threads: 1, cancelled: &|| false });
    for format in ["csv", "moana", "netcdf", "parquet"] {
        let Ok(Some(mut rows)) = rows::open(&open, format) else { continue };
        while let Ok(Some(batch)) = rows.next() {
            assert_eq!(batch.schema(), rows.schema());
        }
        let _ = rows.left_out();
    }
}

#[test]
fn a_logger_is_reviewed_past_its_damage() {
    let mut bytes = Vec::new();
    Packet::CURRENT_VERSION.write(&mut bytes);
    for second in 0..20_u32 {
        let stamp = Stamp { date: 19_522, time: 43_200.0 + f64::from(second), elapsed: second * 1_000 };
        Packet::SystemTime { stamp, source: 0 }.write(&mut bytes);
        Packet::Depth { stamp, depth: f64::from(second), offset: 0.0, range: 200.0 }.write(&mut bytes);
        Packet::Sentence {
            elapsed: second * 1_000,
            text: b"$GPGGA,120000,4304.2,N,07042.6,W,1,08,0.9,5,M,,M,,*4B\r\n",
        }
        .write(&mut bytes);
    }
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40].fill(0xff);
    assert_eq!(sniff(&bytes, "a.csv"), "wibl");
    let open: Open<Cursor<Vec<u8>>> = Arc::new(move || Cursor::new(bytes.clone()));
    let found = review::statistics(&open, "a.csv", &Options { threads: 1, cancelled: &|| false }).expect("a file");
    assert_eq!((found.kind.as_str(), found.titles.keys().next().map(String::as_str)), ("wibl", Some("WIBL 1.3")));
    // 0 is no depth, and one or two are lost in the damage.
    assert!((17..=19).contains(&found.observations), "{}", found.observations);
    assert_eq!(found.time.expect("times").0, "2023-06-14T12:00:00");
    assert!(found.findings.tallies.keys().any(|(code, _)| code.name() == "damaged"), "{:?}", found.findings);
    assert!(found.parameters.iter().any(|parameter| parameter.name == "packets depth" && parameter.count > 17));
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(
        begin in prop::sample::select(vec![
            &b""[..], b"CDF\x01", b"\x89HDF\r\n\x1a\n", b"PAR1", b"PK\x03\x04", b"\x1f\x8b\x08", b"{\"features\": [",
            b"CTD,20240101TEST\nNUMBER_HEADERS = 2\n", b"BOTTLE,20240101TEST\nA,B\n,\n", b"a,b\n1,2\n",
            b"Moana Serial Number,38\nDateTime (UTC),Lat,Lon,Depth (dBar),Temperature C\n",
            b"\x00\x00\x00\x00\x16\x00\x00\x00\x01\x00\x03\x00",
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        text in "[-0-9a-z.,;\"\n\r ]{0,200}",
        is_text in any::<bool>(),
    ) {
        let rest = if is_text { text.into_bytes() } else { bytes };
        look([begin, &rest].concat(), "a.csv");
    }
}
