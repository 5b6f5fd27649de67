//! Hop 6: files of WIBL data loggers (versions 1.0 to 1.3, and what can be known of later ones), both ways.
//!
//! A file is a sequence of packets `u32 id | u32 length | payload`, little-endian and packed, without magic, index or
//! checksum. A [`Reader`] walks the file's bytes without copying them: what it hands out borrows from them. Packets that
//! nobody knows are left out by their length, damage is passed by looking for the next place where packets follow each
//! other again, and [`Account`] says of every byte that was not handed out where it is and why.
//!
//! [`Log`] reads the files of other recorders as the same packets: of Yacht Devices' voyage recorders (NMEA 2000), and logs of
//! NMEA 0183 line by line.
//!
//! The layouts are those of the logger's firmware and of its readers (WIBL project, Center for Coastal and Ocean Mapping,
//! University of New Hampshire).
//!
//! ```
//! use tidegate_formats::wibl::{Framing, Packet, Reader, Stamp};
//!
//! let mut file = Vec::new();
//! Packet::CURRENT_VERSION.write(&mut file);
//! let stamp = Stamp { date: 0, time: -1.0, elapsed: 5589 };
//! Packet::Depth { stamp, depth: 12.5, offset: 0.0, range: 200.0 }.write(&mut file);
//! let mut reader = Reader::new(&file, Framing::Resync);
//! assert!(matches!(reader.next().expect("a packet").packet, Packet::Version { major: 1, minor: 3, .. }));
//! let record = reader.next().expect("a packet");
//! assert_eq!((record.offset, record.packet.elapsed()), (30, Some(5589)));
//! assert!(reader.next().is_none() && reader.account().findings.is_empty());
//! ```

mod account;
mod decode;
mod encode;
mod lines;
mod log;
mod packet;
mod pgn;
mod reader;
mod simulate;
mod ydvr;

pub use account::{Account, Code, Finding, MAX_FINDINGS};
pub use log::{Log, Recorder};
pub use packet::{Fix, NOT_AVAILABLE, NOT_AVAILABLE_DATE, Packet, Stamp, name};
pub use reader::{Framing, Reader, Record};
pub use simulate::{Bus, Faults, Stretch, Voyage, Written};

/// The newest version of the format whose packets are all known, as `major * 1000 + minor`.
pub const NEWEST: u32 = 1003;

/// True if a content begins like a logger's file: with its version, or with packets in a row.
pub(crate) fn detects(head: &[u8]) -> bool {
    let begins =
        |size: u8| head.starts_with(&[0, 0, 0, 0, size, 0, 0, 0]) && head.get(8).is_some_and(|major| *major > 0);
    begins(16) || begins(22) || reader::begins_with_packets(head)
}
