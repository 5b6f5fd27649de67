//! The oracle of conservation on the local back ends: one long storm each, in memory and on disk.

use tidegate_stores::testing::Chance;
use tidegate_stores::testing::conservation::{Traffic, conserve};

use crate::local::Local;

const LEAST: Traffic = Traffic { puts: 60, repeats: 20, crashes: 7, faults: 100, succeeded: 100, failed: 0 };

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_doubled_or_mangled_in_memory() {
    let local = Local::start(1, 0.08, None).await;
    conserve(&local, &Chance::new(1), 160).await.assert_at_least(LEAST);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_doubled_or_mangled_on_disk() {
    let dir = tempfile::tempdir().expect("a folder");
    let local = Local::start(2, 0.08, Some(dir.path())).await;
    conserve(&local, &Chance::new(2), 160).await.assert_at_least(LEAST);
}
