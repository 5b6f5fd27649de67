//! What was left out of a file: faults one by one for people, and all by counts for the lineage. A sounder that has lost
//! the bottom, a receiver without a fix, and the first and last second of a file are no faults: they are only counted.

use serde_json::{Map, Value};
use tidegate_engine::Outcome;
use tidegate_formats::wibl::{Account, Code};
use tidegate_model::Place;
use tidegate_stores::Reject;

/// What was left out, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    UnknownPacket,
    WrongSize,
    Damaged,
    Cut,
    Sentence,
    Time,
    Position,
    Depth,
    Unstamped,
    Metadata,
    Request,
    NoTime,
    NoFix,
    NoDepth,
    WithoutTime,
    WithoutPosition,
}

impl What {
    const ALL: [Self; 16] = [
        Self::UnknownPacket,
        Self::WrongSize,
        Self::Damaged,
        Self::Cut,
        Self::Sentence,
        Self::Time,
        Self::Position,
        Self::Depth,
        Self::Unstamped,
        Self::Metadata,
        Self::Request,
        Self::NoTime,
        Self::NoFix,
        Self::NoDepth,
        Self::WithoutTime,
        Self::WithoutPosition,
    ];

    /// Those that are only counted, with what they are called in a note.
    const QUIET: [(Self, &'static str); 5] = [
        (Self::NoTime, "times not available"),
        (Self::NoFix, "positions without a fix"),
        (Self::NoDepth, "depths not available"),
        (Self::WithoutTime, "depths at which nothing told the time"),
        (Self::WithoutPosition, "depths at which nothing told the position"),
    ];

    fn is_fault(self) -> bool {
        Self::QUIET.iter().all(|(quiet, _)| *quiet != self)
    }

    /// Code, name in the lineage, and reason.
    fn told(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::UnknownPacket => ("R0520", "unknownPackets", "a packet of an unknown type"),
            Self::WrongSize => ("R0521", "packetsOfWrongSize", "a packet whose size is not that of its type"),
            Self::Damaged => ("R0522", "damagedStretches", "bytes that are no packets"),
            Self::Cut => ("R0523", "packetsCutShort", "a packet that the end of the file cuts short"),
            Self::Sentence => ("R0524", "unreadableSentences", "a sentence that cannot be read"),
            Self::Time => {
                ("R0525", "impossibleTimes", "a time that is none, or not between 2000 and the file's arrival")
            }
            Self::Position => ("R0525", "impossiblePositions", "a position that is none, or not on the globe"),
            Self::Depth => ("R0525", "impossibleDepths", "a depth that is none, or not between 0 and 11,000 m"),
            Self::Unstamped => ("R0525", "packetsWithoutCounter", "a packet whose counter says not available"),
            Self::NoTime => ("", "timesNotAvailable", ""),
            Self::NoFix => ("", "positionsWithoutFix", ""),
            Self::NoDepth => ("", "depthsNotAvailable", ""),
            Self::WithoutTime => ("", "depthsWithoutTime", ""),
            Self::WithoutPosition => ("", "depthsWithoutPosition", ""),
            Self::Metadata => ("R0526", "unusableMetadata", "metadata that cannot be used"),
            Self::Request => ("R0527", "unknownRequests", "a request for an algorithm that nobody knows"),
        }
    }
}

/// Counts of all, and the first ones.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: [u64; What::ALL.len()],
    rejects: Vec<Reject>,
}

impl Tally {
    /// Everything that the reader left out.
    pub(super) fn of(account: &Account) -> Self {
        let mut tally = Self::default();
        let what = |code: Code| match code {
            Code::Unknown => What::UnknownPacket,
            Code::WrongSize => What::WrongSize,
            Code::Damaged => What::Damaged,
            Code::Cut => What::Cut,
        };
        for finding in &account.findings {
            let told = what(finding.code).told();
            let name = tidegate_formats::wibl::name(finding.id);
            let reason = match finding.code {
                Code::Damaged => format!("{} bytes that are no packets", finding.bytes),
                Code::Unknown => format!("{} ({}), {} bytes", told.2, finding.id, finding.bytes),
                Code::WrongSize | Code::Cut => format!("{} ({name})", told.2),
            };
            tally.keep(told.0, Some(finding.offset), reason);
        }
        for (code, count) in &account.counts {
            tally.counts[what(*code) as usize] = *count;
        }
        tally
    }

    /// One thing at a byte of the file.
    pub(super) fn add(&mut self, what: What, byte: u64) {
        self.add_for(what, Some(byte), what.told().2);
    }

    /// One thing with a reason of its own.
    pub(super) fn add_for(&mut self, what: What, byte: Option<u64>, reason: &str) {
        self.counts[what as usize] += 1;
        if what.is_fault() && self.rejects.len() < Outcome::KEPT_REJECTS {
            self.keep(what.told().0, byte, reason.to_owned());
        }
    }

    fn keep(&mut self, code: &str, byte: Option<u64>, reason: String) {
        let place = Place { byte, ..Place::default() };
        self.rejects.push(Reject { place, code: code.to_owned(), reason });
    }

    pub(super) fn count(&self, what: What) -> u64 {
        self.counts[what as usize]
    }

    /// The counts that are not 0, by their names in the lineage.
    pub(super) fn lineage(&self) -> Map<String, Value> {
        let counts = What::ALL.into_iter().map(|what| (what.told().1.to_owned(), self.count(what)));
        counts.filter(|(_, count)| *count > 0).map(|(name, count)| (name, Value::from(count))).collect()
    }

    /// What was only counted, for a note; empty if there is nothing.
    pub(super) fn note(&self) -> String {
        let counted = What::QUIET.iter().map(|(what, name)| (self.count(*what), name)).filter(|(count, _)| *count > 0);
        counted.map(|(count, name)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
    }

    /// The first faults in the order of the file, and how many there are.
    pub(super) fn finish(mut self) -> (Vec<Reject>, u64) {
        self.rejects.sort_by_key(|reject| reject.place.byte);
        self.rejects.truncate(Outcome::KEPT_REJECTS);
        let faults = What::ALL.into_iter().filter(|what| what.is_fault());
        let faults = faults.map(|what| self.counts[what as usize]).sum();
        (self.rejects, faults)
    }
}
