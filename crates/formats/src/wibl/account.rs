//! Where every byte went that was not handed out as a packet.

use std::collections::BTreeMap;

/// Findings that are kept one by one; their counts are exact beyond it.
pub const MAX_FINDINGS: usize = 1000;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A packet whose id nobody knows, left out by its length.
    Unknown,
    /// A packet whose size is not that of its id, left out by its length.
    WrongSize,
    /// Bytes that are no packets, up to where packets follow each other again.
    Damaged,
    /// The file ends within a packet.
    Cut,
}

impl Code {
    /// In a few words.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Unknown => "a packet of an unknown type",
            Self::WrongSize => "a packet of the wrong size",
            Self::Damaged => "bytes that are no packets",
            Self::Cut => "a packet that the end of the file cuts short",
        }
    }
}

/// Something that was not handed out, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub code: Code,
    /// Byte of the file where it begins, counted from 0.
    pub offset: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// The id found there.
    pub id: u32,
}

/// What a [`super::Reader`] has met so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Packets that were handed out.
    pub packets: u64,
    /// How often each code was found.
    pub counts: BTreeMap<Code, u64>,
    /// The first [`MAX_FINDINGS`] findings.
    pub findings: Vec<Finding>,
}

impl Account {
    pub(super) fn record(&mut self, finding: Finding) {
        *self.counts.entry(finding.code).or_default() += 1;
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        }
    }

    /// How often `code` was found.
    pub fn count(&self, code: Code) -> u64 {
        self.counts.get(&code).copied().unwrap_or(0)
    }
}
