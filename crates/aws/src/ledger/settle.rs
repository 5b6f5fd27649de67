//! Hops 4 and 8: an attempt begins with one conditional update, and ends with one transaction.

use jiff::Timestamp;
use tidegate_model::{Event, Output, RunId, RunState};
use tidegate_stores::{Attempt, Claim, Reject, Result, Settlement, WorkerId};

use super::DynamoLedger;
use super::layout::{
    content_key, counts_key, failure_key, list_of, made, outputs_prefix, rejects_prefix, revision_of, run_key,
    run_partition, state_of,
};
use crate::dynamo::{Attribute, Attributes, Change, Key, Step, fields, instant, json, nested, number, text};

/// The most items that a settlement has in its one transaction, which may have 100: the run, its counts, the newest content and the
/// entry in the failure log come with them.
const MOST_ITEMS: usize = 90;

/// Refused rows that share an item.
const REJECTS: usize = 200;

/// Bytes of refused rows after which an item is full; DynamoDB's limit is 400 KB.
const REJECT_BYTES: usize = 200_000;

/// Claims that are remembered: what is remembered need not be read at the settlement.
const REMEMBERED: usize = 10_000;

/// What a settlement must know of a run besides its own words.
#[derive(Debug, Clone)]
pub(super) struct Claimed {
    function: String,
    event: Event,
    seen: Timestamp,
}

impl Claimed {
    fn of(item: &Attributes) -> Result<Self> {
        let function = text(item, "function")?.to_owned();
        Ok(Self { function, event: json(item, "event")?, seen: instant(item, "seen")? })
    }
}

impl DynamoLedger {
    pub(super) async fn claim_run(&self, run: RunId, worker: &WorkerId, now: Timestamp) -> Result<Claim> {
        let claim = Change::of(run_key(run)).set("state", RunState::Running.as_str()).set("worker", worker.0.as_str());
        let claim = claim.set("started", now).add("attempts", 1).only_if("#state IN (:waiting, :state)");
        let item = match self.table.change(claim.with("waiting", RunState::Waiting.as_str())).await? {
            Ok(item) => item,
            Err(None) => return Ok(Claim::Unknown),
            Err(Some(item)) => return Ok(Claim::Settled(state_of(&item)?)),
        };
        let claimed = Claimed::of(&item)?;
        let attempts: u32 = number(&item, "attempts")?;
        let before: u32 = number(&item, "before")?;
        let mut remembered = self.claimed();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(run, claimed.clone());
        Ok(Claim::Granted(Attempt {
            run,
            function: claimed.function,
            revision: revision_of(&item)?,
            event: claimed.event,
            hops: number(&item, "hops")?,
            number: attempts,
            tries: attempts.saturating_sub(before),
        }))
    }

    pub(super) async fn unclaim_run(&self, run: RunId, attempt: u32) -> Result<()> {
        let back = Change::of(run_key(run)).set("state", RunState::Waiting.as_str()).add("before", 1);
        let back = back.only_if("#attempts = :attempt AND #state = :running").with("attempt", attempt);
        // Of a run that is another's or settled, nothing is taken back.
        self.table.change(back.with("running", RunState::Running.as_str())).await.map(drop)
    }

    pub(super) async fn settle_run(&self, settlement: Settlement) -> Result<bool> {
        let remembered = self.claimed().remove(&settlement.run);
        let claimed = match remembered {
            Some(claimed) => claimed,
            None => match self.table.get(&run_key(settlement.run)).await? {
                Some(item) => Claimed::of(&item)?,
                None => return Ok(false),
            },
        };
        let mut made = made_items(&settlement, &claimed)?;
        // What does not fit is written before: nobody sees it until the run says that this attempt has ended it.
        while made.len() > MOST_ITEMS {
            let first: Vec<Step> = made.drain(..MOST_ITEMS).map(Step::Put).collect();
            if !self.table.transact(first).await? {
                return Ok(false);
            }
        }
        let mut steps = vec![Step::Change(end(&settlement, &claimed)?)];
        steps.extend(made.into_iter().map(Step::Put));
        steps.extend(counts(&settlement, &claimed));
        steps.extend(content(&settlement, &claimed)?);
        if let (RunState::Failed, Some(failure)) = (settlement.state, &settlement.failure) {
            let entry = [
                ("list", super::layout::FAILED.attribute()),
                ("at", settlement.at.attribute()),
                ("function", claimed.function.as_str().attribute()),
                ("event", nested(&claimed.event)?),
                ("attempts", settlement.attempt.attribute()),
                ("failure", nested(failure)?),
            ];
            steps.push(Step::Put(fields(&failure_key(settlement.run), entry)));
        }
        self.table.transact(steps).await
    }
}

/// The run's own item.
fn end(settlement: &Settlement, claimed: &Claimed) -> Result<Change> {
    let is_settled = settlement.state.is_settled();
    let failure = settlement.failure.as_ref().map(nested).transpose()?;
    let end = Change::of(run_key(settlement.run)).set("state", settlement.state.as_str());
    let end = end.set("list", list_of(&claimed.function, settlement.state)).set("ended", settlement.attempt);
    let end = end.put("settled", is_settled.then_some(settlement.at)).put("failure", failure);
    let end = end.put("note", settlement.note.clone()).put("input_sha256", settlement.input_sha256.clone());
    let end = end.put("rejected", (settlement.rejected > 0).then_some(settlement.rejected));
    let outputs = u32::try_from(settlement.outputs.len()).unwrap_or(u32::MAX);
    let end = end.put("outputs", (outputs > 0).then_some(outputs));
    let end = end.only_if("#attempts = :ended AND #state = :running");
    Ok(end.with("running", RunState::Running.as_str()))
}

/// Outputs, an item each, and refused rows, many to an item.
fn made_items(settlement: &Settlement, claimed: &Claimed) -> Result<Vec<Attributes>> {
    let mut items = Vec::new();
    let partition = run_partition(settlement.run);
    for (index, output) in settlement.outputs.iter().enumerate() {
        let key = Key::new(&*partition, format!("{}{index:05}", outputs_prefix(settlement.attempt)));
        let mut item = fields(&key, [("output", nested(output)?)]);
        if let Output::Object { bucket, key, .. } = output {
            item.insert("object".to_owned(), made(&format!("{bucket}/{key}")).attribute());
            item.insert("at".to_owned(), claimed.seen.attribute());
        }
        items.push(item);
    }
    let mut first = 0;
    for rejects in pieces(&settlement.rejects) {
        let key = Key::new(&*partition, format!("{}{first:08}", rejects_prefix(settlement.attempt)));
        items.push(fields(&key, [("rejects", nested(&rejects)?)]));
        first += rejects.len();
    }
    Ok(items)
}

/// Refused rows in pieces that each fit an item.
fn pieces(rejects: &[Reject]) -> Vec<&[Reject]> {
    let (mut pieces, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (index, reject) in rejects.iter().enumerate() {
        let place = &reject.place;
        let names = [&place.object, &place.member, &place.column].into_iter().flatten().map(String::len).sum::<usize>();
        // Escaped, a character is at most six.
        let size = 6 * (reject.reason.len() + reject.code.len() + names) + 200;
        if index > start && (index - start >= REJECTS || bytes + size > REJECT_BYTES) {
            pieces.push(&rejects[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += size;
    }
    pieces.extend((start < rejects.len()).then(|| &rejects[start..]));
    pieces
}

/// What is counted of a settled run.
fn counts(settlement: &Settlement, claimed: &Claimed) -> Vec<Step> {
    if !settlement.state.is_settled() {
        return Vec::new();
    }
    let mut counts = Change::of(counts_key(&claimed.function, settlement.run)).add(settlement.state.as_str(), 1);
    if settlement.state == RunState::Succeeded {
        counts = counts.add("rejected", i64::try_from(settlement.rejected).unwrap_or(i64::MAX));
    }
    // Clocks differ, and settlements overtake each other: the last is the latest.
    let last = counts.clone().set("last", settlement.at).only_if("attribute_not_exists(#last) OR #last < :last");
    vec![Step::Perhaps(last, Some(Box::new(counts)))]
}

/// The bytes that were read, if the version is still the newest.
fn content(settlement: &Settlement, claimed: &Claimed) -> Result<Option<Step>> {
    let (Some(sha256), Some(object)) = (&settlement.input_sha256, claimed.event.object()) else { return Ok(None) };
    let read = Change::of(content_key(&object.path())).set("sha256", sha256.as_str());
    Ok(Some(Step::Perhaps(read.only_if("#event = :event").with("event", nested(&claimed.event)?), None)))
}

#[cfg(test)]
mod tests {
    use tidegate_model::Place;

    use super::*;

    #[test]
    fn refused_rows_share_items_that_stay_below_the_limit() {
        let reject =
            |size: usize| Reject { place: Place::default(), code: "R0101".to_owned(), reason: "\u{1}".repeat(size) };
        let many = vec![reject(40); 1_000];
        assert_eq!(pieces(&many).iter().map(|piece| piece.len()).collect::<Vec<_>>(), [200; 5]);
        let long: Vec<Reject> = [10_000, 10_000, 20_000, 30_000, 60_000, 10].map(reject).to_vec();
        let pieces = pieces(&long);
        assert_eq!(pieces.concat(), long, "none is lost");
        for piece in pieces {
            assert!(serde_json::to_string(piece).expect("JSON").len() < 400_000);
        }
    }
}
