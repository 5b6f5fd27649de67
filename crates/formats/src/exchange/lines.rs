//! Lines of a content through one buffer: LF, CR LF, or CR alone if the first buffer has no LF.

use std::io::Read;

use memchr::memchr;

use crate::{Error, Problem};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 16;

/// Longest line.
const LONGEST: usize = 1 << 20;

/// Cuts a content into lines.
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    number: u64,
    last: (usize, usize),
    is_over: bool,
    separator: u8,
    /// A line ended in CR.
    pub(super) has_carriage_return: bool,
}

/// One line without its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'l> {
    pub(super) bytes: &'l [u8],
    /// From 1.
    pub(super) number: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            number: 0,
            last: (0, 0),
            is_over: false,
            separator: b'\n',
            has_carriage_return: false,
        }
    }

    /// The next line; `None` at the end. An end of line at the very end begins no further line.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, Error> {
        let mut searched = 0;
        loop {
            let waiting = &self.buffer[self.start..self.end];
            if let Some(at) = memchr(self.separator, &waiting[searched..]) {
                let length = searched + at;
                return Ok(Some(self.take(length, 1)));
            }
            searched = waiting.len();
            if self.is_over {
                return Ok((searched > 0).then(|| self.take(searched, 0)));
            }
            if searched > LONGEST {
                let message = format!("a line has more than {LONGEST} bytes");
                return Err(Error::new(Problem::TooLarge, message)
                    .at_line(self.number + 1)
                    .help("is it really text? a line of this format has some hundred bytes"));
            }
            self.fill()?;
        }
    }

    /// The line that [`Lines::next`] gave last.
    #[inline]
    pub(super) fn last(&self) -> &[u8] {
        &self.buffer[self.last.0..self.last.1]
    }

    /// Lines so far.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    #[inline]
    fn take(&mut self, length: usize, separator: usize) -> Line<'_> {
        let start = self.start;
        self.start += length + separator;
        self.number += 1;
        let mut bytes = &self.buffer[start..start + length];
        if let [rest @ .., b'\r'] = bytes {
            bytes = rest;
            self.has_carriage_return = true;
        }
        self.last = (start, start + bytes.len());
        Line { bytes, number: self.number }
    }

    #[cold]
    fn fill(&mut self) -> Result<(), Error> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < self.end + CHUNK {
            self.buffer.resize(self.end + CHUNK, 0);
        }
        let before = self.end;
        // Full chunks are quicker, and show whether there is any LF.
        while self.end < before + CHUNK {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.is_over = true;
                    break;
                }
                Ok(count) => self.end += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let read = &self.buffer[before..self.end];
        if self.number == 0 && before == 0 && memchr(b'\n', read).is_none() && memchr(b'\r', read).is_some() {
            self.separator = b'\r';
            self.has_carriage_return = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Lines::new(text);
        let mut all = Vec::new();
        while let Some(line) = lines.next().expect("memory") {
            assert_eq!(line.number, all.len() as u64 + 1);
            all.push(line.bytes.to_vec());
        }
        all
    }

    #[test]
    fn every_end_of_line_is_one() {
        let expected: Vec<&[u8]> = vec![b"a", b"", b"b"];
        for text in ["a\n\nb", "a\n\nb\n", "a\r\n\r\nb\r\n", "a\r\rb\r", "a\r\n\nb"] {
            assert_eq!(lines(text.as_bytes()), expected, "{text:?}");
        }
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn lines_cross_buffers_and_endless_ones_are_refused() {
        let text = vec![b'x'; CHUNK + 7];
        assert_eq!(lines(&[&text[..], b"\ny"].concat()), [text.clone(), b"y".to_vec()]);
        let mut endless = Lines::new(std::io::repeat(b'x'));
        assert_eq!(endless.next().expect_err("endless").problem, Problem::TooLarge);
    }
}
