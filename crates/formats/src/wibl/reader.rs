//! From packet to packet through a file's bytes, and past what is damaged.
//!
//! Time is linear in the size of the file, whatever is in it: every step goes forward, a look ahead takes a bounded
//! number of headers, and a search begins where the one before ended.

use super::account::{Account, Code, Finding};
use super::decode::{Fit, decode, fit, u32_at};
use super::packet::Packet;

const HEADER: usize = 8;

/// How many packets in a row may be strange before they count as damage.
const STRANGE_IN_A_ROW: usize = 64;

/// Ids of packets to come are small, and so are their packets: larger ones are damage.
const LARGEST_ID: u32 = 255;
const LONGEST_STRANGE: usize = 1 << 16;

/// How packets are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By their lengths alone: a wrong length swallows what follows.
    Plain,
    /// A length is believed if the packet is what it says it is, or if a packet follows it; else the next place where
    /// packets follow each other is looked for.
    Resync,
}

/// A packet, and where it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record<'a> {
    /// Byte of the file where its header begins.
    pub offset: usize,
    /// What it holds.
    pub packet: Packet<'a>,
    /// The device that sent it: its address on the bus of NMEA 2000, where the recorder keeps that. Loggers of WIBL do not.
    pub sender: Option<u8>,
    /// The file ends within it: only sentences are handed out then, and only by [`Framing::Plain`].
    pub is_cut: bool,
}

/// Walks a file's bytes. Whoever wants them again makes another one: a reader is cheap.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    framing: Framing,
    account: Account,
}

/// A header and what stands behind it.
struct Frame<'a> {
    id: u32,
    payload: &'a [u8],
    /// Where the packet ends; beyond the file if it is cut.
    end: usize,
    fit: Fit,
    is_whole: bool,
}

fn frame(bytes: &[u8], at: usize) -> Option<Frame<'_>> {
    let header = bytes.get(at..)?.get(..HEADER)?;
    let (id, length) = (u32_at(header, 0), u32_at(header, 4) as usize);
    let end = (at + HEADER).saturating_add(length);
    let payload = &bytes[at + HEADER..end.min(bytes.len())];
    Some(Frame { id, payload, end, fit: fit(id, length, payload), is_whole: end <= bytes.len() })
}

/// True if packets begin here, or the file ends. Strange ones are passed if a known one follows.
fn goes_on(bytes: &[u8], mut at: usize) -> bool {
    for _ in 0..STRANGE_IN_A_ROW {
        let Some(frame) = frame(bytes, at) else { return true };
        match frame.fit {
            Fit::Exact => return true,
            Fit::Loose => return frame.payload.len() < LONGEST_STRANGE,
            Fit::Wrong | Fit::Unknown => {}
        }
        if frame.id > LARGEST_ID || frame.payload.len() > LONGEST_STRANGE || !frame.is_whole {
            return false;
        }
        at = frame.end;
    }
    true
}

/// The first place from `from` on where a whole known packet begins and another follows it.
fn next_packet(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len().saturating_sub(HEADER)).find(|at| {
        // Ids are small: this leaves most places out at once.
        bytes[*at] < 32
            && bytes[at + 1..at + 4] == [0; 3]
            && frame(bytes, *at).is_some_and(|frame| {
                frame.fit == Fit::Exact && frame.is_whole && frame.end < bytes.len() && goes_on(bytes, frame.end)
            })
    })
}

/// True if the first three packets are known and of the right size.
pub(super) fn begins_with_packets(head: &[u8]) -> bool {
    let mut at = 0;
    (0..3).all(|_| {
        let found = frame(head, at).filter(|frame| frame.fit == Fit::Exact && frame.is_whole);
        at = found.as_ref().map_or(at, |frame| frame.end);
        found.is_some()
    })
}

impl<'a> Reader<'a> {
    /// A reader of a file's bytes, from its begin.
    pub fn new(bytes: &'a [u8], framing: Framing) -> Self {
        Self { bytes, at: 0, framing, account: Account::default() }
    }

    /// What was met so far.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The same, at the end.
    pub fn into_account(self) -> Account {
        self.account
    }

    fn leave_out(&mut self, code: Code, id: u32, end: usize) {
        let finding = Finding { code, offset: self.at as u64, bytes: (end - self.at) as u64, id };
        self.account.record(finding);
        self.at = end;
    }

    fn plain(&mut self, frame: &Frame<'a>) -> Option<Record<'a>> {
        let end = frame.end.min(self.bytes.len());
        let code = match frame.fit {
            Fit::Unknown => Code::Unknown,
            _ if frame.is_whole => Code::WrongSize,
            _ => Code::Cut,
        };
        match decode(frame.id, frame.payload) {
            Some(packet) => Some(self.take(packet, end, !frame.is_whole)),
            None => {
                self.leave_out(code, frame.id, end);
                None
            }
        }
    }

    fn resync(&mut self, frame: &Frame<'a>) -> Option<Record<'a>> {
        let is_sure = frame.is_whole && (frame.fit == Fit::Exact || goes_on(self.bytes, frame.end));
        if is_sure {
            if let Some(packet) = decode(frame.id, frame.payload) {
                return Some(self.take(packet, frame.end, false));
            }
            let code = if frame.fit == Fit::Unknown { Code::Unknown } else { Code::WrongSize };
            self.leave_out(code, frame.id, frame.end);
            return None;
        }
        match next_packet(self.bytes, self.at + 1) {
            Some(next) => self.leave_out(Code::Damaged, frame.id, next),
            None => {
                let is_cut = !frame.is_whole && matches!(frame.fit, Fit::Exact | Fit::Loose);
                let code = if is_cut { Code::Cut } else { Code::Damaged };
                self.leave_out(code, frame.id, self.bytes.len());
            }
        }
        None
    }

    fn take(&mut self, packet: Packet<'a>, end: usize, is_cut: bool) -> Record<'a> {
        let offset = std::mem::replace(&mut self.at, end);
        self.account.packets += 1;
        Record { offset, packet, sender: None, is_cut }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        loop {
            let Some(frame) = frame(self.bytes, self.at) else {
                if self.at < self.bytes.len() {
                    self.leave_out(Code::Cut, 0, self.bytes.len());
                }
                return None;
            };
            let record = match self.framing {
                Framing::Plain => self.plain(&frame),
                Framing::Resync => self.resync(&frame),
            };
            if record.is_some() {
                return record;
            }
        }
    }
}
