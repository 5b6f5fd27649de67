//! What a pipeline needs on AWS and nowhere else: who is told when something is wrong, how long logs are kept, and the size of
//! each function. Elsewhere it has no effect.

use std::time::Duration;

use serde::Serialize;

use crate::Address;

/// `[aws]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Aws {
    /// Who gets mails when an alarm goes off; those of `[mail] operator` if the file does not say.
    #[serde(skip)]
    pub alarms: Vec<Address>,
    /// For how many days logs are kept.
    pub log_days: u32,
}

impl Aws {
    /// What CloudWatch Logs takes.
    pub const LOG_DAYS: [u32; 22] =
        [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Aws {
    fn default() -> Self {
        Self { alarms: Vec::new(), log_days: 30 }
    }
}

/// `aws = { … }` of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// Memory of one call, in MiB; its share of a processor follows.
    pub memory: u32,
    /// Room for temporary files of one call, in MiB.
    pub disk: u32,
    /// After how long without a success somebody is told, in whole hours; `None`: twice the time between two ticks, and
    /// never for what objects start.
    pub stale_after: Option<Duration>,
}

impl Needs {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Needs {
    fn default() -> Self {
        Self { memory: 1024, disk: 1024, stale_after: None }
    }
}
