//! Which rows go into the tests, and why the others do not. Every row that was read is kept, or dropped with its reason.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::deployment::{Deployment, Rows, Variable};
use crate::position::wrap;
use crate::reset::is_reset;
use crate::sensor::Sensor;
use crate::series::MISSING_TIME;

/// Why a row was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its line was cut: what is there may be cut, too.
    Cut,
    /// It has no time that can be read.
    NoTime,
    /// It has neither pressure nor temperature.
    NoValue,
    /// An earlier row has the same time.
    RepeatedTime,
    /// Any of its values is missing; only `ops_qc-0.6.0` drops such rows.
    Incomplete,
}

impl Reason {
    /// Short name, for tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::NoTime => "no-time",
            Self::NoValue => "no-value",
            Self::RepeatedTime => "repeated-time",
            Self::Incomplete => "incomplete",
        }
    }
}

/// A row that was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// Line of the file.
    pub line: u64,
    /// Why.
    pub reason: Reason,
    /// Line of the row that was kept instead.
    pub instead: Option<u64>,
}

/// Dropped rows that are kept one by one; beyond, only their number is.
pub const MAX_DROPPED: usize = 1000;

/// Where the rows went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Screening {
    /// Rows as read.
    pub read: usize,
    /// Rows that went into the tests.
    pub kept: usize,
    /// Dropped rows by reason.
    pub counts: BTreeMap<Reason, u64>,
    /// The first [`MAX_DROPPED`] of them.
    pub dropped: Vec<Dropped>,
    /// Positions that were taken for missing because both numbers were 0.
    pub no_fix: u64,
}

impl Screening {
    fn drop_row(&mut self, line: u64, reason: Reason, instead: Option<u64>) {
        *self.counts.entry(reason).or_default() += 1;
        if self.dropped.len() < MAX_DROPPED {
            self.dropped.push(Dropped { line, reason, instead });
        }
    }
}

/// A set of rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    words: Vec<u64>,
}

impl Kept {
    pub(crate) fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)] }
    }

    pub(crate) fn add(&mut self, row: usize) {
        self.words[row / 64] |= 1 << (row % 64);
    }

    pub(crate) fn has(&self, row: usize) -> bool {
        self.words[row / 64] >> (row % 64) & 1 == 1
    }

    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }
}

/// What ops_qc finds out about sensor resets while it reads: attributes, and the row from which its firmware test flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OpsQcResets {
    pub(crate) codes: String,
    pub(crate) timestamps: String,
    pub(crate) indices: String,
    pub(crate) first: Option<usize>,
}

/// Rows by the corrected rule: a row is kept if it has a time, and a pressure or a temperature; what it lacks is missing.
///
/// Bad rows go first, repeated times then (ops_qc drops 20 of 281 rows of a file for a missing position, and a bad first
/// row takes its good twin along). A position is missing if both numbers are 0 and the deck unit's firmware is older than
/// 4.06, as the vendor says (to ops_qc the equator and the meridian of Greenwich are missing). Longitudes are brought to
/// -180..180.
pub(crate) fn corrected(deployment: Deployment, sensor: &Sensor) -> (Rows, Screening) {
    let Deployment { rows, cut, .. } = deployment;
    let mut screening = Screening { read: rows.len(), ..Screening::default() };
    let mut keep = Kept::none(rows.len());
    let mut times = Repeats::of(rows.time.iter());
    let mut cut = cut.into_iter().peekable();
    let values = rows.pressure.iter().zip(&rows.temperature);
    for (row, (time, (pressure, temperature))) in rows.time.iter().zip(values).enumerate() {
        let is_cut = cut.next_if_eq(&row).is_some();
        let reason = match time {
            _ if is_cut => Some(Reason::Cut),
            MISSING_TIME => Some(Reason::NoTime),
            _ if pressure.is_nan() && temperature.is_nan() => Some(Reason::NoValue),
            _ => None,
        };
        if let Some(reason) = reason {
            screening.drop_row(rows.line.get(row), reason, None);
        } else if let Some(first) = times.first(time, row) {
            screening.drop_row(rows.line.get(row), Reason::RepeatedTime, Some(rows.line.get(first)));
        } else {
            keep.add(row);
        }
    }
    screening.kept = keep.count();
    let mut rows = if screening.kept == rows.len() { rows } else { rows.select(&keep) };
    mend_positions(&mut rows, sensor, &mut screening);
    (rows, screening)
}

/// Positions without a fix become missing, longitudes go from -180 to 180. Untouched columns are not copied.
fn mend_positions(rows: &mut Rows, sensor: &Sensor, screening: &mut Screening) {
    // Newer deck units leave the position out when they have none.
    let writes_zero = sensor.deck_firmware.is_none_or(|version| version < 4.06);
    let is_no_fix = |latitude: f64, longitude: f64| writes_zero && latitude == 0.0 && longitude == 0.0;
    let is_half = |latitude: f64, longitude: f64| latitude.is_nan() != longitude.is_nan();
    let (mut mends, mut turns) = (false, false);
    for (latitude, longitude) in rows.latitude.iter().zip(&rows.longitude) {
        let no_fix = is_no_fix(latitude, longitude);
        screening.no_fix += u64::from(no_fix);
        mends |= no_fix || is_half(latitude, longitude);
        turns |= longitude > 180.0 && longitude <= 360.0;
    }
    if !mends && !turns {
        return;
    }
    let mend = |(latitude, longitude): (f64, f64)| match () {
        () if is_no_fix(latitude, longitude) || is_half(latitude, longitude) => (f64::NAN, f64::NAN),
        () if longitude > 180.0 && longitude <= 360.0 => (latitude, wrap(longitude)),
        () => (latitude, longitude),
    };
    let mended = rows.latitude.iter().zip(&rows.longitude).map(mend);
    let longitude = mended.clone().map(|(_, longitude)| longitude).collect();
    rows.latitude = mended.map(|(latitude, _)| latitude).collect();
    rows.longitude = longitude;
}

/// Rows by ops_qc's rule: of repeated times the first is kept, then every row that lacks anything goes; a latitude or a
/// longitude of 0 is missing.
pub(crate) fn ops_qc(deployment: Deployment) -> (Rows, Screening, OpsQcResets) {
    let Deployment { rows, words, .. } = deployment;
    let has_words = |variable| words.iter().any(|(_, known)| *known == variable);
    let (words_in_position, words_in_pressure) = (has_words(Variable::Position), has_words(Variable::Pressure));
    let words: HashSet<(u64, Variable)> = words.iter().copied().collect();
    let mut screening = Screening { read: rows.len(), ..Screening::default() };
    let mut resets = OpsQcResets::default();
    let mut keep = Kept::none(rows.len());
    let mut times = Repeats::of(rows.time.iter());
    let mut missing_time = None;
    let positions = rows.latitude.iter().zip(&rows.longitude);
    let values = rows.pressure.iter().zip(&rows.temperature);
    let mut place = 0;
    for (row, (time, (position, (pressure, temperature)))) in rows.time.iter().zip(positions.zip(values)).enumerate() {
        // A missing time counts as a time that may be repeated.
        let first = if time == MISSING_TIME { missing_time } else { times.first(time, row) };
        if let Some(first) = first {
            screening.drop_row(rows.line.get(row), Reason::RepeatedTime, Some(rows.line.get(first)));
            continue;
        }
        if time == MISSING_TIME {
            missing_time = Some(row);
        }
        if is_reset(temperature) && !words_in_pressure {
            // A missing pressure becomes the smallest whole number there is.
            let code = if pressure.is_finite() { pressure.trunc() as i64 } else { i64::MIN };
            resets.add(code, row, place);
        }
        place += 1;
        let line = rows.line.get(row);
        let is_word = |variable| !words.is_empty() && words.contains(&(line, variable));
        let lacks = |value: f64| value.is_nan() || (value == 0.0 && !words_in_position);
        let is_incomplete = time == MISSING_TIME
            || ((lacks(position.0) || lacks(position.1)) && !is_word(Variable::Position))
            || (pressure.is_nan() && !is_word(Variable::Pressure))
            || temperature.is_nan();
        if is_incomplete {
            screening.drop_row(line, Reason::Incomplete, None);
        } else {
            keep.add(row);
        }
    }
    screening.kept = keep.count();
    resets.close();
    let rows = if screening.kept == rows.len() { rows } else { rows.select(&keep) };
    (rows, screening, resets)
}

impl OpsQcResets {
    fn add(&mut self, code: i64, row: usize, place: usize) {
        let separator = if self.first.is_some() { ", " } else { "" };
        self.codes += &format!("{separator}{code}");
        // It prints the number of the row as nanoseconds of 1970.
        self.timestamps += &format!("{separator}1970-01-01T00:00:00.{row:09}");
        self.indices += &format!("{separator}{place}");
        self.first.get_or_insert(place);
    }

    fn close(&mut self) {
        if self.first.is_none() {
            for text in [&mut self.codes, &mut self.timestamps, &mut self.indices] {
                "None".clone_into(text);
            }
        }
    }
}

/// Finds repeated times without remembering those that no later row can repeat: in a file whose clock only goes forward,
/// that is all of them.
struct Repeats {
    /// Only times from here on are ever met twice.
    from: i64,
    seen: HashMap<i64, usize>,
}

impl Repeats {
    fn of(times: impl Iterator<Item = i64>) -> Self {
        let (mut latest, mut from) = (MISSING_TIME, i64::MAX);
        for time in times.filter(|time| *time != MISSING_TIME) {
            if time <= latest {
                from = from.min(time);
            }
            latest = latest.max(time);
        }
        Self { from, seen: HashMap::new() }
    }

    /// The first row of this time, if `row` is not it.
    fn first(&mut self, time: i64, row: usize) -> Option<usize> {
        if time < self.from {
            return None;
        }
        let first = *self.seen.entry(time).or_insert(row);
        (first != row).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::Attributes;
    use crate::deployment::{Builder, Row};

    const NAN: f64 = f64::NAN;

    /// Rows of time in seconds, latitude, longitude, pressure and temperature, from line 10 on.
    fn deployment(rows: &[(i64, f64, f64, f64, f64)]) -> Deployment {
        let mut builder = Builder::default();
        for (index, (time, latitude, longitude, pressure, temperature)) in rows.iter().copied().enumerate() {
            let time = if time < 0 { MISSING_TIME } else { time * 1_000_000 };
            let line = 10 + index as u64;
            builder.push(Row { line, time, latitude, longitude, pressure, temperature, is_cut: time == 99_000_000 });
        }
        builder.finish("a.csv", Attributes::default())
    }

    #[test]
    fn bad_rows_go_before_repeated_times_do() {
        let rows =
            [(1, 1.0, 1.0, NAN, NAN), (1, 1.0, 1.0, 5.0, 9.0), (1, 1.0, 1.0, 6.0, 9.0), (-1, 1.0, 1.0, 1.0, 1.0)];
        let (kept, screening) = corrected(deployment(&rows), &Sensor::default());
        assert_eq!(kept.line.iter().collect::<Vec<_>>(), [11]);
        let reasons: Vec<_> = screening.dropped.iter().map(|dropped| (dropped.line, dropped.reason)).collect();
        assert_eq!(reasons, [(10, Reason::NoValue), (12, Reason::RepeatedTime), (13, Reason::NoTime)]);
        assert_eq!(screening.dropped[1].instead, Some(11));
        let (kept, _, _) = ops_qc(deployment(&rows));
        assert!(kept.is_empty(), "there the bad row takes its twins along");
    }

    #[test]
    fn a_position_is_missing_when_there_was_no_fix() {
        let rows =
            [(1, 0.0, 0.0, 5.0, 9.0), (2, 51.0, 0.0, 5.0, 9.0), (3, 1.0, NAN, 5.0, 9.0), (4, 1.0, 359.0, 5.0, 9.0)];
        let (kept, screening) = corrected(deployment(&rows), &Sensor::default());
        let longitudes: Vec<f64> = kept.longitude.iter().collect();
        assert!(longitudes[0].is_nan() && longitudes[2].is_nan() && kept.latitude.get(2).is_nan());
        assert_eq!((longitudes[1], longitudes[3], screening.no_fix, screening.kept), (0.0, -1.0, 1, 4));
        let newer = Sensor { deck_firmware: Some(4.06), ..Sensor::default() };
        assert_eq!(corrected(deployment(&rows), &newer).0.longitude.get(0), 0.0);
        let (kept, screening, _) = ops_qc(deployment(&rows));
        assert_eq!((kept.len(), screening.counts[&Reason::Incomplete]), (1, 3));
    }

    #[test]
    fn cut_rows_are_not_trusted() {
        let rows = [(1, 1.0, 1.0, 5.0, 9.0), (99, 1.0, 1.0, 0.0, NAN)];
        let (kept, screening) = corrected(deployment(&rows), &Sensor::default());
        assert_eq!((kept.len(), screening.counts[&Reason::Cut]), (1, 1));
    }

    #[test]
    fn ops_qc_counts_reset_rows_before_it_drops_others() {
        let rows =
            [(1, NAN, NAN, 5.0, 9.0), (1, 1.0, 1.0, 5.0, 9.0), (2, 1.0, 1.0, 512.9, 44.444), (3, 1.0, 1.0, 2.0, 44.4)];
        let (_, _, resets) = ops_qc(deployment(&rows));
        assert_eq!((resets.codes.as_str(), resets.indices.as_str(), resets.first), ("512, 2", "1, 2", Some(1)));
        assert_eq!(resets.timestamps, "1970-01-01T00:00:00.000000002, 1970-01-01T00:00:00.000000003");
        assert_eq!(ops_qc(deployment(&rows[..2])).2.codes, "None");
    }
}
