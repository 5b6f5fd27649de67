//! Archives: members by what they are, damage told by member, and nothing that is made to hurt does.

use std::io::{Cursor, Read};

use proptest::prelude::*;
use tidegate_formats::Problem;
use tidegate_formats::zip::Archive;

use super::{codes, statistics, zip};

const CAST: &str = "CTD,20240101TEST\nNUMBER_HEADERS = 8\nEXPOCODE = 99ZZ\nSTNNBR = 1\nCASTNO = 2\nDATE = 20240101\n\
    TIME = 0930\nLATITUDE = -30.5\nLONGITUDE = 170.25\nCTDPRS,CTDPRS_FLAG_W,CTDTMP\nDBAR,,ITS-90\n2,2,17.95\n4.0,2,17.9\n\
    END_DATA\n";

fn cast(number: usize) -> Vec<u8> {
    CAST.replace("CASTNO = 2", &format!("CASTNO = {number}")).into_bytes()
}

#[test]
fn casts_are_added_whatever_they_are_called() {
    let casts: Vec<Vec<u8>> = (1..=20).map(cast).collect();
    let names: Vec<String> =
        (1..=20).map(|number| format!("sub/{number}.{}", ["csv", "CSV", "txt"][number % 3])).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(String::as_str).zip(casts.iter().map(Vec::as_slice)).collect();
    let found = statistics(&zip(&members), "a.zip").expect("an archive");
    assert_eq!((found.kind.as_str(), found.observations, found.members), ("CTD", 40, 20));
    assert!(codes(&found).is_empty());
    let sources: Vec<&str> = found.casts.iter().map(|cast| cast.source.as_str()).collect();
    assert_eq!(sources, names);
    // The script reads members called `.csv` alone.
    assert_eq!(found.observations_seed, Some(12));
    assert_eq!(statistics(&zip(&members), "a.ZIP").expect("an archive").observations_seed, None);
}

#[test]
fn a_member_that_cannot_be_read_is_told_and_the_others_count() {
    let inner = zip(&[("x.csv", &cast(1))]);
    let mut bytes = zip(&[("a.csv", &cast(1)), ("b.csv", b"CTD,x\nonly\n"), ("c.zip", &inner), ("d.csv", &cast(1))]);
    let found = statistics(&bytes, "a.zip").expect("an archive");
    assert_eq!((found.observations, found.observations_seed), (4, None));
    let refused: Vec<_> = found.refused.iter().map(|refused| (refused.member.as_deref(), refused.line)).collect();
    assert_eq!(refused, [(Some("b.csv"), Some(2)), (Some("c.zip"), None)]);
    assert_eq!(codes(&found), ["repeated-cast"]);

    // A byte of the first member's content turns over.
    bytes[50] ^= 0xff;
    let found = statistics(&bytes, "a.zip").expect("an archive");
    assert_eq!(found.observations, 2);
    assert!(found.refused[0].reason.contains("damaged"), "{:?}", found.refused);
}

#[test]
fn bottles_and_casts_together_are_told() {
    let bottle = "BOTTLE,20240101TEST\nEXPOCODE,STNNBR,CASTNO,SAMPNO,DATE,TIME,LATITUDE,LONGITUDE,CTDPRS\n\
        ,,,,,,,,DBAR\n99ZZ,1,1,1,20240101,0100,-30.5,179.9,5.5\nEND_DATA\n";
    let found = statistics(&zip(&[("a.csv", &cast(1)), ("b.csv", bottle.as_bytes())]), "a.zip").expect("an archive");
    assert_eq!((found.observations, found.casts.len(), codes(&found)), (3, 2, vec!["mixed-kinds"]));
}

#[test]
fn what_is_no_archive_of_casts_is_refused_with_its_reason() {
    let whole = zip(&[("a.csv", &cast(1))]);
    for (bytes, reason) in [
        (zip(&[]), "the archive is empty"),
        (zip(&[("a.txt", b"hello"), ("folder/", b"")]), "none of the 1 members is a cast"),
        (zip(&[("a.csv", b"hello\n")]), "it reads `hello`"),
        (whole[..whole.len() - 10].to_vec(), "its end is missing"),
        (whole[20..].to_vec(), "cut or damaged"),
    ] {
        let error = tidegate_formats::exchange::archive(
            &|| Cursor::new(bytes.as_slice()),
            "a.zip",
            &tidegate_formats::exchange::Options { threads: 1, cancelled: &|| false },
        );
        let error = error.expect_err("a refusal");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_bomb_is_refused_before_it_goes_off() {
    let zeros = vec![0; 1 << 20];
    let mut bytes = zip(&[("a.csv", &zeros)]);
    let directory = bytes.windows(4).position(|bytes| bytes == b"PK\x01\x02").expect("a directory");
    // Its size says 3 GB.
    bytes[directory + 24..directory + 28].copy_from_slice(&0xb000_0000_u32.to_le_bytes());
    let error = Archive::open(&mut Cursor::new(&bytes)).expect_err("a refusal");
    assert_eq!(error.problem, Problem::TooLarge);

    // One member's bytes are told a thousand times.
    let one = zip(&[("a.csv", &cast(1))]);
    let directory = one.windows(4).position(|bytes| bytes == b"PK\x01\x02").expect("a directory");
    let end = one.len() - 22;
    let mut many = one[..directory].to_vec();
    (0..1000).for_each(|_| many.extend(&one[directory..end]));
    let length = u32::try_from(many.len() - directory).expect("small");
    many.extend(&one[end..]);
    let at = many.len() - 22;
    many[at + 8..at + 12].copy_from_slice(&[0xe8, 3, 0xe8, 3]);
    many[at + 12..at + 16].copy_from_slice(&length.to_le_bytes());
    let error = Archive::open(&mut Cursor::new(&many)).expect_err("a refusal");
    assert!(error.message.contains("overlap"), "{error}");
}

#[test]
fn a_member_longer_or_shorter_than_announced_is_damaged() {
    for size in [100_u32, 5000] {
        let mut bytes = zip(&[("a.csv", &cast(1))]);
        let directory = bytes.windows(4).position(|bytes| bytes == b"PK\x01\x02").expect("a directory");
        bytes[directory + 24..directory + 28].copy_from_slice(&size.to_le_bytes());
        let mut source = Cursor::new(&bytes);
        let archive = Archive::open(&mut source).expect("an archive");
        let mut member = archive.member(&archive.entries[0], &mut source).expect("a member");
        let error = member.read_to_end(&mut Vec::new()).expect_err("damage");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    }
}

proptest! {
    #[test]
    fn any_damage_to_an_archive_is_read_or_refused(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in 0_usize..60,
    ) {
        let mut bytes = zip(&[("a.csv", &cast(1)), ("b.csv", &cast(2))]);
        for (at, with) in changes {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        bytes.truncate(bytes.len() - cut);
        let _ = tidegate_formats::exchange::archive(
            &|| Cursor::new(bytes.as_slice()),
            "a.zip",
            &tidegate_formats::exchange::Options { threads: 1, cancelled: &|| false },
        );
    }
}
