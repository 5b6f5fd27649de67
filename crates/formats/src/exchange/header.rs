//! What stands before the data of a WHP-Exchange file: title, comments, headers of a cast, parameters and their units.

use super::known::{known_parameter, may_be_text};
use crate::statistics::{Code, Findings};

/// Which of the two file types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One row a bottle closure, all casts of a cruise in one file.
    Bottle,
    /// One row a pressure level, one cast a file.
    Ctd,
}

impl Kind {
    /// The word at the beginning of a file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bottle => "BOTTLE",
            Self::Ctd => "CTD",
        }
    }
}

/// A parameter, where its values and its flags stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name; a repeated one is numbered: `SALNTY (2)`.
    pub name: String,
    /// Its unit; empty: none.
    pub unit: String,
    /// Field of its values, from 0.
    pub field: usize,
    /// Field of its flags.
    pub flags: Option<usize>,
    /// Whether text is no surprise there.
    pub(crate) may_be_text: bool,
}

/// What stands before the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Bottle or CTD.
    pub kind: Kind,
    /// The first line.
    pub title: String,
    /// Number of comment lines before the parameters.
    pub comments: u64,
    /// Headers of a cast, as `KEY` and `VALUE`, in order.
    pub keys: Vec<(String, String)>,
    /// Parameters, in order.
    pub columns: Vec<Column>,
    /// Flag columns without their parameter.
    pub orphan_flags: Vec<String>,
    /// How many fields a data line has.
    pub width: usize,
    /// The parameter line, as it stands.
    pub(crate) parameter_line: Vec<u8>,
}

impl Header {
    pub(super) fn new(kind: Kind, title: String) -> Self {
        Self {
            kind,
            title,
            comments: 0,
            keys: Vec::new(),
            columns: Vec::new(),
            orphan_flags: Vec::new(),
            width: 0,
            parameter_line: Vec::new(),
        }
    }

    /// The value of a header of a cast.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.keys.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The parameter of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Reads the parameter line.
    pub(super) fn set_parameters(&mut self, line: &[u8], number: u64, findings: &mut Findings) {
        self.parameter_line = line.to_vec();
        let mut names: Vec<String> = fields(line).map(text).collect();
        while names.len() > 1 && names.last().is_some_and(String::is_empty) {
            names.pop();
            findings.record(Code::TrailingComma, "", number);
        }
        self.width = names.len();
        for (field, name) in names.iter().enumerate() {
            if name.is_empty() {
                findings.record(Code::UnnamedColumn, "", number);
            } else if flagged(name).is_none() {
                let repeated = names[..field].iter().filter(|earlier| *earlier == name).count();
                if repeated > 0 {
                    findings.record(Code::RepeatedParameter, name, number);
                }
                if known_parameter(name).is_none() {
                    findings.record(Code::ParameterUnknown, name, number);
                }
                let full = if repeated == 0 { name.clone() } else { format!("{name} ({})", repeated + 1) };
                let may_be_text = may_be_text(name);
                self.columns.push(Column { name: full, unit: String::new(), field, flags: None, may_be_text });
            }
        }
        for (field, name) in names.iter().enumerate() {
            let Some(parameter) = flagged(name) else { continue };
            // Of parameters of one name, the nearest before its flags; else the first behind them.
            let is_free = |column: &&mut Column| column.flags.is_none() && names[column.field] == parameter;
            let (before, behind): (Vec<_>, Vec<_>) =
                self.columns.iter_mut().filter(is_free).partition(|column| column.field < field);
            match before.into_iter().next_back().or_else(|| behind.into_iter().next()) {
                Some(column) => column.flags = Some(field),
                None => {
                    findings.record(Code::OrphanFlag, name, number);
                    self.orphan_flags.push(name.clone());
                }
            }
        }
    }

    /// Reads the line of units.
    pub(super) fn set_units(&mut self, line: &[u8], number: u64, findings: &mut Findings) {
        let mut units: Vec<String> = fields(line).map(text).collect();
        while units.len() > self.width && units.last().is_some_and(String::is_empty) {
            units.pop();
        }
        // Trailing empty units may be left out.
        let has_too_few = units.len() < self.width && units.last().is_some_and(String::is_empty) && units.len() > 1;
        if units.len() > self.width || has_too_few {
            findings.record(Code::UnitCount, "", number);
        }
        for column in &mut self.columns {
            if let Some(unit) = units.get(column.field) {
                column.unit.clone_from(unit);
            }
            if column.flags.and_then(|flags| units.get(flags)).is_some_and(|unit| !unit.is_empty()) {
                findings.record(Code::FlagWithUnit, &column.name, number);
            }
            let Some(known) = known_parameter(&column.name) else { continue };
            let is_known = known.units.iter().any(|unit| unit.eq_ignore_ascii_case(&column.unit));
            match (column.unit.is_empty(), known.units.is_empty(), is_known) {
                (true, false, _) if column.name != "DEPTH" => {
                    findings.record(Code::UnitMissing, &column.name, number);
                }
                (false, _, false) => findings.record(Code::UnitUnknown, &column.name, number),
                _ => {}
            }
        }
    }
}

/// The fields of a line, without the blanks around them.
pub(super) fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// UTF-8, or else ISO-8859-1.
pub(crate) fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// The parameter whose flags a column of this name holds.
fn flagged(name: &str) -> Option<&str> {
    name.strip_suffix("_FLAG_W").or_else(|| name.strip_suffix("_FLAG_I")).filter(|parameter| !parameter.is_empty())
}

/// Whether a line can be that of the parameters: several names, or the one that every cast has.
pub(super) fn is_parameter_line(line: &[u8]) -> bool {
    let mut names = 0;
    for name in fields(line) {
        match name.first() {
            None => {}
            Some(first) if first.is_ascii_alphabetic() => names += 1,
            Some(_) => return false,
        }
    }
    let has_pressure = fields(line).any(|name| name == b"CTDPRS");
    names >= 2 || (names == 1 && has_pressure)
}

/// Whether a line is data, and not units: most of its fields that hold anything hold numbers.
pub(super) fn is_data(line: &[u8]) -> bool {
    let (mut numbers, mut all) = (0, 0);
    for field in fields(line).filter(|field| !field.is_empty()) {
        all += 1;
        numbers += usize::from(crate::statistics::parse(field).is_some());
    }
    numbers * 2 > all
}

/// What a content is by its first line and those behind it, if it is a file of this format.
pub(crate) fn detect(head: &[u8]) -> Option<Kind> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut lines = head.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty());
    let title = lines.next()?;
    let (kind, stamp) = title_of(title)?;
    let begins_with_date = stamp.len() >= 8 && stamp[..8].iter().all(u8::is_ascii_digit);
    let mut is_next = || {
        let next = lines.next().unwrap_or_default();
        next.starts_with(b"#") || next.starts_with(b"NUMBER_HEADERS") || fields(next).any(|name| name == b"EXPOCODE")
    };
    (begins_with_date || is_next()).then_some(kind)
}

/// Kind and stamp of a title line.
pub(crate) fn title_of(title: &[u8]) -> Option<(Kind, &[u8])> {
    let title = title.trim_ascii_end();
    let (kind, rest) = match (title.strip_prefix(b"BOTTLE"), title.strip_prefix(b"CTD")) {
        (Some(rest), _) => (Kind::Bottle, rest),
        (_, Some(rest)) => (Kind::Ctd, rest),
        _ => return None,
    };
    match rest {
        [] => Some((kind, rest)),
        [b',' | b' ', stamp @ ..] => Some((kind, stamp.trim_ascii())),
        _ => None,
    }
}
