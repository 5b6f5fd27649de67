//! What sets one process apart from others: its name among workers, and its chance.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate_engine::Chance;
use tidegate_stores::WorkerId;

/// Host, process and a random number: no other process, here or elsewhere, before or after, has the same.
pub(super) fn worker_id() -> WorkerId {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    WorkerId(format!("{host}-{}-{:08x}", std::process::id(), random() & 0xffff_ffff))
}

/// A random number from the system, as the standard library draws it for its hash maps.
fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// Numbers in 0..1 for the jitter of retries (SplitMix64).
pub(super) fn chance() -> Chance {
    let state = AtomicU64::new(random());
    Arc::new(move || {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let number = ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        number
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_stays_within_its_bounds_and_varies() {
        let chance = chance();
        let drawn: Vec<f64> = (0..1000).map(|_| chance()).collect();
        assert!(drawn.iter().all(|number| (0.0..1.0).contains(number)));
        let mean = drawn.iter().sum::<f64>() / 1000.0;
        assert!((0.4..0.6).contains(&mean), "{mean}");
    }

    #[test]
    fn two_workers_never_have_the_same_id() {
        assert_ne!(worker_id(), worker_id());
    }
}
