//! One flag a variable and row, and one a row, out of those of the tests: the worst wins.

use std::ops::Range;

use crate::deployment::Variable;
use crate::flag::{Flag, Flags, NOT_EVALUATED};
use crate::qc::TestResult;

/// Flags of each variable and of all together.
///
/// A missing value weighs least: a row without a position can be good for its temperature, and its position says 9.
#[derive(Debug, Clone)]
pub struct Aggregates {
    variables: [Option<Flags>; 4],
    /// The worst of all.
    pub overall: Flags,
}

impl Aggregates {
    /// Of what the tests gave.
    pub(crate) fn of(tests: &[TestResult], len: usize) -> Self {
        let mut variables: [Option<Flags>; 4] = [const { None }; 4];
        for column in tests.iter().flat_map(|test| &test.columns) {
            match &mut variables[column.variable as usize] {
                Some(flags) => flags.merge(&column.flags),
                none => *none = Some(column.flags.clone()),
            }
        }
        let mut aggregates = Self { variables, overall: Flags::new(NOT_EVALUATED, len) };
        aggregates.sum_up();
        aggregates
    }

    /// Flags of a variable, if any test was about it. Depth has those of pressure.
    pub fn of_variable(&self, variable: Variable) -> Option<&Flags> {
        self.variables[variable as usize].as_ref()
    }

    /// Sets flags of a variable, whatever the tests said.
    pub(super) fn decide(&mut self, variable: Variable, rows: Range<usize>, flag: Flag) {
        let len = self.overall.len();
        let flags = self.variables[variable as usize].get_or_insert_with(|| Flags::new(NOT_EVALUATED, len));
        flags.fill(rows, flag);
        self.sum_up();
    }

    fn sum_up(&mut self) {
        let mut there = self.variables.iter().flatten();
        let Some(first) = there.next() else { return };
        self.overall = first.clone();
        there.for_each(|flags| self.overall.merge(flags));
    }
}
