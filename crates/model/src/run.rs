//! The life of a run as a state machine, and what it leaves behind.

use serde::{Deserialize, Serialize};

use crate::MailId;

/// Where a run stands. The ledger stores it; only [`RunState::may_become`] moves are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Admitted, not yet leased, or waiting for its next attempt.
    Waiting,
    /// An attempt is under way.
    Running,
    /// Its effect is committed.
    Succeeded,
    /// It ended without its effect; the failure says why.
    Failed,
    /// Its object was replaced by a newer version, or was gone, before it was read: nothing to do.
    Superseded,
}

impl RunState {
    /// Every state, in the order of a run's life.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Running, Self::Succeeded, Self::Failed, Self::Superseded];

    /// True for the states a run ends in. A failed run may be reopened by a person.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Superseded)
    }

    /// True if a run in this state may move to `next`.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Waiting => matches!(next, Self::Running),
            // Running again: the worker that held it died and another claims it.
            Self::Running => true,
            // Reopened by `tidegate failures retry`.
            Self::Failed => matches!(next, Self::Waiting),
            Self::Succeeded | Self::Superseded => false,
        }
    }

    /// The word the ledger stores and people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }

    /// The state whose word this is.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// Something a run made, as the ledger records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Output {
    /// An object in a bucket.
    Object {
        /// Bucket of the pipeline file.
        bucket: String,
        /// Key.
        key: String,
        /// Size in bytes.
        size: u64,
        /// SHA-256 of the bytes, hexadecimal.
        sha256: String,
        /// Entity tag that the bucket gave it; it joins the object to the events it causes.
        etag: Option<String>,
    },
    /// Rows of a table, committed at once.
    Rows {
        /// Table of the pipeline file.
        table: String,
        /// Rows that were new.
        inserted: u64,
        /// Rows that were there and changed.
        updated: u64,
        /// Rows that were there and equal.
        unchanged: u64,
        /// Rows deleted because they left the file (mirror mode).
        deleted: u64,
        /// SHA-256 of the input that made them, hexadecimal.
        sha256: String,
    },
    /// A mail in the outbox. What became of it there, the outbox tells.
    Mail {
        /// Its id in the outbox.
        message_id: MailId,
        /// Whom it is for, in a word that is no address: a vessel's name, `operator`.
        about: String,
        /// Size in bytes.
        size: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settled_runs_stay_settled_unless_a_failure_is_reopened() {
        for from in RunState::ALL {
            for to in RunState::ALL {
                let reopened = from == RunState::Failed && to == RunState::Waiting;
                if from.is_settled() && !reopened {
                    assert!(!from.may_become(to), "{from:?} -> {to:?}");
                }
            }
            assert_eq!(RunState::parse(from.as_str()), Some(from));
        }
    }
}
