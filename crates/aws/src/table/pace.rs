//! How fast a load may write: a bucket that holds the write units of one second, and fills by as many each second.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What the bucket holds: so much of its flow.
const FULL: Duration = Duration::from_secs(1);

/// The pace of one load.
#[derive(Debug)]
pub(super) struct Pace {
    /// Write units a second.
    most: f64,
    /// When all that was sent has been paid for.
    paid: Instant,
}

impl Pace {
    /// At most so many write units a second.
    pub(super) fn new(most: u32) -> Self {
        Self { most: f64::from(most.max(1)), paid: Instant::now() }
    }

    /// Waits until `units` more may be written.
    pub(super) async fn wait(&mut self, units: usize) {
        let from = self.paid.max(Instant::now());
        self.paid = from + Duration::from_secs_f64(units as f64 / self.most);
        sleep_until(self.paid.checked_sub(FULL).unwrap_or(from)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_second_s_worth_it_goes_no_faster_than_it_may() {
        let began = Instant::now();
        let mut pace = Pace::new(100);
        for _ in 0..41 {
            pace.wait(25).await;
        }
        // 1,025 units, the first hundred at once.
        let took = began.elapsed().as_millis();
        assert!((9_200..9_300).contains(&took), "{took}");
        tokio::time::sleep(Duration::from_secs(60)).await;
        let began = Instant::now();
        for _ in 0..8 {
            pace.wait(25).await;
        }
        assert!((900..1_100).contains(&began.elapsed().as_millis()), "a rest is worth one second, not sixty");
    }
}
