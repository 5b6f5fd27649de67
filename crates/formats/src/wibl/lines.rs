//! Logs of NMEA 0183, a sentence a line, as TeamSurv's loggers and many programs write them. There is no counter: every packet
//! is stamped 0, and the sentences that tell the time are all that places it.
//!
//! Kept is what begins with `$` and has a checksum; whether it is right is for whoever takes the sentence apart. Tag blocks
//! before the sentence (`\…\`) are passed over, and so are AIS (`!`), comments and empty lines. Line ends may be any.

use super::account::{Account, Code, Finding};
use super::packet::Packet;
use super::reader::Record;
use crate::nmea0183::Sentence;

/// Longer lines are no sentences (82 by the standard).
const LONGEST: usize = 1_024;

/// Of so many lines at the begin, most must be sentences.
const LOOKED_AT: usize = 40;

/// A walk through the lines of a log.
#[derive(Debug, Clone)]
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    account: Account,
}

/// The line that begins here, without its end, and where the next one begins.
fn line(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
    let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
    Some((&rest[..length], at + length + 1))
}

/// The sentence of a line, behind its tag block if it has one.
fn sentence(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    match line.strip_prefix(b"\\").and_then(|rest| Some(&rest[memchr::memchr(b'\\', rest)? + 1..])) {
        Some(behind) => behind.trim_ascii_start(),
        None => line,
    }
}

/// True if most of the first lines are sentences whose checksum is right, three at least.
pub(super) fn detects(head: &[u8]) -> bool {
    let (mut at, mut lines, mut sentences) = (0, 0, 0);
    while let Some((line, next)) = line(head, at) {
        at = next;
        let text = sentence(line);
        // The last line may be cut by the end of the head.
        if text.is_empty() || next > head.len() {
            continue;
        }
        lines += 1;
        let is_ais = text.starts_with(b"!");
        let is_right = || Sentence::parse(text).is_ok_and(|sentence| sentence.has_checksum);
        sentences += usize::from(is_ais || text.starts_with(b"$") && is_right());
        if lines == LOOKED_AT {
            break;
        }
    }
    sentences >= 3 && sentences * 2 > lines
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, account: Account::default() }
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        while let Some((line, next)) = line(self.bytes, self.at) {
            let offset = std::mem::replace(&mut self.at, next);
            let text = sentence(line);
            if !text.starts_with(b"$") && text.len() <= LONGEST {
                continue;
            }
            let has_checksum = memchr::memrchr(b'*', text).is_some_and(|star| star + 3 == text.len());
            if has_checksum && text.len() <= LONGEST {
                self.account.packets += 1;
                return Some(Record {
                    offset,
                    packet: Packet::Sentence { elapsed: 0, text },
                    sender: None,
                    is_cut: false,
                });
            }
            let code = if next > self.bytes.len() { Code::Cut } else { Code::Damaged };
            self.account.record(Finding { code, offset: offset as u64, bytes: line.len() as u64, id: 10 });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &[u8] =
        b"# a log\r\n$GPZDA,120000.00,14,06,2023,00,00*65\r\n\\s:GP,c:1*47\\$SDDBT,39.39,f,12.01,M,6.56,F*31\r\n\
        !AIVDM,1,1,,A,x,0*00\n$SDDBT,39.39,f,12.01\r\n$SDDBT,39.39,f,12.01,M,6.56,F*31\n$SDDBT,39.3";

    #[test]
    fn sentences_are_found_behind_tag_blocks_and_any_line_end() {
        let mut lines = Lines::new(LOG);
        let found: Vec<(usize, &[u8])> = lines
            .by_ref()
            .map(|record| match record.packet {
                Packet::Sentence { elapsed: 0, text } => (record.offset, text),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|(_, text)| Sentence::parse(text).is_ok()), "{found:?}");
        assert_eq!(found[0].0, 9);
        let account = lines.account();
        assert_eq!((account.count(Code::Damaged), account.count(Code::Cut)), (1, 1));
        assert_eq!(account.findings[1].offset, LOG.len() as u64 - 11);
    }

    #[test]
    fn a_log_is_told_from_other_text() {
        assert!(detects(LOG));
        assert!(!detects(b"a,b,c\n1,2,3\n$4,5,6\n"));
        assert!(!detects(b"$SDDBT,39.39,f,12.01,M,6.56,F*31\n"));
        assert!(!detects(b""));
        let wrong = b"$SDDBT,39.39,f,12.01,M,6.56,F*32\n".repeat(10);
        assert!(!detects(&wrong));
    }
}
