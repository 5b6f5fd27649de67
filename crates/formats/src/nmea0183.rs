//! Hop 6: sentences of NMEA 0183 (IEC 61162-1), as loggers hear them: the frame, its checksum, times, dates, positions.
//!
//! What is accepted is what the WIBL reader accepts (white space around the sentence, no `$`, letters of either case, no
//! checksum), because one rule set must follow it; whoever is stricter looks at [`Sentence::has_checksum`].
//!
//! ```
//! use tidegate_formats::nmea0183::Sentence;
//!
//! let sentence = Sentence::parse(b"$SDDBT,39.39,f,12.01,M,6.56,F*31\r\n").expect("a sentence");
//! assert_eq!((&sentence.talker, &sentence.id, sentence.field(2)), (b"SD", b"DBT", "12.01"));
//! ```

/// Why bytes are no sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// They are no text.
    NotText,
    /// They do not have a sentence's form.
    Malformed,
    /// A sentence of one maker, whose fields nobody else knows.
    Proprietary,
    /// The checksum is that of another text.
    Checksum,
}

/// A sentence with its frame taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sentence<'a> {
    /// Who talks, two letters, upper case.
    pub talker: [u8; 2],
    /// What is said, three letters, upper case.
    pub id: [u8; 3],
    /// Whether a checksum came with it (and was right).
    pub has_checksum: bool,
    data: &'a str,
}

/// White space of Python's text, as far as it is ASCII.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | 0x1c..=0x1f | b' ')
}

impl<'a> Sentence<'a> {
    /// Takes the frame off.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(bytes).map_err(|_| Fault::NotText)?;
        let text = text.trim_start_matches(|letter: char| u8::try_from(letter).is_ok_and(is_space));
        let text = text.strip_prefix('$').unwrap_or(text);
        let head: &[u8; 6] = text.as_bytes().first_chunk().ok_or(Fault::Malformed)?;
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if head[0].eq_ignore_ascii_case(&b'P') && head[..4].iter().all(is_word) {
            return Err(Fault::Proprietary);
        }
        if head[5] != b',' || !head[..5].iter().all(is_word) {
            return Err(Fault::Malformed);
        }
        let (body, end) = match memchr::memchr(b'*', text.as_bytes()) {
            Some(star) => (&text[..star], Some(&text.as_bytes()[star + 1..])),
            None => (text, None),
        };
        if let Some(end) = end {
            let (hex, rest) = end.split_at_checked(2).ok_or(Fault::Malformed)?;
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (Some(high), Some(low)) = (digit(hex[0]), digit(hex[1])) else { return Err(Fault::Malformed) };
            if !rest.iter().copied().all(is_space) {
                return Err(Fault::Malformed);
            }
            if checksum(body) != high * 16 + low {
                return Err(Fault::Checksum);
            }
        }
        let upper = |index: usize| head[index].to_ascii_uppercase();
        Ok(Self {
            talker: [upper(0), upper(1)],
            id: [upper(2), upper(3), upper(4)],
            has_checksum: end.is_some(),
            data: &body[6..],
        })
    }

    /// The field of this number, from 0 behind the sentence's name; empty if there is none.
    pub fn field(&self, number: usize) -> &'a str {
        self.data.split(',').nth(number).unwrap_or_default()
    }

    /// The first `N` fields; those that are not there are empty.
    pub fn fields<const N: usize>(&self) -> [&'a str; N] {
        let mut fields = self.data.split(',');
        std::array::from_fn(|_| fields.next().unwrap_or_default())
    }
}

/// Exclusive or of all letters; a letter beyond ASCII counts as its code point, which no checksum can match.
fn checksum(body: &str) -> u32 {
    if body.is_ascii() {
        u32::from(body.bytes().fold(0, |sum, byte| sum ^ byte))
    } else {
        body.chars().fold(0, |sum, letter| sum ^ u32::from(letter))
    }
}

/// The checksum of a sentence's text between `$` and `*`, for those who write sentences.
pub fn sum(body: &str) -> u8 {
    body.bytes().fold(0, |sum, byte| sum ^ byte)
}

fn digits(text: &str) -> Option<u32> {
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// `hhmmss` and a fraction to microseconds since midnight; the fraction is cut, not rounded. A second of 60 is none.
pub fn time_of_day(text: &str) -> Option<i64> {
    let part = |from: usize| digits(text.get(from..from + 2)?);
    let (hour, minute, second) = (part(0)?, part(2)?, part(4)?);
    let micros = match text.get(6..)? {
        "" => 0.0,
        fraction => (fraction.trim().parse::<f64>().ok()? * 1e6).trunc(),
    };
    let is_time = hour < 24 && minute < 60 && second < 60 && (0.0..1e6).contains(&micros);
    #[expect(clippy::cast_possible_truncation, reason = "it is within 0..1e6")]
    is_time.then(|| i64::from((hour * 60 + minute) * 60 + second) * 1_000_000 + micros as i64)
}

/// Day, month and year, each in a field of its own (ZDA), to days since 1970-01-01.
///
/// # Errors
/// `true` if all are numbers but no date, `false` if they are no numbers.
pub fn date(day: &str, month: &str, year: &str) -> Result<i64, bool> {
    let (Some(day), Some(month), Some(year)) = (digits(day), digits(month), digits(year)) else { return Err(false) };
    days(year, month, day).ok_or(true)
}

/// `ddmmyy` (RMC) to days since 1970-01-01; 69 to 99 are of the twentieth century.
pub fn short_date(text: &str) -> Option<i64> {
    if text.len() != 6 {
        return None;
    }
    let part = |from: usize| digits(text.get(from..from + 2)?);
    let (day, month, year) = (part(0)?, part(2)?, part(4)?);
    days(if year < 69 { 2000 + year } else { 1900 + year }, month, day)
}

fn days(year: u32, month: u32, day: u32) -> Option<i64> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March have their leap day at the end (Hinnant's days_from_civil).
    let year = i64::from(year) - i64::from(month <= 2);
    let of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    Some(year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468)
}

/// Year, month and day of a number of days since 1970-01-01, for those who write sentences.
pub fn civil(days: i64) -> (i64, i64, i64) {
    // Hinnant's civil_from_days, as above with years that begin in March.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

/// `dddmm.mmm` to degrees: at least three digits, a point, a digit. `None` if the text is something else.
pub fn degrees(text: &str) -> Option<f64> {
    let point = text.find('.')?;
    let (whole, fraction) = (&text[..point], &text[point + 1..]);
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() < 3 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let (degrees, minutes) =
        (whole[..whole.len() - 2].parse::<f64>().ok()?, text[whole.len() - 2..].parse::<f64>().ok()?);
    Some(degrees + minutes / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_off_as_the_reader_of_loggers_takes_them_off() {
        let of = |text: &str| Sentence::parse(text.as_bytes()).map(|sentence| (sentence.talker, sentence.id));
        let good = Ok((*b"SD", *b"DBT"));
        assert_eq!(of("$SDDBT,39.39,f,12.01,M,6.56,F*31\r\n"), good);
        assert_eq!(of("  SDDBT,39.39,f,12.01,M,6.56,F*31 \r\n\r\n"), good);
        assert_eq!(of("$sddbt,39.39"), good);
        assert_eq!(of("$SDDBT,39.39,f,12.01,M,6.56,F*32"), Err(Fault::Checksum));
        assert_eq!(of("$SDDBT,39.39,f*3"), Err(Fault::Malformed));
        assert_eq!(of("!AIVDM,1,1,,A*00"), Err(Fault::Malformed));
        assert_eq!(of("$PGRME,15.0,M*1C"), Err(Fault::Proprietary));
        assert_eq!(Sentence::parse(b"$SDDBT,\xff").map(|_| ()), Err(Fault::NotText));
    }

    #[test]
    fn times_dates_and_degrees_are_read() {
        assert_eq!(time_of_day("120001.037"), Some(43_201_037_000));
        assert_eq!(time_of_day("235960"), None);
        assert_eq!(time_of_day("1200"), None);
        assert_eq!(date("14", "06", "2023"), Ok(19_522));
        assert_eq!(date("31", "02", "2023"), Err(true));
        assert_eq!(date("", "02", "2023"), Err(false));
        assert_eq!(short_date("140623"), Some(19_522));
        for days in [0, 59, 19_522, 19_782, 20_000, 47_541] {
            let (year, month, day) = civil(days);
            assert_eq!(date(&day.to_string(), &month.to_string(), &year.to_string()), Ok(days));
        }
        assert_eq!(short_date("010170"), Some(0));
        assert_eq!(degrees("4304.20000"), Some(43.07));
        assert_eq!(degrees("4500"), None);
        assert_eq!(degrees("07042.6"), Some(70.71));
    }
}
