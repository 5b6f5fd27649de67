//! Files of Yacht Devices' voyage recorders (YDVR-04, `.DAT`, records of version 04): messages of NMEA 2000 as they came over
//! the bus, `u16 milliseconds within the minute | u32 CAN id | data`.
//!
//! How long the data are follows from the message: a service record and most messages have 8 bytes, a request 3, and those
//! that are sent as several frames begin with a sequence and their length. Nothing marks where a record begins, so a record
//! is believed if another one follows it; where that is not so, the next place is looked for where several do.

use super::account::{Account, Code, Finding};
use super::pgn;
use super::reader::Record;

const HEADER: usize = 6;

/// The CAN id of records of the recorder itself.
const SERVICE: u32 = u32::MAX;

/// What the first record of a file says.
const TEXT: &[u8] = b"YDVR v0";

/// So many records in a row are no chance.
const SURE: usize = 6;

/// So many make a file one of a recorder, if its first record does not say so.
const BEGIN: usize = 24;

/// A walk through the records of a file.
#[derive(Debug, Clone)]
pub(super) struct Ydvr<'a> {
    bytes: &'a [u8],
    at: usize,
    account: Account,
}

/// A record: when, what, and where its data are.
struct Message<'a> {
    time: u16,
    /// `None`: of the recorder itself.
    pgn: Option<u32>,
    /// Address of the device that sent it.
    sender: u8,
    data: &'a [u8],
    end: usize,
}

fn header(bytes: &[u8], at: usize) -> Option<(u16, u32)> {
    let header: &[u8; HEADER] = bytes.get(at..)?.first_chunk()?;
    Some((u16::from_le_bytes([header[0], header[1]]), u32::from_le_bytes([header[2], header[3], header[4], header[5]])))
}

/// True if a record could begin here, or the file ends.
fn could_begin(bytes: &[u8], at: usize) -> bool {
    at == bytes.len() || header(bytes, at).is_some_and(|(time, id)| time < 60_000 && (id >> 29 == 0 || id == SERVICE))
}

/// The record of a given length of data, if it is whole.
fn message(bytes: &[u8], at: usize, is_fast: bool) -> Option<Message<'_>> {
    let (time, id) = header(bytes, at)?;
    let data = &bytes[at + HEADER..];
    if id == SERVICE {
        return Some(Message { time, pgn: None, sender: 0, data: data.get(..8)?, end: at + HEADER + 8 });
    }
    let pgn = pgn::of_can(id);
    let (skip, length) = match () {
        () if is_fast => (2, usize::from(*data.get(1)?)),
        () if pgn == pgn::REQUEST => (0, 3),
        () => (0, 8),
    };
    let data = data.get(skip..skip + length)?;
    let [sender, ..] = id.to_le_bytes();
    Some(Message { time, pgn: Some(pgn), sender, data, end: at + HEADER + skip + length })
}

/// The record that begins here, if one could begin behind it. A message that is not known to be sent as several frames may
/// be, and the other way round.
fn record(bytes: &[u8], at: usize) -> Option<Message<'_>> {
    if !could_begin(bytes, at) {
        return None;
    }
    let (_, id) = header(bytes, at)?;
    let is_fast = id != SERVICE && pgn::is_fast(pgn::of_can(id));
    let fits = |is_fast: bool| message(bytes, at, is_fast).filter(|message| could_begin(bytes, message.end));
    fits(is_fast).or_else(|| fits(!is_fast))
}

/// True if so many records follow each other from here on, or up to the end.
fn is_chain(bytes: &[u8], mut at: usize, records: usize) -> bool {
    for _ in 0..records {
        if at == bytes.len() {
            break;
        }
        let Some(record) = record(bytes, at) else { return false };
        at = record.end;
    }
    true
}

/// True if a content begins as a recorder writes it.
pub(super) fn detects(head: &[u8]) -> bool {
    let says_so = header(head, 0).is_some_and(|(_, id)| id == SERVICE) && head[HEADER..].starts_with(TEXT);
    // Without its first record: many in a row, and one of them is of the kind that loggers of depths are for.
    says_so || (head.len() > BEGIN * 14 && is_chain(head, 0, BEGIN) && Ydvr::new(head).next().is_some())
}

/// The version that the first record tells, if it is not 04.
pub(super) fn other_version(head: &[u8]) -> Option<&str> {
    let text = head.get(HEADER..HEADER + 8).filter(|text| text.starts_with(TEXT))?;
    std::str::from_utf8(text).ok().filter(|text| !text.ends_with('4'))
}

impl<'a> Ydvr<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, account: Account::default() }
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    fn leave_out(&mut self, code: Code, id: u32, end: usize) {
        let finding = Finding { code, offset: self.at as u64, bytes: (end - self.at) as u64, id };
        self.account.record(finding);
        self.at = end;
    }

    fn pass_damage(&mut self) {
        let next = (self.at + 1..self.bytes.len()).find(|at| is_chain(self.bytes, *at, SURE));
        match next {
            Some(next) => self.leave_out(Code::Damaged, 0, next),
            None => {
                let is_cut = could_begin(self.bytes, self.at) || self.bytes.len() - self.at < HEADER;
                self.leave_out(if is_cut { Code::Cut } else { Code::Damaged }, 0, self.bytes.len());
            }
        }
    }
}

impl<'a> Iterator for Ydvr<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        while self.at < self.bytes.len() {
            let Some(message) = record(self.bytes, self.at) else {
                self.pass_damage();
                continue;
            };
            let Some(pgn) = message.pgn.filter(|pgn| pgn::packet_id(*pgn).is_some()) else {
                // Most of what is said on a bus is about other things.
                self.at = message.end;
                continue;
            };
            match pgn::decode(pgn, message.data, u32::from(message.time)) {
                pgn::Decoded::Packet(packet) => {
                    let offset = std::mem::replace(&mut self.at, message.end);
                    self.account.packets += 1;
                    return Some(Record { offset, packet, sender: Some(message.sender), is_cut: false });
                }
                pgn::Decoded::NotOurs => self.at = message.end,
                pgn::Decoded::TooShort => {
                    self.leave_out(Code::WrongSize, pgn::packet_id(pgn).unwrap_or(0), message.end);
                }
            }
        }
        None
    }
}
