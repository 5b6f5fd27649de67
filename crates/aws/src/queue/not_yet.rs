//! Hop 4: for how long a message is left alone whose turn has not come.
//!
//! What is waited for ends at any moment, and nobody tells. So a message is looked at again soon, and then less and less often: each look
//! costs a call and a write. A turn that nobody gave back ends within seconds, so an object is never waited for much longer.

use std::time::Duration;

use crate::dynamo::share;

/// The longest wait for a turn at an object, which only versions of the object wait for.
pub(super) const AT_OBJECT: Duration = Duration::from_secs(10);
/// The longest wait for the one turn of a function, which all of its runs wait for.
pub(super) const AT_FUNCTION: Duration = Duration::from_secs(60);

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);

/// The wait of a message that was received `receives` times: it doubles up to `longest`. What `receipt` names decides how much less it is,
/// at most a half, so that those who wait for the same do not come together again.
pub(super) fn wait(receives: u32, receipt: &str, longest: Duration) -> Duration {
    let bound = FIRST.saturating_mul(1 << receives.saturating_sub(1).min(16)).min(longest);
    bound.mul_f64(1.0 - share(&(receives, receipt)) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_at_again_soon_and_however_often_it_came_within_the_bound() {
        let bound = |receives: u32| Duration::from_secs(1 << (receives - 1)).min(AT_OBJECT);
        for receives in 1..10 {
            let waits: Vec<_> = (0..50).map(|who| wait(receives, &format!("{who}"), AT_OBJECT)).collect();
            assert!(waits.iter().all(|wait| *wait <= bound(receives) && *wait >= bound(receives) / 2), "{waits:?}");
            assert!(waits.iter().max() > waits.iter().min(), "those who wait are kept apart");
        }
        assert!(wait(0, "a", AT_OBJECT) <= FIRST && wait(u32::MAX, "a", AT_FUNCTION) <= AT_FUNCTION);
    }
}
