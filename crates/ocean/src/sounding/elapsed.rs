//! One time line from a counter of milliseconds that wraps, restarts and is read out of order.
//!
//! The reference takes every step back for a wrap of the 32-bit counter, though loggers stamp sentences before they are
//! complete and drain several channels in turn: steps back of tens of milliseconds are normal. Here a step back is a wrap
//! only if it is more than half of the counter, jitter if it is small, and otherwise a restart of the logger.

/// A step back that is no more than loggers' channels do, ms.
const JITTER: i64 = 2_000;

/// What is put between the end of one start of the logger and the begin of the next, ms: so long that nothing is
/// interpolated across it.
pub const RESTART_GAP: i64 = 30 * 86_400_000;

/// Where a counter begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// At 2^32, as loggers count.
    Full,
    /// At 60,000, within the minute, as some converters count (Yacht Devices voyage recorders).
    Minute,
}

/// Looks at all stamps of a file before they are put on a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Survey {
    last: Option<u32>,
    largest: u32,
    far_back: u64,
}

impl Survey {
    /// Looks at one stamp.
    pub fn look(&mut self, stamp: u32) {
        let step_back = self.last.replace(stamp).map_or(0, |last| last.saturating_sub(stamp));
        self.largest = self.largest.max(stamp);
        self.far_back += u64::from(step_back > 30_000);
    }

    /// True if no packet of the file has a stamp: all are 0.
    pub fn is_unstamped(&self) -> bool {
        self.largest == 0
    }

    /// Where the counter begins anew.
    pub fn counter(&self) -> Counter {
        if self.largest < 60_000 && self.far_back > 0 { Counter::Minute } else { Counter::Full }
    }
}

/// Puts stamps on a line, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    period: i64,
    base: i64,
    last: Option<i64>,
    /// Times that the counter began anew.
    pub wraps: u64,
    /// Times that the logger was started again.
    pub restarts: u64,
    /// Stamps that were before one that came earlier in the file.
    pub steps_back: u64,
}

impl Line {
    /// A line for stamps of a counter.
    pub fn new(counter: Counter) -> Self {
        let period = match counter {
            Counter::Full => 1 << 32,
            Counter::Minute => 60_000,
        };
        Self { period, base: 0, last: None, wraps: 0, restarts: 0, steps_back: 0 }
    }

    /// Where the next stamp lies, ms on the line; before 0 if it is from before the first wrap.
    pub fn put(&mut self, stamp: u32) -> i64 {
        let stamp = i64::from(stamp);
        let Some(last) = self.last else {
            self.last = Some(stamp);
            return stamp;
        };
        let step = stamp - last;
        if step > self.period / 2 {
            // From before the wrap, heard late.
            self.steps_back += 1;
            return self.base + stamp - self.period;
        }
        if (-JITTER..0).contains(&step) {
            self.steps_back += 1;
            return self.base + stamp;
        }
        if step < -self.period / 2 {
            self.wraps += 1;
            self.base += self.period;
        } else if step < 0 {
            self.restarts += 1;
            self.base += last - stamp + RESTART_GAP;
        }
        self.last = Some(stamp);
        self.base + stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(counter: Counter, stamps: &[u32]) -> (Vec<i64>, Line) {
        let mut line = Line::new(counter);
        (stamps.iter().map(|stamp| line.put(*stamp)).collect(), line)
    }

    #[test]
    fn a_small_step_back_is_no_wrap() {
        let (line, state) = put(Counter::Full, &[5_000, 4_985, 5_120, 5_090, 6_000]);
        assert_eq!(line, [5_000, 4_985, 5_120, 5_090, 6_000]);
        assert_eq!((state.wraps, state.restarts, state.steps_back), (0, 0, 2));
    }

    #[test]
    fn the_counter_wraps_once_even_with_jitter_at_the_wrap() {
        let (line, state) = put(Counter::Full, &[u32::MAX - 500, 0, u32::MAX, 400, 390]);
        assert_eq!(line, [(1 << 32) - 501, 1 << 32, (1 << 32) - 1, (1 << 32) + 400, (1 << 32) + 390]);
        assert_eq!((state.wraps, state.restarts), (1, 0));
    }

    #[test]
    fn a_restart_begins_far_away() {
        let (line, state) = put(Counter::Full, &[600_000, 700, 1_700]);
        assert_eq!(line, [600_000, 600_000 + RESTART_GAP, 601_000 + RESTART_GAP]);
        assert_eq!((state.wraps, state.restarts), (0, 1));
    }

    #[test]
    fn a_counter_within_the_minute_is_found_and_unwound() {
        let stamps = [58_000, 59_990, 10, 59_995, 20_000, 40_000, 100];
        let mut survey = Survey::default();
        stamps.iter().for_each(|stamp| survey.look(*stamp));
        assert_eq!((survey.counter(), survey.is_unstamped()), (Counter::Minute, false));
        assert_eq!(put(survey.counter(), &stamps).0, [58_000, 59_990, 60_010, 59_995, 80_000, 100_000, 120_100]);
    }
}
