//! How far `run --once` is: every ten seconds how many runs are settled, how many a second, and how long the rest takes.

use std::convert::Infallible;
use std::time::Duration;

use tidegate_stores::Ledger;

use crate::output::{Printer, counted, grouped};
use crate::settled::Tally;

/// Between two words.
const EVERY: Duration = Duration::from_secs(10);

/// Tells it until nobody waits for it any more.
pub(crate) async fn tell(printer: &Printer, tally: &Tally, ledger: &dyn Ledger) -> Infallible {
    let mut before = 0;
    loop {
        tokio::time::sleep(EVERY).await;
        let counts = tally.counts();
        let done = counts.succeeded + counts.failed + counts.superseded;
        // A ledger that does not answer now is asked again; what it holds is told at the end.
        let left = ledger.counts().await.map_or(0, |all| all.iter().map(|each| each.waiting + each.running).sum());
        if left > 0 {
            printer.remark(&line(done, left, done - before, EVERY));
        }
        before = done;
    }
}

/// One line: of those `recently` settled within `span` follows how long the rest takes.
fn line(done: u64, left: u64, recently: u64, span: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts of runs")]
    let (rate, left_over) = (recently as f64 / span.as_secs_f64(), left as f64);
    let told = format!("{} settled, {} left", counted(done, "run"), grouped(left));
    if recently == 0 {
        return told;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "minutes and seconds for people")]
    let seconds = (left_over / rate).ceil() as u64;
    let eta = match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3_600)),
    };
    format!("{told}, {rate:.0}/s, about {eta} to go")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_follows_from_the_rate() {
        let ten = Duration::from_secs(10);
        assert_eq!(line(1_000, 2_000, 500, ten), "1,000 runs settled, 2,000 left, 50/s, about 40 s to go");
        assert_eq!(line(1, 36_000, 10, ten), "1 run settled, 36,000 left, 1/s, about 10 h to go");
        assert_eq!(line(7, 9, 0, ten), "7 runs settled, 9 left");
    }
}
