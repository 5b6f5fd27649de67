//! The bytes of a CSV file as checked UTF-8 text, a bufferful at a time: gunzipped, decoded, without its byte order mark.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};
use flate2::read::MultiGzDecoder;

use crate::{Error, Problem};

/// Bytes read at once.
const BUFFER: usize = 1 << 16;

/// Text that is read a bufferful at a time. What [`Text::fill`] returns is valid UTF-8 without NUL.
pub(super) struct Text<'a> {
    source: Box<dyn Read + Send + 'a>,
    is_gzip: bool,
    /// `None` for UTF-8, which is checked in place.
    decoder: Option<Decoding>,
    buffer: Vec<u8>,
    /// `buffer[at..checked]` is text that was not consumed yet.
    at: usize,
    checked: usize,
    /// `buffer[checked..end]` is the beginning of a character whose rest was not read yet.
    end: usize,
    /// Offset in the content of `buffer[0]`; exact for UTF-8 only.
    offset: u64,
    is_finished: bool,
    /// What is wrong right after `checked`; told once the text before it is consumed.
    failure: Option<Error>,
}

struct Decoding {
    decoder: Decoder,
    raw: Vec<u8>,
    at: usize,
    end: usize,
    /// Offset in the content of `raw[0]`.
    offset: u64,
    is_finished: bool,
}

impl<'a> Text<'a> {
    /// Looks at the first bytes: gzip, byte order mark.
    pub(super) fn open(input: impl Read + Send + 'a, label: Option<&str>) -> Result<Self, Error> {
        let declared = match label {
            None => UTF_8,
            Some(label) => Encoding::for_label(label.as_bytes()).ok_or_else(|| unknown_encoding(label))?,
        };
        let (head, source) = peek(Box::new(input), 2)?;
        let is_gzip = head == [0x1f, 0x8b];
        let source: Box<dyn Read + Send + 'a> = if is_gzip { Box::new(MultiGzDecoder::new(source)) } else { source };
        let (head, mut source) =
            peek(source, 3).map_err(|error| if is_gzip { gzip_failure(error) } else { error.into() })?;
        let (encoding, mark) = Encoding::for_bom(&head).unwrap_or((declared, 0));
        source.read_exact(&mut [0; 3][..mark])?;
        let decoder = (encoding != UTF_8).then(|| Decoding {
            // The mark is gone already, and a second one is a character.
            decoder: encoding.new_decoder_without_bom_handling(),
            raw: vec![0; BUFFER],
            at: 0,
            end: 0,
            offset: mark as u64,
            is_finished: false,
        });
        Ok(Self {
            source,
            is_gzip,
            decoder,
            buffer: vec![0; BUFFER],
            at: 0,
            checked: 0,
            end: 0,
            offset: mark as u64,
            is_finished: false,
            failure: None,
        })
    }

    /// Text that was not consumed yet; empty only at the end.
    pub(super) fn fill(&mut self) -> Result<&[u8], Error> {
        while self.at == self.checked {
            if let Some(failure) = self.failure.take() {
                // Told again if somebody goes on reading.
                self.failure = Some(failure.without_source());
                return Err(failure);
            }
            if self.is_finished {
                return Ok(&[]);
            }
            if self.decoder.is_some() {
                self.decode()?;
            } else {
                self.read_utf8()?;
            }
            let text = &self.buffer[self.at..self.checked];
            if let Some(nul) = text.iter().position(|byte| *byte == 0) {
                let error = Error::new(Problem::Malformed, "a NUL byte, which no text has")
                    .expected("text")
                    .help("if the file is UTF-16, set `encoding = \"utf-16le\"` (or `utf-16be`)");
                let exact = self.decoder.is_none();
                self.failure = Some(if exact { error.at_byte(self.offset + nul as u64) } else { error });
                self.checked = nul;
            }
        }
        Ok(&self.buffer[self.at..self.checked])
    }

    /// Takes `count` bytes of what [`Text::fill`] returned.
    pub(super) fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.checked);
    }

    /// Reads on and checks that it is UTF-8.
    fn read_utf8(&mut self) -> Result<(), Error> {
        self.buffer.copy_within(self.checked..self.end, 0);
        self.offset += self.checked as u64;
        self.end -= self.checked;
        (self.at, self.checked) = (0, 0);
        let count = read_some(&mut self.source, &mut self.buffer[self.end..], self.is_gzip)?;
        self.is_finished = count == 0;
        self.end += count;
        match std::str::from_utf8(&self.buffer[..self.end]) {
            Ok(_) => self.checked = self.end,
            Err(error) => {
                self.checked = error.valid_up_to();
                if error.error_len().is_some() || self.is_finished {
                    self.failure = Some(
                        Error::new(Problem::Encoding, "a byte that is not UTF-8 text")
                            .at_byte(self.offset + error.valid_up_to() as u64)
                            .expected("UTF-8")
                            .help("save the file as UTF-8, or set `encoding = \"windows-1252\"` if it comes from older software"),
                    );
                }
            }
        }
        Ok(())
    }

    /// Decodes on from another encoding.
    fn decode(&mut self) -> Result<(), Error> {
        let Some(decoding) = &mut self.decoder else { return Ok(()) };
        if decoding.at == decoding.end && !decoding.is_finished {
            decoding.offset += decoding.end as u64;
            decoding.end = read_some(&mut self.source, &mut decoding.raw, self.is_gzip)?;
            decoding.at = 0;
            decoding.is_finished = decoding.end == 0;
        }
        let (result, read, written) = decoding.decoder.decode_to_utf8_without_replacement(
            &decoding.raw[decoding.at..decoding.end],
            &mut self.buffer,
            decoding.is_finished,
        );
        decoding.at += read;
        (self.at, self.checked, self.end) = (0, written, written);
        match result {
            DecoderResult::InputEmpty => self.is_finished = decoding.is_finished,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(bad, after) => {
                let name = decoding.decoder.encoding().name().to_ascii_lowercase();
                let byte = (decoding.offset + decoding.at as u64).saturating_sub(u64::from(bad + after));
                self.failure = Some(
                    Error::new(Problem::Encoding, format!("a byte that is not {name} text"))
                        .at_byte(byte)
                        .expected(name)
                        .help("set `encoding` to the one the file was saved in"),
                );
            }
        }
        Ok(())
    }
}

fn unknown_encoding(label: &str) -> Error {
    Error::new(Problem::Unsupported, format!("no encoding is called `{label}`"))
        .expected("a name such as `utf-8`, `windows-1252`, `latin1`, `utf-16le` or `shift_jis`")
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
            Err(error) if is_gzip => return Err(gzip_failure(error)),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A broken archive is the content's fault, anything else that of the reader underneath.
fn gzip_failure(error: io::Error) -> Error {
    use io::ErrorKind as E;
    match error.kind() {
        E::InvalidInput | E::InvalidData => Error::new(Problem::Malformed, "the gzip data are damaged")
            .help("compress the file again, or put it uncompressed"),
        E::UnexpectedEof => Error::new(Problem::Malformed, "the gzip data end too early")
            .help("the file was probably cut short on its way; put it again"),
        _ => error.into(),
    }
}

/// Whether `label` names an encoding (WHATWG).
///
/// # Errors
/// `Unsupported`, with examples of names, if it does not.
pub fn check_encoding(label: &str) -> Result<(), Error> {
    Encoding::for_label(label.as_bytes()).map(|_| ()).ok_or_else(|| unknown_encoding(label))
}
