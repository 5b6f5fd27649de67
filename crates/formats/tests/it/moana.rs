//! The Moana reader: every form, every line accounted for, and nothing panics.

use std::io::Write;

use proptest::prelude::*;
use tidegate_formats::moana::{self, Account, Code, Column, DateOrder, Header, MISSING_TIME, Options, Reader, Rows};

const HEADER: &str = " Deck unit serial number,5101\r\nDownload Time,24/06/2021 04:11:06\nMoana Serial Number,38\n";
const COLUMNS: &str = "DateTime (UTC),Lat,Lon,Depth (dBar),Temperature C\r\n";
const ROW: &str = "20210624T040108,-35.146706,+174.338045,1.2,17.559\n";

fn read_with(bytes: &[u8], options: Options) -> (Header, Rows, Account) {
    let mut reader = Reader::new(bytes, &options).expect("memory");
    let (mut all, mut batch) = (Rows::default(), Rows::default());
    while reader.read(&mut batch).expect("memory") {
        all.line.extend(&batch.line);
        all.time.extend(&batch.time);
        all.latitude.extend(&batch.latitude);
        all.longitude.extend(&batch.longitude);
        all.pressure.extend(&batch.pressure);
        all.temperature.extend(&batch.temperature);
        all.is_short.extend(&batch.is_short);
    }
    let (header, account) = reader.into_parts();
    assert_accounted(&account, all.len());
    (header, all, account)
}

/// Every line is one thing, and only one.
fn assert_accounted(account: &Account, rows: usize) {
    assert_eq!(account.kept, rows as u64);
    assert_eq!(account.rows, account.kept + account.count(Code::RowLong));
    let columns = u64::from(account.column_line.is_some());
    if account.fault().is_none() {
        let trailer = u64::from(account.trailer.is_some());
        let sum = account.header_lines + columns + account.rows + account.blank + trailer + account.after_trailer;
        assert_eq!(account.lines, sum, "{account:?}");
    }
}

fn read(text: &str) -> (Header, Rows, Account) {
    read_with(text.as_bytes(), Options::default())
}

fn fault(text: &str) -> (Code, u64) {
    let account = read(text).2;
    let finding = account.fault().expect("a fault");
    (finding.code, finding.line)
}

#[test]
fn a_file_is_read_whatever_its_encoding_and_line_ends() {
    let text = format!("{HEADER}{COLUMNS}{ROW}{ROW}\r\nEND7");
    let (header, rows, account) = read(&text);
    assert_eq!(header.get("moana_serial_number"), Some("38"));
    assert_eq!((rows.line[1], rows.time[1]), (6, 1_624_507_268_000_000));
    assert_eq!((rows.latitude[1], rows.longitude[1]), (-35.146706, 174.338045));
    assert_eq!((rows.pressure[1], rows.temperature[1]), (1.2, 17.559));
    assert_eq!((account.trailer, account.blank, account.header_lines), (Some(8), 1, 3));
    assert!(account.findings.is_empty(), "{:?}", account.findings);

    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    let forms: [(Vec<u8>, &[Code]); 6] = [
        (text.replace("\r\n", "\n").into_bytes(), &[]),
        (text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes(), &[]),
        (format!("\u{feff}{text}").into_bytes(), &[Code::ByteOrderMark]),
        ([b"\xff\xfe".as_slice(), &wide].concat(), &[Code::Utf16]),
        (wide, &[Code::Utf16]),
        (encoder.finish().expect("memory"), &[]),
    ];
    for (bytes, codes) in forms {
        let (other, same, account) = read_with(&bytes, Options::default());
        assert_eq!(other.attributes(), header.attributes());
        assert_eq!(same, rows);
        assert_eq!(account.counts.keys().copied().collect::<Vec<_>>(), codes);
    }
}

#[test]
fn unusable_values_and_rows_are_told_with_their_line() {
    let text = format!(
        "{HEADER}{COLUMNS}\
         20210230T040108,-35.1,+174.3,1.2,17.5\n\
         20210624T040108,,+174.3,ERR,17.5\n\
         20210624T040109,-35.1,+174.3,1.2,17.5,99\n\
         20210624T040109,-35.1,+174.3,1.2,17.5,\n\
         20210624T040110,-35.1,+174.3,1."
    );
    let (_, rows, account) = read(&text);
    assert_eq!(rows.line, [5, 6, 8, 9]);
    assert_eq!(rows.is_short, [false, false, false, true]);
    assert_eq!(rows.time[0], MISSING_TIME);
    assert!(rows.latitude[1].is_nan() && rows.pressure[1].is_nan());
    let found: Vec<_> = account.findings.iter().map(|finding| (finding.code, finding.line, finding.column)).collect();
    let expected = [
        (Code::BadTime, 5, Some(Column::Time)),
        (Code::ValueMissing, 6, Some(Column::Latitude)),
        (Code::NotANumber, 6, Some(Column::Pressure)),
        (Code::RowLong, 7, None),
        (Code::TrailingComma, 8, None),
        (Code::RowShort, 9, None),
        (Code::NoTrailer, 9, None),
    ];
    assert_eq!(found, expected);
    assert_eq!(account.findings[2].text.as_deref(), Some("ERR"));
}

#[test]
fn unusable_files_say_why_and_where() {
    assert_eq!(fault(""), (Code::Empty, 0));
    assert_eq!(fault("\n\n"), (Code::NoColumnLine, 2));
    assert_eq!(fault(&format!("{HEADER}{ROW}")), (Code::NoColumnLine, 4));
    assert_eq!(fault("DateTime (UTC),Lat,Lon,Temperature C\n"), (Code::ColumnMissing, 1));
    assert_eq!(fault(&format!("{HEADER}{COLUMNS}{ROW}END4\n{HEADER}{COLUMNS}{ROW}END")), (Code::SecondHeader, 7));
    assert_eq!(fault(&format!("{HEADER}{COLUMNS}{ROW}END4 Deck unit serial number,1\n")), (Code::SecondHeader, 6));
    assert_eq!(fault(&format!("{HEADER}{COLUMNS}{ROW}{COLUMNS}{ROW}")), (Code::SecondHeader, 6));
}

#[test]
fn header_variants_and_other_column_names_are_read() {
    let text = "Deck unit firmware version,5.27ble\nUpload position,-,-\nSome note\nDepth rating (m),200\n\
                DateTime (UTC),Lat,Lon,Pressure (dBar),Temperature C\n20210624T040108,,,1.2,17.559\nEND\nmore\n";
    let (header, rows, account) = read(text);
    assert_eq!(header.get("depth_rating"), Some("200"));
    assert_eq!(rows.len(), 1);
    let codes: Vec<Code> = account.counts.keys().copied().collect();
    let expected = [Code::PressureColumn, Code::HeaderWithoutComma, Code::ValueMissing, Code::AfterTrailer];
    assert_eq!(codes, expected);
    let twice = read(&format!("{COLUMNS}{ROW}END1\nEND2")).2;
    assert_eq!((twice.trailer, twice.after_trailer), (Some(3), 1));
    let latin = [b"Vessel,M\xe4rz\n".as_slice(), COLUMNS.as_bytes(), b"END"].concat();
    let (header, _, account) = read_with(&latin, Options::default());
    assert_eq!(header.get("vessel"), Some("M\u{e4}rz"));
    assert_eq!(account.count(Code::NotUtf8), 1);
}

#[test]
fn the_older_form_finds_the_order_of_its_dates() {
    let form = |rows: &str| format!("Moana Serial Number,7\nDate,Time,Depth Decibar,Temperature C\n{rows}");
    let time = 1_624_507_268_000_000;
    let rows = |text: &str, options| read_with(text.as_bytes(), options).1;
    let day_first = form("24/06/2021,04:01:08,1.2,17.559\n05/06/2021,00:00:00,1,2\nEND");
    let month_first = form("06/05/2021,00:00:00,1,2\n06/24/2021,04:01:08,1.2,17.559\nEND");
    assert_eq!(rows(&day_first, Options::default()).time[0], time);
    assert_eq!(rows(&month_first, Options::default()).time[1], time);
    assert_eq!(rows(&month_first, Options::default()).line, [3, 4]);
    assert_eq!(rows(&form("2021-06-24,04:01:08,1.2,17.559"), Options::default()).time, [time]);
    let unclear = form("05/06/2021,00:00:00,1,2\n");
    let (_, by_day, account) = read(&unclear);
    assert_eq!((account.count(Code::DateOrder), account.is_separate_form), (1, true));
    let by_month = rows(&unclear, Options { date_order: Some(DateOrder::MonthFirst) });
    assert_eq!(by_day.time[0] - by_month.time[0], 30 * 86_400 * 1_000_000);
    assert!(by_day.latitude[0].is_nan());
}

#[test]
fn the_content_is_recognised_whatever_it_is_called() {
    let text = format!("{HEADER}{COLUMNS}{ROW}");
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for head in [text.as_bytes(), HEADER.as_bytes(), &wide, COLUMNS.as_bytes()] {
        assert_eq!(tidegate_formats::sniff(head, "x.csv"), "moana");
    }
    let older = b"Date,Time,Depth Decibar,Temperature C\n01/02/2021,03:04:05,1,2\n";
    assert_eq!(tidegate_formats::sniff(older, "x"), "moana");
    assert_eq!(tidegate_formats::sniff(b"Date,Time,Port\n1,2,3\n", "x.csv"), "csv");
}

#[test]
fn ops_qc_fails_where_it_fails_and_names_attributes_as_it_does() {
    let of = |text: &str| {
        let (header, _, account) = read(text);
        moana::ops_qc::failure(&header, &account).map(|failure| failure.mode)
    };
    let rows = format!("{COLUMNS}{ROW}END");
    assert_eq!(of(&format!("{HEADER}{rows}")), None);
    assert_eq!(of("").as_deref(), Some("Could not read csv file "));
    assert_eq!(
        of(&format!("note\n{rows}")).as_deref(),
        Some("Could not load global attributes during data file read ")
    );
    let (header, _, account) = read(&format!("\u{feff}{HEADER}{rows}"));
    assert_eq!(moana::ops_qc::attributes(&header, &account)[0].0, "\u{feff}_deck_unit_serial_number");
}

/// Lines that are nearly right, so that the interesting paths are met.
fn nearly() -> impl Strategy<Value = String> {
    let row = r"[+-]?[0-9]{0,9}T?[0-9]{0,7},[+-]?[0-9.]{0,12},[+-]?[0-9.eE]{0,12},[a-zA-Z0-9. ]{0,6},[0-9.\-]{0,7}(,[0-9]{0,2})?";
    let line = prop_oneof![
        8 => row.prop_map(String::from),
        2 => Just(ROW.trim().to_owned()),
        1 => r"END[0-9]{0,2}[ a-z]{0,3}",
        1 => ".{0,30}",
        1 => Just(String::new()),
        1 => Just(COLUMNS.trim().to_owned()),
        1 => Just("Date,Time,Depth Decibar,Temperature C".to_owned()),
        1 => r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4},[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?,[0-9.]{1,4},[0-9.]{1,4}",
    ];
    (prop::collection::vec(line, 0..30), prop_oneof![Just("\n"), Just("\r\n"), Just("\r")], any::<bool>())
        .prop_map(|(lines, end, has_header)| format!("{}{}", if has_header { HEADER } else { "" }, lines.join(end)))
}

proptest! {
    #[test]
    fn anything_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read_with(&bytes, Options::default());
    }

    #[test]
    fn nearly_right_files_are_accounted_for(text in nearly()) {
        let (header, rows, account) = read(&text);
        prop_assert!(rows.line.is_sorted());
        moana::ops_qc::failure(&header, &account);
        moana::ops_qc::attributes(&header, &account);
    }
}
