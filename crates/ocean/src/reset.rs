//! Rows that the sensor writes when it starts anew: their temperature is a marker and their pressure a code.

use crate::deployment::Rows;
use crate::screen::Kept;
use crate::series::{MISSING_TIME, Series};

/// The marker, degrees Celsius.
const MARKER: f64 = 44.444;

/// Resets that are told one by one.
const TOLD: usize = 100;

/// Within what the marker's three decimals and the sensor's rounding allow; the same distance as in ops_qc.
pub(crate) fn is_reset(temperature: f64) -> bool {
    (temperature - MARKER).abs() <= 1e-8 + 0.001 * MARKER
}

/// One reset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reset {
    /// Its row.
    pub row: usize,
    /// Line of the file.
    pub line: u64,
    /// Microseconds since 1970 UTC, if the row has a time.
    pub time: Option<i64>,
    /// The code, if the row has one.
    pub code: Option<i64>,
}

/// The reset rows of a deployment.
#[derive(Debug, Clone, Default)]
pub struct Resets {
    /// How many there are.
    pub count: usize,
    /// The first of them.
    pub first: Vec<Reset>,
    rows: Kept,
}

impl Resets {
    /// Finds them.
    pub fn of(rows: &Rows) -> Self {
        let mut resets = Self::default();
        for (row, _) in rows.temperature.iter().enumerate().filter(|(_, temperature)| is_reset(*temperature)) {
            if resets.count == 0 {
                resets.rows = Kept::none(rows.len());
            }
            resets.rows.add(row);
            resets.count += 1;
            if resets.first.len() < TOLD {
                let pressure = rows.pressure.get(row);
                let code = pressure.is_finite().then_some(pressure as i64);
                let time = Some(rows.time.get(row)).filter(|time| *time != MISSING_TIME);
                resets.first.push(Reset { row, line: rows.line.get(row), time, code });
            }
        }
        resets
    }

    /// Whether a row is one.
    pub fn has(&self, row: usize) -> bool {
        self.count > 0 && self.rows.has(row)
    }

    /// The column without the values of reset rows; `None` if it can stay as it is.
    pub(crate) fn without(&self, series: &Series) -> Option<Series> {
        let value = |(row, value)| if self.rows.has(row) { f64::NAN } else { value };
        (self.count > 0).then(|| series.iter().enumerate().map(value).collect())
    }
}
