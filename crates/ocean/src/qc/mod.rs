//! Hop 6: the tests. One file a family; each test is a plain set of thresholds that looks at a deployment and gives flags.
//!
//! Flags are those of [`crate::flag`]. A test that cannot run says why, and gives no vote.

pub mod argo;
pub mod drift;
pub mod flat;
pub mod ops_qc;
pub mod place;
pub mod qartod;
pub mod qartod_tests;
pub mod range;
pub mod sensor;
pub mod spike;
mod test;
pub mod time;

use serde::{Deserialize, Serialize};
pub use test::Test;

use crate::deployment::Variable;
use crate::flag::{BAD, Flag, Flags};
use crate::gear::GearClass;
use crate::leg::Legs;
use crate::reset::Resets;
use crate::sensor::Sensor;
use crate::series::{Series, Times};

/// A variable with a value a row, for tests that serve several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measured {
    /// Pressure, dbar.
    Pressure,
    /// Temperature, degrees Celsius.
    Temperature,
}

impl From<Measured> for Variable {
    fn from(measured: Measured) -> Self {
        match measured {
            Measured::Pressure => Self::Pressure,
            Measured::Temperature => Self::Temperature,
        }
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Variable::from(*self).name())
    }
}

/// Flags of one test for one variable.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name, as it stands in files.
    pub name: String,
    /// What the flags are about.
    pub variable: Variable,
    /// One a row.
    pub flags: Flags,
}

/// What a test gave.
#[derive(Debug, Clone)]
pub struct TestResult {
    /// Name of the test in its rule set.
    pub test: String,
    /// Why it did not run, if it did not.
    pub not_run: Option<String>,
    /// Its flags. A test of ops_qc that failed half way leaves those it had made.
    pub columns: Vec<Column>,
    /// What a person should know beside the flags.
    pub notes: Vec<String>,
}

impl TestResult {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// What tests look at.
pub(crate) struct Subject<'s> {
    pub(crate) time: &'s Times,
    pub(crate) latitude: &'s Series,
    pub(crate) longitude: &'s Series,
    /// Without the codes that stand in reset rows, unless ops_qc's conduct is asked for.
    pub(crate) pressure: &'s Series,
    pub(crate) temperature: &'s Series,
    /// Reset rows.
    pub(crate) resets: &'s Resets,
    pub(crate) sensor: &'s Sensor,
    pub(crate) gear: GearClass,
    pub(crate) legs: &'s Legs,
    /// When the deployment is processed, microseconds since 1970.
    pub(crate) now: i64,
    /// Distance from the first to the last good position, m, once that is known.
    pub(crate) start_end_distance: Option<f64>,
    /// Words stand in these columns (`ops_qc-0.6.0` only).
    pub(crate) has_words: HasWords,
    /// The row from which ops_qc's firmware test flags.
    pub(crate) ops_qc_reset: Option<usize>,
    /// Tests that ran before.
    pub(crate) before: &'s [TestResult],
    /// Good where a variable has a value, missing where it has none, not evaluated in reset rows; by [`Variable::ALL`].
    pub(crate) base: &'s [Flags; 4],
}

/// Columns that hold words where numbers are expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HasWords {
    pub(crate) position: bool,
    pub(crate) pressure: bool,
}

/// What a test is making.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) not_run: Option<String>,
    pub(crate) columns: Vec<Column>,
    pub(crate) notes: Vec<String>,
}

impl Report {
    /// A report with one column.
    pub(crate) fn of(name: &str, variable: Variable, flags: Flags) -> Self {
        Self { columns: vec![Column { name: name.to_owned(), variable, flags }], ..Self::default() }
    }

    /// A report of a test that could not run.
    pub(crate) fn not_run(reason: &str) -> Self {
        Self { not_run: Some(reason.to_owned()), ..Self::default() }
    }

    /// Appends a column.
    pub(crate) fn and(mut self, name: &str, variable: Variable, flags: Flags) -> Self {
        self.columns.push(Column { name: name.to_owned(), variable, flags });
        self
    }

    /// The test failed after it had made its columns.
    pub(crate) fn failed(mut self, reason: &str) -> Self {
        self.not_run = Some(reason.to_owned());
        self
    }
}

impl Subject<'_> {
    pub(crate) fn len(&self) -> usize {
        self.time.len()
    }

    /// The same flag for every row.
    pub(crate) fn all(&self, flag: Flag) -> Flags {
        Flags::new(flag, self.len())
    }

    /// What a test of that variable begins with.
    pub(crate) fn good(&self, variable: Variable) -> Flags {
        self.base[variable as usize].clone()
    }

    /// The values of a variable.
    pub(crate) fn series(&self, measured: Measured) -> &Series {
        match measured {
            Measured::Pressure => self.pressure,
            Measured::Temperature => self.temperature,
        }
    }

    /// Whether a test that ran before gave this variable of a row `flag` or worse.
    pub(crate) fn is_at_least(&self, variable: Variable, flag: Flag) -> impl Fn(usize) -> bool {
        let columns: Vec<&Flags> = self
            .before
            .iter()
            .flat_map(|result| &result.columns)
            .filter(|column| column.variable == variable && column.flags.any_from(flag))
            .map(|column| &column.flags)
            .collect();
        move |row| columns.iter().any(|flags| (flag..=BAD).contains(&flags.get(row)))
    }

    /// A column of a test that ran before.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.before.iter().find_map(|result| result.column(name))
    }
}
