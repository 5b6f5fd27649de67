//! Locks: items of the state table that one process holds at a time, and that end with it.
//!
//! Who holds a lock counts its beats up, every few seconds. Who wants it and sees the count stand still for longer than that
//! takes it over, on condition that it still stands. So nobody's clock is compared with another's.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::attributes::{Attributes, Key, maybe_text, number};
use super::change::Change;
use super::state::StateTable;

/// Between two beats.
const BEAT: Duration = Duration::from_secs(5);

/// A lock whose beats stand still for so long is nobody's.
const DEAD: Duration = Duration::from_secs(20);

/// Between two tries of who waits.
const POLL: Duration = Duration::from_millis(250);

/// Tells locks of one process from each other.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A lock that can be taken.
pub(crate) struct Lock {
    table: StateTable,
    key: Key,
    /// What the name of each of its holds begins with.
    me: String,
    is_held: Arc<AtomicBool>,
    /// Who else holds it, at which beat, and since when that is so.
    seen: Mutex<Option<(String, u64, Instant)>>,
}

/// A lock that is held. It ends when this is dropped.
pub(crate) struct Held {
    table: StateTable,
    key: Key,
    me: String,
    is_held: Arc<AtomicBool>,
    is_lost: Arc<AtomicBool>,
    beating: JoinHandle<()>,
}

impl Lock {
    pub(crate) fn new(table: StateTable, key: Key) -> Self {
        let me = format!("{:016x}-{}-", RandomState::new().hash_one(&key), NEXT.fetch_add(1, Ordering::Relaxed));
        Self { table, key, me, is_held: Arc::default(), seen: Mutex::default() }
    }

    /// Takes the lock; `None` if somebody else has it, or this process by this very lock.
    pub(crate) async fn try_take(&self) -> Result<Option<Held>> {
        if self.is_held.swap(true, Ordering::AcqRel) {
            return Ok(None);
        }
        // Each hold has a name of its own: the late end of one never ends the next.
        let hold = format!("{}{}", self.me, NEXT.fetch_add(1, Ordering::Relaxed));
        match self.change(&hold).await {
            Ok(true) => Ok(Some(self.held(hold))),
            other => {
                self.is_held.store(false, Ordering::Release);
                other.map(|_| None)
            }
        }
    }

    /// Takes the lock, and waits for it up to `patience`.
    pub(crate) async fn take(&self, patience: Duration) -> Result<Held> {
        let began = Instant::now();
        loop {
            if let Some(held) = self.try_take().await? {
                return Ok(held);
            }
            if began.elapsed() >= patience {
                let what = format!("somebody else works on `{}`", self.key.pk);
                return Err(Error::new(ErrorKind::Unavailable, what).help("it is tried again"));
            }
            sleep(POLL).await;
        }
    }

    async fn change(&self, hold: &str) -> Result<bool> {
        let taking = || Change::of(self.key.clone()).set("owner", hold).add("beat", 1);
        let mine = taking().only_if("attribute_not_exists(#owner) OR begins_with(#owner, :me)");
        let mine = mine.with("me", self.me.as_str());
        let Err(refused) = self.table.change(mine).await? else { return Ok(true) };
        let refused = match refused {
            Some(item) => Some(item),
            None => self.table.get(&self.key).await?,
        };
        let Some((owner, beat)) = self.dead(refused.as_ref())? else { return Ok(false) };
        let over = taking().only_if("#owner = :them AND #beat = :stood").with("them", owner).with("stood", beat);
        Ok(self.table.change(over).await?.is_ok())
    }

    /// Whose lock it is, if that one has not counted on for too long.
    fn dead(&self, item: Option<&Attributes>) -> Result<Option<(String, u64)>> {
        let Some(item) = item else { return Ok(None) };
        let Some(owner) = maybe_text(item, "owner") else { return Ok(None) };
        let beat = number(item, "beat")?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.as_ref() {
            Some((who, stood, since)) if who == owner && *stood == beat => {
                Ok((since.elapsed() >= DEAD).then(|| (owner.to_owned(), beat)))
            }
            _ => {
                *seen = Some((owner.to_owned(), beat, Instant::now()));
                Ok(None)
            }
        }
    }

    fn held(&self, me: String) -> Held {
        let (table, key, hold) = (self.table.clone(), self.key.clone(), me.clone());
        let is_lost = Arc::new(AtomicBool::new(false));
        let lost = Arc::clone(&is_lost);
        let beating = tokio::spawn(async move {
            loop {
                sleep(BEAT).await;
                let beat = Change::of(key.clone()).add("beat", 1).only_if("#owner = :me").with("me", hold.as_str());
                // A beat that did not arrive is followed by the next.
                if matches!(table.change(beat).await, Ok(Err(_))) {
                    lost.store(true, Ordering::Release);
                    return;
                }
            }
        });
        let (table, key) = (self.table.clone(), self.key.clone());
        Held { table, key, me, is_held: Arc::clone(&self.is_held), is_lost, beating }
    }
}

impl Held {
    /// An error if somebody has taken the lock over.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_lost.load(Ordering::Acquire) {
            let what = format!("the right to work on `{}` was lost, because this process stood still", self.key.pk);
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
        Ok(())
    }

    fn release(table: StateTable, key: Key, me: String) -> impl Future<Output = ()> {
        let end = Change::of(key).remove("owner").only_if("#owner = :me").with("me", me);
        async move {
            // If it does not arrive, the lock ends by itself.
            let _ = table.change(end).await;
        }
    }

    /// Ends it, and waits until others see that.
    pub(crate) async fn end(self) {
        self.beating.abort();
        Self::release(self.table.clone(), self.key.clone(), self.me.clone()).await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.beating.abort();
        self.is_held.store(false, Ordering::Release);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(Self::release(self.table.clone(), self.key.clone(), self.me.clone()));
        }
    }
}
