//! WHP-Exchange: real cruises come to what two independent readers say, faulty files to the truth, and nothing panics.

mod archives;
mod convert;
mod faults;
mod forms;
mod real;

use std::io::Cursor;

use tidegate_formats::Error;
use tidegate_formats::exchange::{self, Options};
use tidegate_formats::statistics::Statistics;

/// What any content comes to, as one thread and several see it.
fn statistics(bytes: &[u8], name: &str) -> Result<Statistics, Error> {
    if tidegate_formats::sniff(bytes, name) != "zip" {
        return exchange::bottle_or_cast(bytes, name);
    }
    let read = |threads| exchange::archive(&|| Cursor::new(bytes), name, &Options { threads, cancelled: &|| false });
    let one = read(1);
    if let Ok(one) = &one {
        assert_eq!(&read(3).expect("the same"), one);
    }
    one
}

/// The names of findings, in order.
fn codes(statistics: &Statistics) -> Vec<&'static str> {
    let mut codes: Vec<&str> = statistics.findings.tallies.keys().map(|(code, _)| code.name()).collect();
    codes.dedup();
    codes
}

/// A zip archive of these members, deflated.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).expect("memory");
        let packed = encoder.finish().expect("memory");
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let size = |length: usize| u32::try_from(length).expect("small").to_le_bytes();
        let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
        common.extend(crc.sum().to_le_bytes());
        common.extend(size(packed.len()));
        common.extend(size(content.len()));
        common.extend(u16::try_from(name.len()).expect("short").to_le_bytes());
        common.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(size(bytes.len()));
        directory.extend(name.as_bytes());
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(packed);
    }
    let count = u16::try_from(members.len()).expect("few").to_le_bytes();
    let offset = u32::try_from(bytes.len()).expect("small").to_le_bytes();
    let length = u32::try_from(directory.len()).expect("small").to_le_bytes();
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
    bytes.extend([count, count].concat());
    bytes.extend(length);
    bytes.extend(offset);
    bytes.extend([0, 0]);
    bytes
}
