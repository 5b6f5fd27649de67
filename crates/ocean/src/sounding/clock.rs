//! UTC along a logger's time line, from what a device said the time was.

/// How far UTC and the counter may drift apart between two references, ms: sentences are late by some hundreds of
/// milliseconds, and some devices tell whole seconds only.
const DRIFT: f64 = 2_000.0;

/// And for each ms between them: far more than any crystal drifts.
const DRIFT_RATE: f64 = 1e-3;

/// It was this time at this place of the line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reference {
    /// Place on the line, ms.
    pub at: i64,
    /// Seconds since 1970-01-01, UTC.
    pub time: f64,
}

/// True if the counter went on between two references as time did.
fn agree(first: Reference, second: Reference) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "ms of less than 285,000 years")]
    let counted = (second.at - first.at) as f64;
    ((second.time - first.time) * 1000.0 - counted).abs() <= DRIFT + DRIFT_RATE * counted
}

/// References in order, without those that are alone against both neighbours.
#[derive(Debug, Clone, PartialEq)]
pub struct Clock {
    references: Vec<Reference>,
    gap: i64,
    /// References that were left out because those before and after agree without them.
    pub outliers: u64,
}

impl Clock {
    /// A clock that does not go where references are more than `gap` ms apart.
    pub fn new(mut references: Vec<Reference>, gap: i64) -> Self {
        references.sort_by_key(|reference| reference.at);
        let mut kept: Vec<Reference> = Vec::with_capacity(references.len());
        let mut outliers = 0;
        for (index, reference) in references.iter().enumerate() {
            if let Some(last) = kept.last_mut() {
                let next = references.get(index + 1);
                if !agree(*last, *reference) && next.is_some_and(|next| agree(*last, *next)) {
                    outliers += 1;
                    continue;
                }
                if last.at == reference.at {
                    *last = *reference;
                    continue;
                }
            }
            kept.push(*reference);
        }
        Self { references: kept, gap, outliers }
    }

    /// The time at a place of the line, s; `None` before the first reference, after the last, in a gap, and where the
    /// time jumps.
    pub fn at(&self, at: i64) -> Option<f64> {
        let after = self.references.partition_point(|reference| reference.at <= at);
        let before = *self.references.get(after.checked_sub(1)?)?;
        if before.at == at {
            return Some(before.time);
        }
        let next = *self.references.get(after)?;
        if next.at - before.at > self.gap || !agree(before, next) {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a part of a gap")]
        let part = (at - before.at) as f64 / (next.at - before.at) as f64;
        Some(before.time + part * (next.time - before.time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(references: &[(i64, f64)]) -> Clock {
        Clock::new(references.iter().map(|(at, time)| Reference { at: *at, time: *time }).collect(), 10_000)
    }

    #[test]
    fn time_is_interpolated_inside_and_not_invented_outside() {
        let clock = clock(&[(2_000, 102.0), (1_000, 101.0), (9_000, 109.0), (60_000, 160.0)]);
        assert_eq!([1_000, 1_500, 5_500, 60_000].map(|at| clock.at(at)), [101.0, 101.5, 105.5, 160.0].map(Some));
        assert_eq!([999, 30_000, 60_001].map(|at| clock.at(at)), [None; 3]);
    }

    #[test]
    fn one_wrong_reference_is_left_out_and_a_jump_is_not_bridged() {
        let one = clock(&[(0, 100.0), (1_000, 5_000.0), (2_000, 102.0)]);
        assert_eq!((one.outliers, one.at(1_000)), (1, Some(101.0)));
        let jump = clock(&[(0, 100.0), (1_000, 101.0), (2_000, 162.0), (3_000, 163.0)]);
        assert_eq!([500, 1_500, 2_500].map(|at| jump.at(at)), [Some(100.5), None, Some(162.5)]);
    }
}
