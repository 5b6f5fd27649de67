//! The number that the review script this replaces reports: how many lines its way of cutting a file leaves.
//!
//! It drops the first line and comments, takes the second of what remains for units and the last for `END_DATA`, whatever
//! they are, and hands the rest to a CSV parser, the first line as its header. That miscounts in ways users may rely on,
//! so it is repeated exactly, beside the true number.

/// Which of the script's two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A bottle file: every line counts.
    Bottle,
    /// A cast: lines with an equals sign are left out as headers.
    Cast,
}

/// Counts as the script does, line by line.
#[derive(Debug, Clone)]
pub(crate) struct Seed {
    way: Way,
    /// Pieces of lines so far.
    pieces: u64,
    /// Pieces that the script keeps.
    kept: u64,
    failed: bool,
    /// The last kept piece, which only counts once another follows.
    pending: Vec<u8>,
    pending_fields: Option<usize>,
    rows: Rows,
}

/// The CSV parser's side: rows, their width, and quotes that are open.
#[derive(Debug, Clone, Default)]
struct Rows {
    /// Header and data rows.
    count: u64,
    width: usize,
    /// Fields of a row whose quoted field goes on in the next line.
    open: Option<usize>,
}

/// Bytes at which Python ends a line of Latin-1 text, besides LF and CR LF.
fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\r' | 0x0b | 0x0c | 0x1c..=0x1e | 0x85)
}

/// Whether a line needs a closer look, and how many commas it has. Each question by itself, as the compiler then asks it of
/// many bytes at once.
fn look(line: &[u8]) -> (bool, usize) {
    let least = line.iter().fold(u8::MAX, |least, byte| least.min(*byte));
    let is_odd = least < b' ' || memchr::memchr2(b'"', 0x85, line).is_some();
    // A byte counts up to 255.
    let count = |part: &[u8]| part.iter().fold(0_u8, |count, byte| count + u8::from(*byte == b','));
    (is_odd, line.chunks(255).map(|part| usize::from(count(part))).sum())
}

impl Seed {
    pub(crate) fn new(way: Way) -> Self {
        Self {
            way,
            pieces: 0,
            kept: 0,
            failed: false,
            pending: Vec::new(),
            pending_fields: None,
            rows: Rows::default(),
        }
    }

    /// Takes the next line, without its end.
    #[inline]
    pub(crate) fn line(&mut self, line: &[u8]) {
        if self.failed {
            return;
        }
        let (is_odd, commas) = look(line);
        if !is_odd {
            return self.piece(line, Some(commas + 1));
        }
        // An end of line that is followed by the line's own end begins a piece of its own, as it does in Python.
        for piece in line.split(|byte| ends_line(*byte)) {
            self.piece(piece, None);
        }
    }

    fn piece(&mut self, piece: &[u8], fields: Option<usize>) {
        self.pieces += 1;
        if self.pieces == 1 {
            return;
        }
        let Some(first) = piece.first() else {
            self.failed = true;
            return;
        };
        if *first == b'#' || (self.way == Way::Cast && memchr::memchr(b'=', piece).is_some()) {
            return;
        }
        self.kept += 1;
        if self.kept == 2 {
            return;
        }
        if self.kept > 1 {
            self.flush();
        }
        self.pending_fields = fields.filter(|_| !piece.trim_ascii().is_empty());
        if self.pending_fields.is_none() {
            self.pending.clear();
            self.pending.extend_from_slice(piece);
        }
    }

    /// The pending piece is not the last: it goes to the parser.
    fn flush(&mut self) {
        match self.pending_fields {
            Some(fields) if self.rows.open.is_none() => self.rows.end(fields, &mut self.failed),
            // A quoted field is open, and this line has no quote that could close it.
            Some(_) => {}
            None => self.rows.line(&self.pending, &mut self.failed),
        }
    }

    /// The number; `None` where the script fails.
    pub(crate) fn finish(self) -> Option<u64> {
        let is_readable = !self.failed && self.kept >= 3 && self.rows.open.is_none();
        self.rows.count.checked_sub(1).filter(|_| is_readable)
    }
}

impl Rows {
    /// Takes a line that needs a closer look.
    fn line(&mut self, line: &[u8], failed: &mut bool) {
        let mut fields = self.open.unwrap_or(1);
        let mut is_quoted = self.open.take().is_some();
        if !is_quoted && line.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            return;
        }
        let mut begins = !is_quoted;
        let mut bytes = line.iter().peekable();
        while let Some(byte) = bytes.next() {
            match (*byte, is_quoted) {
                (b'"', true) if bytes.peek() == Some(&&b'"') => {
                    bytes.next();
                }
                (b'"', true) => is_quoted = false,
                (b'"', false) if begins => is_quoted = true,
                (b',', false) => {
                    fields += 1;
                    begins = true;
                    continue;
                }
                _ => {}
            }
            begins = false;
        }
        if is_quoted {
            self.open = Some(fields);
        } else {
            self.end(fields, failed);
        }
    }

    /// A row is complete. The header and the first row set the width; a later row may be shorter, not longer.
    fn end(&mut self, fields: usize, failed: &mut bool) {
        self.count += 1;
        if self.count <= 2 {
            self.width = self.width.max(fields);
        } else if fields > self.width {
            *failed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(way: Way, text: &str) -> Option<u64> {
        let mut seed = Seed::new(way);
        text.lines().for_each(|line| seed.line(line.as_bytes()));
        seed.finish()
    }

    #[test]
    fn second_and_last_line_are_lost_whatever_they_are() {
        assert_eq!(count(Way::Bottle, "BOTTLE\n#c\nA,B\nX,Y\n1,2\n3,4\nEND_DATA\n"), Some(2));
        assert_eq!(count(Way::Bottle, "BOTTLE\nA,B\n1,2\n3,4\n5,6\n"), Some(1));
        assert_eq!(count(Way::Bottle, "BOTTLE\nA,B\nX,Y\n1,2\nEND_DATA\nmore\nmore\n"), Some(3));
        assert_eq!(count(Way::Bottle, "a,b\n1,2\n3,4\n5,6\n"), Some(0));
    }

    #[test]
    fn it_fails_where_the_script_fails() {
        for text in
            ["", "a", "a\nb", "a\nb\nc", "BOTTLE\nA,B\nX,Y\n\n1,2\nEND_DATA", "B\nA,B\nX,Y\n1,2\n1,2,3\nEND_DATA"]
        {
            assert_eq!(count(Way::Bottle, text), None, "{text:?}");
        }
    }

    #[test]
    fn the_first_row_may_be_wider_than_the_header() {
        assert_eq!(count(Way::Bottle, "B\nA\nX,Y\n1,2\n1,2\n3\nEND_DATA"), Some(3));
        assert_eq!(count(Way::Bottle, "B\nA,B\nX,Y\n1\n1,2,3\nEND_DATA"), None);
    }

    #[test]
    fn headers_of_casts_are_told_by_their_equals_sign() {
        assert_eq!(count(Way::Cast, "CTD\nA = 1\nP\nDBAR\n1\n= 2\n3\nEND_DATA"), Some(2));
    }

    #[test]
    fn a_letter_can_end_a_line() {
        let mut seed = Seed::new(Way::Bottle);
        for line in [&b"BOTTLE"[..], b"#\xc3\x85sa, ship", b"A,B", b"X,Y", b"1,2", b"3,4", b"END_DATA"] {
            seed.line(line);
        }
        assert_eq!(seed.finish(), Some(3));
    }

    #[test]
    fn quoted_fields_join_lines() {
        assert_eq!(count(Way::Bottle, "B\nA,B\nX,Y\n\"1\n2\",3\n4,5\nEND_DATA"), Some(2));
        assert_eq!(count(Way::Bottle, "B\nA,B\nX,Y\n\"1\n2,3\n4,5\nEND_DATA"), None);
    }
}
