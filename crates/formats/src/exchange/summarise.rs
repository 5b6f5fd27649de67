//! One WHP-Exchange file to [`Statistics`]: each field is looked at once, as it is read.

use std::io::Read;

use super::fields::{Field, Value};
use super::header::{Column, text};
use super::known::is_identity;
use super::reader::{Reader, Row};
use super::seed::{Seed, Way};
use crate::Error;
use crate::statistics::{Code, Decimal, Findings, FlagCount, Flags, Parameter, Statistics};

/// Which flags say that there is no value (Exchange format, quality codes of bottles, water samples and CTD).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// Of the bottle itself, which has no value.
    Bottle,
    /// Of a water sample: 1, 5 and 9.
    Water,
    /// Of a CTD sensor: 5 and 9.
    Ctd,
}

impl Scheme {
    fn of(column: &Column) -> Self {
        match column.name.as_str() {
            "BTLNBR" => Self::Bottle,
            name if name.starts_with("CTD") => Self::Ctd,
            _ => Self::Water,
        }
    }

    /// What is wrong with this flag beside a value, or beside none.
    fn oddity(self, flag: usize, has_value: bool) -> Option<Code> {
        let says_none = matches!(flag, 5 | 9) || (flag == 1 && self == Self::Water);
        match (self, has_value, says_none) {
            (Self::Bottle, ..) | (_, true, false) | (_, false, true) => None,
            (_, true, true) => Some(Code::ValueUnderFlag),
            (_, false, false) => Some(Code::FillUnderFlag),
        }
    }
}

/// What can be odd about a field.
const ODD: [Code; 7] = [
    Code::BlankValue,
    Code::FillForm,
    Code::NumberForm,
    Code::NotANumber,
    Code::FlagUnknown,
    Code::ValueUnderFlag,
    Code::FillUnderFlag,
];

/// One parameter on the way.
struct Tallied {
    parameter: Parameter,
    flags: Flags,
    scheme: Scheme,
    /// For each of [`ODD`]: how often, and the first line.
    odd: [(u64, u64); ODD.len()],
}

impl Tallied {
    fn find(&mut self, code: Code, line: u64) {
        if let Some(at) = ODD.iter().position(|odd| *odd == code) {
            let (count, first) = &mut self.odd[at];
            if *count == 0 {
                *first = line;
            }
            *count += 1;
        }
    }

    #[inline]
    fn take(&mut self, row: &Row<'_>, column: &Column) {
        let field = &row.fields[column.field];
        let has_value = self.take_value(row, field, column);
        if let Some(flags) = column.flags {
            self.take_flag(row, &row.fields[flags], flags, field, has_value);
        }
    }

    #[inline]
    fn take_value(&mut self, row: &Row<'_>, field: &Field, column: &Column) -> bool {
        if field.is_odd {
            let is_fill = field.is_fill();
            self.find(if is_fill { Code::FillForm } else { Code::NumberForm }, row.line);
        }
        match field.value() {
            Value::Number(number) => {
                self.parameter.take_number(number);
                return true;
            }
            Value::Fill => self.parameter.missing += 1,
            Value::Blank => {
                self.parameter.blank += 1;
                self.find(Code::BlankValue, row.line);
            }
            Value::Wide(value) => {
                self.parameter.moments.push_double(value);
                return true;
            }
            Value::Text => {
                self.parameter.take_text(row.text(column.field));
                if !column.may_be_text {
                    self.find(Code::NotANumber, row.line);
                }
                return true;
            }
        }
        false
    }

    #[inline]
    fn take_flag(&mut self, row: &Row<'_>, flag: &Field, at: usize, value: &Field, has_value: bool) {
        let digit = match flag.value() {
            Value::Number(Decimal { mantissa, decimals: 0 }) => usize::try_from(mantissa).ok(),
            Value::Number(number) => number.whole().and_then(|whole| usize::try_from(whole).ok()),
            _ => None,
        };
        let count = match digit {
            Some(digit @ 1..=9) => {
                if let Some(code) = self.scheme.oddity(digit, has_value) {
                    self.find(code, row.line);
                }
                &mut self.flags.digits[digit]
            }
            _ => {
                self.find(Code::FlagUnknown, row.line);
                self.flags.other(row.text(at))
            }
        };
        let FlagCount { count, fill, value: values } = count;
        *count += 1;
        *fill += u64::from(value.is_fill());
        *values += u64::from(has_value);
    }
}

/// What one file comes to. `source` is its name, for its casts; `seed` asks for the script's number, too.
///
/// # Errors
/// As [`Reader::new`], with the script's number of a refused file.
pub(crate) fn file(input: impl Read, source: &str, seed: Option<Way>) -> Result<Statistics, (Error, Option<u64>)> {
    let mut reader = Reader::with_seed(input, seed.map(Seed::new))?;
    let mut casts = reader.casts(source);
    let columns = reader.header().columns.clone();
    let mut tallied: Vec<Tallied> = columns
        .iter()
        .map(|column| Tallied {
            parameter: Parameter::new(&column.name, &column.unit),
            flags: Flags::default(),
            scheme: Scheme::of(column),
            odd: <_>::default(),
        })
        .collect();
    let mut findings = Findings::default();
    let mut whole = 0;
    loop {
        match reader.read() {
            Ok(Some(row)) if row.is_whole => {
                whole += 1;
                for (tallied, column) in tallied.iter_mut().zip(&columns) {
                    tallied.take(&row, column);
                }
                casts.take(&row, &mut findings);
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => return Err((error, None)),
        }
    }
    let Reader { header, account, findings: told, seed, .. } = reader;
    findings.merge(told, None);
    let mut statistics = Statistics {
        kind: header.kind.word().to_owned(),
        members: 1,
        titles: [(header.title, 1)].into(),
        encodings: [(if account.is_latin_1 { "iso-8859-1" } else { "utf-8" }.to_owned(), 1)].into(),
        end_data: u64::from(account.ended),
        lines_after_end: account.after_end,
        comment_lines: account.comments,
        header_keys: header.keys.into_iter().map(|(key, _)| (key, 1)).collect(),
        parameter_sets: [header.parameter_line.into_boxed_slice()].into(),
        observations: account.rows,
        observations_seed: seed.and_then(Seed::finish),
        wrong_width: account.wrong_width,
        orphan_flags: header.orphan_flags.into_iter().collect(),
        ..Statistics::default()
    };
    casts.finish(&mut statistics);
    for (Tallied { mut parameter, flags, odd, .. }, column) in tallied.into_iter().zip(&columns) {
        parameter.count = whole;
        parameter.flags = column.flags.map(|_| flags);
        for (code, (count, line)) in ODD.into_iter().zip(odd).filter(|(_, (count, _))| *count > 0) {
            let is_usual = code == Code::BlankValue && is_identity(&column.name);
            if !is_usual {
                findings.record_many(code, &column.name, line, count);
            }
        }
        if parameter.has_more_texts() {
            findings.record(Code::ManyTexts, &column.name, 0);
        }
        statistics.parameters.push(parameter);
    }
    statistics.findings = findings;
    Ok(statistics)
}

/// The first line of a content, for messages.
pub(super) fn first_line(head: &[u8]) -> String {
    let line = head.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    text(line).chars().filter(|letter| !letter.is_control()).take(60).collect()
}
