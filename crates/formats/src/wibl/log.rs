//! Files of any recorder, as packets of a WIBL logger: what follows need not know who wrote them.

use super::account::Account;
use super::lines::{self, Lines};
use super::reader::{Framing, Reader, Record};
use super::ydvr::{self, Ydvr};

/// Who wrote a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorder {
    /// A WIBL logger, or a converter to its format.
    Wibl,
    /// A voyage recorder of Yacht Devices: NMEA 2000.
    Ydvr,
    /// Whoever writes sentences of NMEA 0183 line by line: TeamSurv's loggers, and many programs.
    Nmea0183,
}

/// Bytes of a file that tell its recorder.
const HEAD: usize = 64 << 10;

impl Recorder {
    /// Tells it by the first bytes; whatever is nothing else is taken for a WIBL file, which may be damaged at its begin.
    pub fn of(head: &[u8]) -> Self {
        let head = &head[..head.len().min(HEAD)];
        match () {
            () if super::detects(head) => Self::Wibl,
            () if ydvr::detects(head) => Self::Ydvr,
            () if lines::detects(head) => Self::Nmea0183,
            () => Self::Wibl,
        }
    }

    /// The version that a file says it has, if it is one that cannot be read.
    pub fn unread_version(self, head: &[u8]) -> Option<&str> {
        if self == Self::Ydvr { ydvr::other_version(head) } else { None }
    }

    /// What it is called, for people and for `providerLogger`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wibl => "WIBL",
            Self::Ydvr => "YDVR",
            Self::Nmea0183 => "NMEA 0183 log",
        }
    }
}

/// Walks a file's bytes, past damage, whoever wrote them.
#[derive(Debug, Clone)]
pub struct Log<'a>(Walk<'a>);

#[derive(Debug, Clone)]
enum Walk<'a> {
    Wibl(Reader<'a>),
    Ydvr(Ydvr<'a>),
    Nmea0183(Lines<'a>),
}

impl<'a> Log<'a> {
    /// A reader of a file's bytes, from its begin.
    pub fn new(bytes: &'a [u8], recorder: Recorder) -> Self {
        Self(match recorder {
            Recorder::Wibl => Walk::Wibl(Reader::new(bytes, Framing::Resync)),
            Recorder::Ydvr => Walk::Ydvr(Ydvr::new(bytes)),
            Recorder::Nmea0183 => Walk::Nmea0183(Lines::new(bytes)),
        })
    }

    /// What was met so far.
    pub fn account(&self) -> &Account {
        match &self.0 {
            Walk::Wibl(reader) => reader.account(),
            Walk::Ydvr(reader) => reader.account(),
            Walk::Nmea0183(reader) => reader.account(),
        }
    }
}

impl<'a> Iterator for Log<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        match &mut self.0 {
            Walk::Wibl(reader) => reader.next(),
            Walk::Ydvr(reader) => reader.next(),
            Walk::Nmea0183(reader) => reader.next(),
        }
    }
}
