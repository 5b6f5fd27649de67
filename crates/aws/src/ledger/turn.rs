//! Turns: a function of concurrency N has the turns 0 to N - 1, and a run of it works only while it holds one.

use jiff::{SignedDuration, Timestamp};
use tidegate_model::RunId;
use tidegate_stores::Result;

use super::DynamoLedger;
use super::layout::function_partition;
use crate::dynamo::{Change, Key, maybe_instant, maybe_text};

/// So long after its end the item of a turn is kept, in case that clocks differ; then DynamoDB may delete it.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

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

impl Turn {
    fn change(&self) -> Change {
        let key = Key::new(function_partition(&self.function), format!("turn#{:04}", self.number));
        Change::of(key)
    }

    fn until(&self, until: Timestamp) -> Change {
        let expires = until.checked_add(KEPT).unwrap_or(Timestamp::MAX).as_second();
        self.change().set("until", until).set("expires", expires)
    }
}

impl DynamoLedger {
    /// Takes one of the turns of `function`, of which there are `turns`, until `until`; `None` if none is free at `now`. A run that
    /// asks again gets its own, or another one while its own goes on to its end.
    ///
    /// # Errors
    /// `Unavailable`; it may have one all the same, which ends by itself.
    pub async fn take_turn(
        &self,
        function: &str,
        turns: u32,
        run: RunId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Turn>> {
        // Each run begins elsewhere, so that those who come at once do not all ask for the same, and always at the same place, so that
        // one that asks again usually finds its own.
        let first = u32::from(run.as_bytes()[0]) % turns.max(1);
        for step in 0..turns {
            let turn = Turn { function: function.to_owned(), number: (first + step) % turns, run };
            let take = turn.until(until).set("run", run.to_string());
            let take = take.only_if("attribute_not_exists(#run) OR #until <= :now OR #run = :run").with("now", now);
            if self.table.change(take).await?.is_ok() {
                return Ok(Some(turn));
            }
        }
        Ok(None)
    }

    /// True if somebody holds the first of the turns of `function` at `now`.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) async fn is_taken(&self, function: &str, now: Timestamp) -> Result<bool> {
        let key = Key::new(function_partition(function), "turn#0000");
        let Some(item) = self.table.get(&key).await? else { return Ok(false) };
        Ok(maybe_text(&item, "run").is_some() && maybe_instant(&item, "until")?.is_some_and(|until| until > now))
    }

    /// Keeps the turn until `until`; false if somebody else has it by now.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keep_turn(&self, turn: &Turn, until: Timestamp) -> Result<bool> {
        let keep = turn.until(until).only_if("#run = :run").with("run", turn.run.to_string());
        Ok(self.table.change(keep).await?.is_ok())
    }

    /// Gives the turn back; nothing happens if somebody else has it by now.
    ///
    /// # Errors
    /// `Unavailable`; it then ends by itself.
    pub async fn give_turn_back(&self, turn: Turn) -> Result<()> {
        let back = turn.change().remove("run").only_if("#run = :run").with("run", turn.run.to_string());
        self.table.change(back).await.map(drop)
    }
}
