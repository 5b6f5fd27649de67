//! Physical lines of a text that may be anything: gzip, a byte order mark, UTF-8, UTF-16 or an old encoding, any line end.
//! One buffer is held, whatever the size of the file.

use std::io::{self, Read};

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use flate2::read::MultiGzDecoder;

use crate::{Error, Problem};

/// Bytes read at once.
const BUFFER: usize = 1 << 16;

/// Longest line in bytes; a longer one is no line of a sensor file.
pub(super) const MAX_LINE: usize = 1 << 20;

/// What the first bytes say about the encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// A UTF-8 byte order mark was there, and left out.
    pub byte_order_mark: bool,
    /// The text is UTF-16 and was converted.
    pub utf_16: bool,
}

/// One line without its end.
pub(super) struct Line<'l> {
    /// Counted from 1.
    pub(super) number: u64,
    pub(super) bytes: &'l [u8],
}

/// Reads line after line.
pub(super) struct Lines<'a> {
    source: Box<dyn Read + Send + 'a>,
    is_gzip: bool,
    decoder: Option<Decoder>,
    raw: Vec<u8>,
    buffer: Vec<u8>,
    /// `buffer[at..end]` was not taken yet.
    at: usize,
    end: usize,
    is_finished: bool,
    /// The line before ended with a carriage return: a line feed right after it belongs to it.
    after_cr: bool,
    number: u64,
    pub(super) marks: Marks,
}

impl<'a> Lines<'a> {
    /// Looks at the first bytes: gzip, byte order mark, UTF-16.
    pub(super) fn open(input: impl Read + Send + 'a) -> Result<Self, Error> {
        let (head, source) = peek(Box::new(input), 2)?;
        let is_gzip = head == [0x1f, 0x8b];
        let source: Box<dyn Read + Send + 'a> = if is_gzip { Box::new(MultiGzDecoder::new(source)) } else { source };
        let (head, mut source) = peek(source, 4).map_err(|error| failure(error, is_gzip))?;
        let (encoding, mark) = Encoding::for_bom(&head).unwrap_or((guess(&head), 0));
        source.read_exact(&mut [0; 4][..mark])?;
        let utf_16 = encoding != UTF_8;
        Ok(Self {
            source,
            is_gzip,
            decoder: utf_16.then(|| encoding.new_decoder_without_bom_handling()),
            raw: if utf_16 { vec![0; BUFFER / 4] } else { Vec::new() },
            buffer: vec![0; BUFFER],
            at: 0,
            end: 0,
            is_finished: false,
            after_cr: false,
            number: 0,
            marks: Marks { byte_order_mark: mark > 0 && !utf_16, utf_16 },
        })
    }

    /// The next line, or `None` at the end.
    ///
    /// # Errors
    /// `Io` from underneath, `Malformed` for broken gzip data, `TooLarge` for a line beyond [`MAX_LINE`].
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, Error> {
        let mut searched = 0;
        loop {
            if self.after_cr && self.at < self.end {
                self.at += usize::from(self.buffer[self.at] == b'\n');
                self.after_cr = false;
            }
            let open = &self.buffer[self.at..self.end];
            if let Some(length) = line_end(&open[searched..]).map(|found| searched + found) {
                let start = self.at;
                self.at += length + 1;
                self.after_cr = self.buffer[start + length] == b'\r';
                self.number += 1;
                let bytes = &self.buffer[start..start + length];
                return Ok(Some(Line { number: self.number, bytes }));
            }
            searched = open.len();
            if self.is_finished {
                if searched == 0 {
                    return Ok(None);
                }
                let start = std::mem::replace(&mut self.at, self.end);
                self.number += 1;
                return Ok(Some(Line { number: self.number, bytes: &self.buffer[start..self.end] }));
            }
            self.fill()?;
        }
    }

    /// Reads on behind what was not taken yet.
    fn fill(&mut self) -> Result<(), Error> {
        self.buffer.copy_within(self.at..self.end, 0);
        self.end -= self.at;
        self.at = 0;
        if self.end >= MAX_LINE {
            let message = format!("a line of more than {} kB", MAX_LINE >> 10);
            return Err(Error::new(Problem::TooLarge, message)
                .at_line(self.number + 1)
                .help("is this a sensor's file?"));
        }
        if self.buffer.len() - self.end < BUFFER / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let Some(decoder) = &mut self.decoder else {
            let count = read_some(&mut self.source, &mut self.buffer[self.end..], self.is_gzip)?;
            self.is_finished = count == 0;
            self.end += count;
            return Ok(());
        };
        // Half the buffer holds whatever a quarter of its size of UTF-16 becomes.
        let count = read_some(&mut self.source, &mut self.raw, self.is_gzip)?;
        self.is_finished = count == 0;
        let (_, _, written, _) =
            decoder.decode_to_utf8(&self.raw[..count], &mut self.buffer[self.end..], self.is_finished);
        self.end += written;
        Ok(())
    }
}

/// The text of a line: UTF-8, or else the encoding that old Windows software writes, in which any bytes are text.
pub(super) fn text_of(bytes: &[u8]) -> (String, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), true),
        Err(_) => (WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(), false),
    }
}

/// UTF-16 without a mark shows by the zero bytes of its first letters.
fn guess(head: &[u8]) -> &'static Encoding {
    match head {
        [first, 0, second, 0] if *first != 0 && *second != 0 => UTF_16LE,
        [0, first, 0, second] if *first != 0 && *second != 0 => UTF_16BE,
        _ => UTF_8,
    }
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr2(b'\n', b'\r', bytes)
}

/// The first `count` bytes (fewer only at the end), and a reader that still has them.
fn peek<'a>(mut source: Box<dyn Read + Send + 'a>, count: usize) -> io::Result<(Vec<u8>, Box<dyn Read + Send + 'a>)> {
    let mut head = Vec::with_capacity(count);
    source.by_ref().take(count as u64).read_to_end(&mut head)?;
    Ok((head.clone(), Box::new(io::Cursor::new(head).chain(source))))
}

fn read_some(source: &mut dyn Read, buffer: &mut [u8], is_gzip: bool) -> Result<usize, Error> {
    loop {
        match source.read(buffer) {
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failure(error, is_gzip)),
        }
    }
}

/// A broken archive is the content's fault, anything else that of the reader underneath.
fn failure(error: io::Error, is_gzip: bool) -> Error {
    use io::ErrorKind as E;
    if is_gzip && matches!(error.kind(), E::InvalidInput | E::InvalidData | E::UnexpectedEof) {
        return Error::new(Problem::Malformed, "the gzip data are damaged or end too early")
            .help("the file was probably cut short on its way; put it again");
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out its bytes a few at a time, so that every boundary falls somewhere.
    struct Dribble<'b>(&'b [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn lines(bytes: &[u8], at_once: usize) -> Vec<(u64, String)> {
        let mut lines = Lines::open(Dribble(bytes, at_once)).expect("memory");
        let mut found = Vec::new();
        while let Some(line) = lines.next().expect("memory") {
            found.push((line.number, text_of(line.bytes).0));
        }
        found
    }

    #[test]
    fn any_line_end_counts_once_wherever_the_reads_fall() {
        let expected: Vec<(u64, String)> =
            [(1, "a"), (2, ""), (3, "b"), (4, "c")].map(|(number, text)| (number, text.to_owned())).to_vec();
        for at_once in 1..8 {
            assert_eq!(lines(b"a\r\n\nb\rc", at_once), expected);
        }
    }

    #[test]
    fn utf_16_is_read_with_and_without_its_mark() {
        let wide: Vec<u8> = "x,\u{101}\r\ny".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [b"\xff\xfe".as_slice(), &wide].concat();
        let big: Vec<u8> = "x,\u{101}\r\ny".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [&wide, &marked, &big] {
            assert_eq!(lines(bytes, 3), [(1, "x,\u{101}".to_owned()), (2, "y".to_owned())]);
        }
    }

    #[test]
    fn old_encodings_and_marks_become_text() {
        assert_eq!(lines(b"\xef\xbb\xbfa", 2), [(1, "a".to_owned())]);
        assert_eq!(lines(b"M\xe4rz", 9), [(1, "M\u{e4}rz".to_owned())]);
    }
}
