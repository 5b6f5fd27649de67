//! The CSV reader: by the book, in the field, and on anything at all.

use std::io::{Read, Write};

use proptest::prelude::*;
use tidegate_formats::csv::{Delimiter, MAX_RECORD, Options, Reader, Writer};
use tidegate_formats::{Error, Problem};

type Rows = Vec<(u64, Vec<String>)>;

fn read_with(bytes: &[u8], options: &Options) -> Result<Rows, Error> {
    let mut reader = Reader::new(bytes, options)?;
    let mut rows = Vec::new();
    while let Some(record) = reader.read()? {
        assert_eq!(record.len(), record.iter().count());
        assert_eq!(record.iter().last(), record.get(record.len() - 1));
        rows.push((record.line(), record.iter().map(str::to_owned).collect()));
    }
    Ok(rows)
}

fn read(bytes: &[u8]) -> Rows {
    read_with(bytes, &Options::default()).expect("readable CSV")
}

fn failure(bytes: &[u8]) -> Error {
    read_with(bytes, &Options::default()).expect_err("an error")
}

fn row(line: u64, fields: &[&str]) -> (u64, Vec<String>) {
    (line, fields.iter().map(|field| (*field).to_owned()).collect())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn lines_are_physical_whatever_ends_them() {
    for end in ["\n", "\r\n", "\r"] {
        let text = ["a,b", "", "1,\"x", "y\"", "2,z"].join(end);
        let expected = vec![row(1, &["a", "b"]), row(3, &["1", &format!("x{end}y")]), row(5, &["2", "z"])];
        assert_eq!(read(text.as_bytes()), expected, "{end:?}");
        assert_eq!(read(format!("{text}{end}{end}").as_bytes()), expected, "{end:?} at the end");
    }
}

#[test]
fn quotes_are_undone() {
    assert_eq!(read(b"a,\"b \"\"c\"\", d\"\n"), [row(1, &["a", "b \"c\", d"])]);
    assert_eq!(read(b"\"\"\n"), [row(1, &[""])]);
    assert_eq!(read(b",\n"), [row(1, &["", ""])]);
    assert_eq!(read(b"a\"b,c\n"), [row(1, &["a\"b", "c"])], "a quote within a bare field is a character");
}

#[test]
fn an_open_quote_is_told_where_it_opens() {
    let error = failure(b"a,b\n1,2\n\"x\ny\",\"open\n3,4\n5,6\n");
    assert_eq!((error.problem, error.line), (Problem::Malformed, Some(4)));
    let error = failure(b"a,\"b");
    assert_eq!((error.problem, error.line), (Problem::Malformed, Some(1)));
}

#[test]
fn an_endless_record_is_refused_in_bounded_memory() {
    let endless = b"a,b\n1,\"".chain(std::io::repeat(b'x').take(10 * MAX_RECORD as u64));
    let mut reader = Reader::new(endless, &Options::default()).expect("a beginning");
    reader.read().expect("a header");
    let error = reader.read().expect_err("too large");
    assert_eq!((error.problem, error.line), (Problem::TooLarge, Some(2)));
    let mut reader = Reader::new(std::io::repeat(b',').take(1 << 24), &Options::default()).expect("a beginning");
    assert_eq!(reader.read().expect_err("too many").problem, Problem::TooLarge);
}

#[test]
fn marks_and_encodings() {
    let expected = [row(1, &["é", "b"])];
    assert_eq!(read("\u{feff}é,b\n".as_bytes()), expected);
    for little in [true, false] {
        let units = "\u{feff}é,b\r\n".encode_utf16();
        let bytes: Vec<u8> =
            units.flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect();
        assert_eq!(read(&bytes), expected);
        assert_eq!(read(&gzip(&bytes)), expected);
    }
    let latin = |label: &str| Options { encoding: Some(label.to_owned()), ..Options::default() };
    assert_eq!(read_with(b"\xe9,b\n", &latin("windows-1252")).expect("text"), expected);
    assert_eq!(read_with(b"\xe9,b\n", &latin("Latin1")).expect("text"), expected);
    assert_eq!(read_with("\u{feff}é,b\n".as_bytes(), &latin("latin1")).expect("text"), expected, "the mark wins");
    let error = read_with(b"a\n", &latin("klingon")).expect_err("no such encoding");
    assert_eq!(error.problem, Problem::Unsupported);
    let error = read_with(b"a\nb\xff\xffc", &latin("shift_jis")).expect_err("bad bytes");
    assert_eq!(error.problem, Problem::Encoding);
}

#[test]
fn bytes_that_are_not_utf8_are_told_with_line_and_byte() {
    let error = failure(b"a,b\r\n1,2\r\n3,\xe9t\xe9\r\n");
    assert_eq!((error.problem, error.line, error.byte), (Problem::Encoding, Some(3), Some(12)));
    assert!(error.help.expect("a remedy").contains("encoding = \"windows-1252\""));
    // Far beyond one bufferful, with a character on its edge.
    let mut long = "ü".repeat(100_001).into_bytes();
    long.insert(0, b'x');
    long.extend(b"\n1\n\xff\n");
    let error = failure(&long);
    assert_eq!((error.line, error.byte), (Some(3), Some(long.len() as u64 - 2)));
    // Half of a character on either side of a delimiter.
    assert_eq!(failure(b"\xc3,\xa9\n").problem, Problem::Encoding);
    assert_eq!(failure(b"a\n\xc3").problem, Problem::Encoding);
}

#[test]
fn a_nul_is_told_with_line_and_byte() {
    let error = failure(b"a,b\n1,\x002\n");
    assert_eq!((error.problem, error.line, error.byte), (Problem::Malformed, Some(2), Some(6)));
}

#[test]
fn gzip_is_found_by_its_content_and_damage_is_told() {
    let packed = gzip(b"a,b\n1,2\n");
    let expected = [row(1, &["a", "b"]), row(2, &["1", "2"])];
    assert_eq!(read(&packed), expected);
    let two_members = [packed.clone(), gzip(b"3,4\n")].concat();
    assert_eq!(read(&two_members).len(), 3);
    assert_eq!(failure(&packed[..packed.len() - 4]).problem, Problem::Malformed);
    let mut damaged = gzip(&b"a,b\n".repeat(1000));
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    assert!(matches!(failure(&damaged).problem, Problem::Malformed | Problem::Encoding));
}

#[test]
fn the_delimiter_is_found_in_the_header() {
    for (text, delimiter) in [
        (&b"a;b;c,d\n"[..], b';'),
        (b"\na\tb\n", b'\t'),
        (b"\"x;y;z\",b\n", b','),
        (b"a|b\n", b'|'),
        (b"alone\n1;2;3\n", b','),
        (b"", b','),
    ] {
        assert_eq!(Reader::new(text, &Options::default()).expect("text").delimiter(), delimiter);
    }
    assert_eq!(Delimiter::parse("tab"), Ok(Delimiter::Is(b'\t')));
    assert_eq!(Delimiter::parse(";"), Ok(Delimiter::Is(b';')));
    for bad in ["", "\"", "\n", "é", ";;"] {
        assert!(Delimiter::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn nothing_is_no_record() {
    for nothing in [&b""[..], b"\n\n\r\n", b"\xef\xbb\xbf", b"\xff\xfe"] {
        assert_eq!(read(nothing), [], "{nothing:?}");
    }
}

/// Reads one byte at a time, so that every character and quote lies on the edge of a read.
struct Dribble<'a>(&'a [u8]);

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(1);
        self.0.read(&mut buffer[..count])
    }
}

proptest! {
    #[test]
    fn what_the_writer_writes_the_reader_reads(
        rows in prop::collection::vec(prop::collection::vec("[a-z,;\"\r\n\té🦀\u{feff} ]{0,6}", 1..5), 0..6)
    ) {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        for row in &rows {
            writer.write(row.iter().map(|field| Some(field.as_str()))).expect("memory");
        }
        writer.finish().expect("memory");
        let options = Options { delimiter: Delimiter::Is(b','), ..Options::default() };
        let read: Vec<Vec<String>> =
            read_with(&bytes, &options).expect("readable").into_iter().map(|(_, fields)| fields).collect();
        prop_assert_eq!(read, rows);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), gz in any::<bool>()) {
        let bytes = if gz { gzip(&bytes) } else { bytes };
        // What is proved: neither way panics.
        let _ = read_with(&bytes, &Options::default());
        let mut reader = Reader::new(Dribble(&bytes), &Options { delimiter: Delimiter::Is(b','), encoding: None });
        while let Ok(reader) = &mut reader {
            match reader.read() {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
    }

    #[test]
    fn how_the_bytes_arrive_makes_no_difference(text in "[a,\"\r\né]{0,40}") {
        let options = Options { delimiter: Delimiter::Is(b','), ..Options::default() };
        let whole = read_with(text.as_bytes(), &options).map_err(|error| error.to_string());
        let mut reader = Reader::new(Dribble(text.as_bytes()), &options).expect("text");
        let mut rows = Vec::new();
        let dribbled = loop {
            match reader.read() {
                Ok(Some(record)) => rows.push((record.line(), record.iter().map(str::to_owned).collect::<Vec<_>>())),
                Ok(None) => break Ok(rows),
                Err(error) => break Err(error.to_string()),
            }
        };
        prop_assert_eq!(dribbled, whole);
    }
}
