//! Files of other recorders than WIBL loggers: bytes as their descriptions have them.

use proptest::prelude::*;
use tidegate_formats::sniff;
use tidegate_formats::wibl::{Code, Log, Packet, Recorder};

/// A record: milliseconds within the minute, the CAN id of a group (priority 3, device 35), data.
fn record(file: &mut Vec<u8>, time: u16, pgn: u32, data: &[u8]) {
    file.extend(time.to_le_bytes());
    file.extend((3 << 26 | pgn << 8 | 35).to_le_bytes());
    file.extend(data);
}

/// A message of several frames, put together by the recorder: a sequence, its length, its bytes.
fn fast(file: &mut Vec<u8>, time: u16, pgn: u32, data: &[u8]) {
    let head = [0x40, u8::try_from(data.len()).expect("short")];
    record(file, time, pgn, &[&head, data].concat());
}

fn service(file: &mut Vec<u8>, text: &[u8; 8]) {
    file.extend([0, 0]);
    file.extend([255; 4]);
    file.extend(text);
}

/// Two minutes of a boat's bus from 59 s on, with messages that nobody asked for between.
pub(crate) fn voyage() -> Vec<u8> {
    let mut file = Vec::new();
    service(&mut file, b"YDVR v04");
    for second in 0..120_u32 {
        let time = u16::try_from((59_000 + second * 1_000) % 60_000).expect("within the minute");
        let day = 43_200 + second;
        record(&mut file, time, 126_992, &[&[1, 0xf0, 0x42, 0x4c][..], &(day * 10_000).to_le_bytes()].concat());
        record(&mut file, time, 127_250, &[1, 2, 3, 4, 5, 6, 7, 8]);
        let mut fix = vec![1, 0x42, 0x4c];
        fix.extend((day * 10_000).to_le_bytes());
        fix.extend(
            (54.5_f64 * 1e16 + f64::from(second) * 1e11)
                .round()
                .to_string()
                .parse::<i64>()
                .expect("a number")
                .to_le_bytes(),
        );
        fix.extend((-0.5_f64 * 1e16).to_string().parse::<i64>().expect("a number").to_le_bytes());
        fix.extend(2_500_000_i64.to_le_bytes());
        fix.extend([0x10, 0xfc, 9, 90, 0, 160, 0]);
        fix.extend(4_620_i32.to_le_bytes());
        fix.push(0);
        fast(&mut file, time + 100, 129_029, &fix);
        fast(&mut file, time + 110, 127_489, &[0; 26]);
        record(&mut file, time + 120, 59_904, &[0x14, 0xf0, 1]);
        record(&mut file, time + 500, 128_267, &[&[1][..], &(1_200 + second).to_le_bytes(), &[0, 0, 20]].concat());
    }
    file
}

#[test]
fn a_voyage_recorder_s_messages_are_packets_of_a_logger() {
    let file = voyage();
    assert_eq!(sniff(&file[..4_096], "0001.DAT"), "ydvr");
    assert_eq!(sniff(&file[14..4_096], "without its first record"), "ydvr");
    let mut log = Log::new(&file, Recorder::of(&file));
    let packets: Vec<Packet<'_>> = log.by_ref().map(|record| record.packet).collect();
    assert_eq!((packets.len(), log.account().findings.len()), (360, 0));
    let Packet::SystemTime { stamp, .. } = packets[0] else { panic!("{:?}", packets[0]) };
    assert_eq!((stamp.date, stamp.time, stamp.elapsed), (19_522, 43_200.0, 59_000));
    let Packet::Gnss { fix, stamp } = packets[4] else { panic!("{:?}", packets[4]) };
    assert!((fix.latitude - 54.500_01).abs() < 1e-9 && (fix.longitude + 0.5).abs() < 1e-9);
    assert_eq!((fix.method, fix.receiver, fix.satellites, stamp.elapsed), (1, 0, 9, 100));
    assert!((fix.hdop - 0.9).abs() < 1e-9 && (fix.separation - 46.2).abs() < 1e-9);
    let Packet::Depth { depth, range, .. } = packets[5] else { panic!("{:?}", packets[5]) };
    assert!((depth - 12.01).abs() < 1e-9 && (range - 200.0).abs() < 1e-9);
}

#[test]
fn damage_in_a_voyage_recorder_s_file_costs_what_it_covers() {
    let mut file = voyage();
    let middle = file.len() / 2;
    file[middle..middle + 700].fill(0xff);
    let end = file.len() - 5;
    file.truncate(end);
    let mut log = Log::new(&file, Recorder::Ydvr);
    let packets = log.by_ref().count();
    assert!((330..358).contains(&packets), "{packets}");
    let account = log.account();
    assert!(account.count(Code::Damaged) >= 1 && account.count(Code::Cut) == 1, "{account:?}");
    let covered: u64 = account.findings.iter().map(|finding| finding.bytes).sum();
    assert!((700..1_200).contains(&covered), "{covered}");
    assert_eq!(Recorder::Ydvr.unread_version(b"\0\0\xff\xff\xff\xffYDVR v05\0"), Some("YDVR v05"));
    assert_eq!(Recorder::Ydvr.unread_version(&file), None);
}

proptest! {
    #[test]
    fn no_bytes_stop_a_log_and_all_are_accounted_for(bytes in proptest::collection::vec(any::<u8>(), 0..4_000), which in 0..3_usize) {
        let recorder = [Recorder::Wibl, Recorder::Ydvr, Recorder::Nmea0183][which];
        let mut log = Log::new(&bytes, recorder);
        let mut last = None;
        for record in log.by_ref() {
            prop_assert!(last.is_none_or(|last| record.offset > last) && record.offset < bytes.len());
            last = Some(record.offset);
        }
        let _ = Recorder::of(&bytes);
        let covered: u64 = log.account().findings.iter().map(|finding| finding.bytes).sum();
        prop_assert!(covered <= bytes.len() as u64);
    }

    #[test]
    fn a_spoiled_byte_never_costs_more_than_a_few_packets(at in 14..10_000_usize, byte in any::<u8>()) {
        let mut file = voyage();
        let at = at.min(file.len() - 1);
        file[at] = byte;
        let found = Log::new(&file, Recorder::Ydvr).count();
        // Where it becomes a length, up to 255 bytes that follow are taken along: of records of twelve and more some twenty.
        prop_assert!((334..=362).contains(&found), "{found}");
    }
}
