//! The engine itself: one pipeline's functions joined to the places behind the seams.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_model::{self as model, ErrorKind, RunId};
use tidegate_stores::{Attempt, Error, Lease, Result, Settlement};
use tokio_util::sync::CancellationToken;

use crate::{Function, Kind, Wiring};

/// How long a lease lasts without a heartbeat. A killed process on this machine loses its leases at once; this is for
/// workers that hang, or machines that vanish.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// How long attempts under way may still take once the process is asked to end.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Most runs that may lie in one line, each on an output of the one before; beyond it is a loop.
pub(crate) const MAX_HOPS: u32 = 16;

/// Runs one pipeline: admits what its sources see, works on what waits, settles what was done.
pub struct Engine {
    pub(crate) wiring: Arc<Wiring>,
    pub(crate) functions: BTreeMap<String, Arc<Ready>>,
    /// Functions that read tables, each with those that write them.
    pub(crate) writers: BTreeMap<String, Vec<String>>,
    /// Attempts under way in this process by run, each with its number and the means to stop it.
    held: Mutex<HashMap<RunId, (u32, CancellationToken)>>,
    /// Objects that runs of this process are just committing, with the hops of what they will cause.
    committing: Mutex<HashMap<(String, String), u32>>,
    /// Hears how attempts of this process ended.
    observer: Option<Observer>,
}

/// Hears of every settlement that the ledger has accepted from this process, retries (`Waiting`) among them.
pub type Observer = Box<dyn Fn(&Attempt, &Settlement) + Send + Sync>;

/// A function ready to be called, and what the file says of it.
pub(crate) struct Ready {
    pub(crate) spec: Arc<model::Function>,
    pub(crate) function: Box<dyn Function>,
}

impl Engine {
    /// Makes every function of the pipeline from its kind.
    ///
    /// # Errors
    /// `Invalid` if a kind refuses a function's options, or the pipeline names a kind that is not among `kinds`.
    pub fn new(wiring: Wiring, kinds: &[Kind]) -> Result<Self> {
        let mut functions = BTreeMap::new();
        for spec in &wiring.pipeline.functions {
            let kind = kinds.iter().find(|kind| kind.spec.name == spec.kind).ok_or_else(|| {
                Error::new(ErrorKind::Invalid, format!("function `{}` has the unknown kind `{}`", spec.name, spec.kind))
            })?;
            let function = (kind.build)(spec, &wiring.pipeline)
                .map_err(|failure| Error::caused(failure.kind, format!("function `{}`", spec.name), failure))?;
            functions.insert(spec.name.clone(), Arc::new(Ready { spec: Arc::new(spec.clone()), function }));
        }
        let writers = crate::order::writers(&wiring.pipeline.functions);
        Ok(Self {
            wiring: Arc::new(wiring),
            functions,
            writers,
            held: Mutex::default(),
            committing: Mutex::default(),
            observer: None,
        })
    }

    /// The same, observed. It is told on the worker's threads, so it must not take long.
    #[must_use]
    pub fn observed(self, observer: Observer) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// The checked pipeline it runs.
    pub fn pipeline(&self) -> &model::Pipeline {
        &self.wiring.pipeline
    }

    /// The ledger's word on how an attempt ended; whoever observes hears it after that. False if the attempt was no
    /// longer the run's last: its end means nothing, and the lease is not its to give up.
    pub(crate) async fn record(&self, attempt: &Attempt, settlement: Settlement) -> Result<bool> {
        let told = self.observer.is_some().then(|| settlement.clone());
        let is_settled = self.wiring.ledger.settle(settlement).await?;
        self.tell(attempt, told.filter(|_| is_settled));
        Ok(is_settled)
    }

    /// The same for a settlement after which nothing is left to do, so that the queue lets the run go.
    pub(crate) async fn record_and_acknowledge(
        &self,
        attempt: &Attempt,
        settlement: Settlement,
        lease: &Lease,
    ) -> Result<bool> {
        let told = self.observer.is_some().then(|| settlement.clone());
        let is_settled = self.wiring.joint.settle_and_acknowledge(settlement, lease.clone()).await?;
        self.tell(attempt, told.filter(|_| is_settled));
        Ok(is_settled)
    }

    fn tell(&self, attempt: &Attempt, settlement: Option<Settlement>) {
        if let (Some(observer), Some(settlement)) = (&self.observer, settlement) {
            observer(attempt, &settlement);
        }
    }

    /// Forgets the hops of objects: their events are admitted, or left to the bucket's source.
    pub(crate) fn committed(&self, objects: &[(String, String)]) {
        let mut committing = self.committing();
        for object in objects {
            committing.remove(object);
        }
    }

    pub(crate) fn now(&self) -> jiff::Timestamp {
        (self.wiring.clock)()
    }

    pub(crate) fn held(&self) -> MutexGuard<'_, HashMap<RunId, (u32, CancellationToken)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn committing(&self) -> MutexGuard<'_, HashMap<(String, String), u32>> {
        self.committing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
