//! The WIBL reader and writer: every packet both ways, damage passed, every byte accounted for, nothing panics.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tidegate_formats::wibl::{Account, Code, Fix, Framing, MAX_FINDINGS, Packet, Reader, Stamp};

const STAMP: Stamp = Stamp { date: 19_522, time: 43_200.0, elapsed: 5_000 };
const FIX: Fix = Fix {
    date: 19_522,
    time: 43_200.0,
    latitude: 43.07,
    longitude: -70.71,
    altitude: 12.5,
    receiver: 0,
    method: 2,
    satellites: 12,
    hdop: 0.9,
    pdop: 1.4,
    separation: -32.1,
    stations: 1,
    station_type: 4,
    station: 312,
    correction_age: 2.5,
};

fn depth(elapsed: u32) -> Packet<'static> {
    Packet::Depth { stamp: Stamp { elapsed, ..STAMP }, depth: 12.5, offset: 0.0, range: 200.0 }
}

fn file(packets: &[Packet<'_>]) -> Vec<u8> {
    let mut file = Vec::new();
    packets.iter().for_each(|packet| packet.write(&mut file));
    file
}

/// Reads a file, and checks that each byte is in one packet or one finding, or behind a packet whose end is longer.
fn read(bytes: &[u8], framing: Framing) -> (Vec<Packet<'_>>, Account) {
    let mut reader = Reader::new(bytes, framing);
    let mut packets = Vec::new();
    let mut at = 0;
    for record in reader.by_ref() {
        assert!(record.offset >= at && record.offset < bytes.len().max(1));
        at = record.offset + 8;
        packets.push(record.packet);
    }
    let account = reader.into_account();
    assert_eq!(account.packets, packets.len() as u64);
    let mut end = 0;
    for finding in &account.findings {
        assert!(finding.offset >= end && finding.bytes > 0);
        end = finding.offset + finding.bytes;
    }
    assert!(end <= bytes.len() as u64 && account.findings.len() <= MAX_FINDINGS);
    (packets, account)
}

fn every_packet() -> Vec<Packet<'static>> {
    vec![
        Packet::CURRENT_VERSION,
        Packet::Version { major: 1, minor: 0, n2k: [1, 2, 3], n0183: [4, 5, 6], imu: None },
        Packet::SystemTime { stamp: STAMP, source: 3 },
        Packet::Attitude { stamp: STAMP, yaw: 1.0, pitch: 0.5, roll: -0.25 },
        depth(7),
        Packet::Course { stamp: STAMP, course: 1.5, speed: 3.25 },
        Packet::Gnss { stamp: STAMP, fix: FIX },
        Packet::Environment {
            stamp: STAMP,
            temperature_source: 1,
            temperature: 285.5,
            humidity_source: 2,
            humidity: 55.0,
            pressure: 101_325.0,
        },
        Packet::Temperature { stamp: STAMP, source: 1, value: 285.5 },
        Packet::Humidity { stamp: STAMP, source: 1, value: 55.0 },
        Packet::Pressure { stamp: STAMP, source: 0, value: 101_325.0 },
        Packet::Sentence { elapsed: 9, text: b"$SDDBT,39.39,f,12.01,M,6.56,F*31\r\n" },
        Packet::Motion { elapsed: 9, values: [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5] },
        Packet::Metadata { first: b"EXAMPLE-1", second: "\u{c6}r\u{f8}".as_bytes() },
        Packet::AlgorithmRequest { name: b"nodatareject", parameters: b"phase=raw" },
        Packet::JsonMetadata(b"{}"),
        Packet::SentenceFilter(b"DBT"),
        Packet::SensorScales(b"{\"imu\":{}}"),
        Packet::RawMotion { elapsed: 9, values: [1, -2, 3, -4, 5, -6, 7] },
        Packet::Setup(b""),
    ]
}

#[test]
fn every_packet_comes_back_as_it_was_written() {
    let packets = every_packet();
    let bytes = file(&packets);
    for framing in [Framing::Plain, Framing::Resync] {
        let (again, account) = read(&bytes, framing);
        assert_eq!(again, packets);
        assert!(account.findings.is_empty(), "{account:?}");
    }
    assert_eq!(tidegate_formats::sniff(&bytes, "x"), "wibl");
    assert_eq!(tidegate_formats::sniff(&file(&packets[2..]), "x"), "wibl");
}

#[test]
fn strange_packets_are_left_out_by_their_length_and_told() {
    let mut bytes = file(&[Packet::CURRENT_VERSION, depth(1)]);
    let unknown = bytes.len() as u64;
    bytes.extend([42, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3]);
    bytes.extend([43, 0, 0, 0, 0, 0, 0, 0]);
    depth(2).write(&mut bytes);
    let short = bytes.len() as u64;
    bytes.extend([3, 0, 0, 0, 5, 0, 0, 0, 1, 2, 3, 4, 5]);
    depth(3).write(&mut bytes);
    for framing in [Framing::Plain, Framing::Resync] {
        let (packets, account) = read(&bytes, framing);
        assert_eq!(packets.len(), 4);
        let found: Vec<_> = account.findings.iter().map(|finding| (finding.code, finding.offset, finding.id)).collect();
        assert_eq!(
            found,
            [(Code::Unknown, unknown, 42), (Code::Unknown, unknown + 11, 43), (Code::WrongSize, short, 3)]
        );
    }
}

#[test]
fn a_wrong_length_costs_one_packet_and_not_the_rest() {
    for wrong in [u32::MAX, 1 << 20, 1_000, 39, 37, 0] {
        let packets: Vec<Packet<'_>> = (1..=60).map(depth).collect();
        let mut bytes = file(&packets);
        let at = 46 * 20;
        bytes[at + 4..at + 8].copy_from_slice(&wrong.to_le_bytes());
        let (kept, account) = read(&bytes, Framing::Resync);
        assert_eq!(kept.len(), 59, "{wrong}: {account:?}");
        let finding = account.findings[0];
        assert_eq!((finding.offset, finding.bytes), (at as u64, 46), "{wrong}");
    }
}

#[test]
fn noise_in_a_file_costs_only_what_it_covers() {
    let mut bytes = file(&[Packet::CURRENT_VERSION, depth(1)]);
    let from = bytes.len() as u64;
    bytes.extend((0..997_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8 | 1));
    (2..30).for_each(|elapsed| depth(elapsed).write(&mut bytes));
    let (packets, account) = read(&bytes, Framing::Resync);
    assert_eq!(packets.len(), 30);
    assert_eq!(account.findings.len(), 1);
    let finding = account.findings[0];
    assert_eq!((finding.code, finding.offset, finding.bytes), (Code::Damaged, from, 997));
}

#[test]
fn a_file_that_ends_early_says_where() {
    let bytes = file(&[Packet::CURRENT_VERSION, depth(1), depth(2)]);
    for cut in 77..122 {
        let (packets, account) = read(&bytes[..cut], Framing::Resync);
        assert_eq!(packets.len(), 2, "{cut}");
        assert_eq!((account.count(Code::Cut), account.findings[0].offset), (1, 76), "{cut}");
    }
    let sentence = file(&[Packet::CURRENT_VERSION, Packet::Sentence { elapsed: 1, text: b"$SDDBT,39.39,f,12.01,M" }]);
    let cut = &sentence[..sentence.len() - 5];
    assert!(Reader::new(cut, Framing::Plain).nth(1).expect("it is handed on").is_cut);
    assert_eq!(read(cut, Framing::Resync).0.len(), 1);
}

#[test]
fn damage_after_damage_is_passed_in_linear_time() {
    // Each header says that what follows is half of the file: a search that began anew for each would take hours here.
    let bytes: Vec<u8> = [10, 0, 0, 0, 0, 0, 64, 0].repeat(1 << 20);
    let (_, account) = read(&bytes, Framing::Resync);
    assert!(account.findings.len() <= MAX_FINDINGS);
    let bytes: Vec<u8> = [3, 0, 0, 0].repeat(1 << 20);
    read(&bytes, Framing::Resync);
}

/// The recorded and hand-made files that the format's description comes with.
#[expect(clippy::print_stderr, reason = "a comparison that is skipped says so")]
fn reference_files() -> Option<Vec<PathBuf>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/wibl");
    if !directory.try_exists().expect("a directory that can be asked for") {
        eprintln!("skipped: {} is not there", directory.display());
        return None;
    }
    let files = fs::read_dir(directory).expect("a readable directory").map(|entry| entry.expect("an entry").path());
    Some(files.filter(|path| path.extension().is_some_and(|end| end == "wibl")).collect())
}

#[test]
fn recorded_files_are_read_and_written_again_to_the_byte() {
    let Some(files) = reference_files() else { return };
    assert!(files.len() >= 40);
    for path in files {
        let bytes = fs::read(&path).expect("a file");
        let (packets, account) = read(&bytes, Framing::Resync);
        let (plain, plain_account) = read(&bytes, Framing::Plain);
        let name = path.file_stem().expect("a name").to_string_lossy();
        let odd: Vec<_> = account.findings.iter().map(|finding| (finding.code, finding.offset)).collect();
        let expected: &[_] = match name.as_ref() {
            "corrupt-size-framed" => &[(Code::WrongSize, 4_042), (Code::WrongSize, 7_360)],
            "truncated-n2k-midpacket" => &[(Code::Cut, 10_556)],
            "unknown-id-42" => &[(Code::Unknown, account.findings[0].offset)],
            _ => &[],
        };
        assert_eq!(odd, expected, "{name}");
        assert_eq!((packets.len(), account), (plain.len(), plain_account), "{name}");
        if expected.is_empty() {
            assert!(file(&packets) == bytes, "{name}");
        }
    }
}

/// Files that are nearly right: packets of every kind with headers, lengths and bytes changed.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let packets = prop::collection::vec(prop::sample::select(every_packet()), 0..40);
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12);
    (packets, changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(packets, changes, end, is_cut)| {
        let mut bytes = file(&packets);
        if bytes.is_empty() {
            return bytes;
        }
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(end.index(bytes.len()));
        }
        bytes
    })
}

proptest! {
    #[test]
    fn anything_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        read(&bytes, Framing::Plain);
        read(&bytes, Framing::Resync);
        tidegate_formats::sniff(&bytes, "x");
        let _ = tidegate_formats::nmea0183::Sentence::parse(&bytes);
    }

    #[test]
    fn nearly_right_files_are_accounted_for(bytes in nearly()) {
        read(&bytes, Framing::Plain);
        read(&bytes, Framing::Resync);
    }

    #[test]
    fn nearly_right_sentences_are_read_without_panic(text in r"[ $]{0,2}[A-Zgp]{4,6},[0-9.,NSEWA\u{e9}\-+e]{0,40}(\*[0-9A-Fa-f]{0,3})?[\r\n ]{0,3}") {
        if let Ok(sentence) = tidegate_formats::nmea0183::Sentence::parse(text.as_bytes()) {
            for field in sentence.fields::<8>() {
                let _ = tidegate_formats::nmea0183::time_of_day(field);
                let _ = tidegate_formats::nmea0183::short_date(field);
                let _ = tidegate_formats::nmea0183::degrees(field);
            }
        }
    }
}
