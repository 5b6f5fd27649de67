//! Seeded simulation: short storms with many seeds, each with its own rate of faults. A failure prints the seed;
//! `TIDEGATE_SEED=7` runs that one alone, `TIDEGATE_SEEDS=5000` more of them.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tidegate_stores::testing::Chance;
use tidegate_stores::testing::conservation::{Traffic, conserve};

use crate::local::Local;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

async fn storm(seed: u64) -> Traffic {
    let faults = [0.0, 0.02, 0.1, 0.25][usize::try_from(seed % 4).expect("a small number")];
    let local = Local::start(seed, faults, None).await;
    conserve(&local, &Chance::new(seed), 24).await
}

#[test]
fn no_storm_loses_doubles_or_mangles_anything() {
    let seeds = match number("TIDEGATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TIDEGATE_SEEDS").unwrap_or(50),
    };
    let mut sums = Traffic::default();
    let is_one = seeds.end - seeds.start == 1;
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let storm = runtime.expect("a runtime").block_on(AssertUnwindSafe(storm(seed)).catch_unwind());
        let traffic = storm.unwrap_or_else(|_| panic!("the panic above came with SEED={seed}"));
        sums.puts += traffic.puts;
        sums.repeats += traffic.repeats;
        sums.crashes += traffic.crashes;
        sums.faults += traffic.faults;
        sums.succeeded += traffic.succeeded;
        sums.failed += traffic.failed;
    }
    println!("{sums:?}");
    if !is_one {
        let least = Traffic { puts: 400, repeats: 100, crashes: 80, faults: 500, succeeded: 800, failed: 0 };
        sums.assert_at_least(least);
    }
}
