//! Turns: a function of concurrency N has the turns 0 to N - 1, and a run of it works only while it holds one.

use jiff::Timestamp;
use tidegate_model::RunId;
use tidegate_stores::Result;

use super::DynamoLedger;

/// A place among the runs of a function that work at once. It ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The function.
    pub function: String,
    /// Which of its turns.
    pub number: u32,
    /// Who has it.
    pub run: RunId,
}

impl DynamoLedger {
    /// Takes one of the turns of `function`, of which there are `turns`, until `until`; `None` if none is free at `now`. A run that
    /// has one already gets the same.
    ///
    /// # Errors
    /// `Unavailable`; it may have one all the same, which ends by itself.
    pub async fn take_turn(
        &self,
        _function: &str,
        _turns: u32,
        _run: RunId,
        _now: Timestamp,
        _until: Timestamp,
    ) -> Result<Option<Turn>> {
        unimplemented!("follows")
    }

    /// Keeps the turn until `until`; false if somebody else has it by now.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keep_turn(&self, _turn: &Turn, _until: Timestamp) -> Result<bool> {
        unimplemented!("follows")
    }

    /// Gives the turn back at `now`; nothing happens if somebody else has it by now.
    ///
    /// # Errors
    /// `Unavailable`; it then ends by itself.
    pub async fn give_turn_back(&self, _turn: Turn, _now: Timestamp) -> Result<()> {
        unimplemented!("follows")
    }
}
