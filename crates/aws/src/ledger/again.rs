//! Work that is done again: failed runs that wait anew, and objects whose newest version was not worked on by the present rules.

use std::collections::HashMap;

use jiff::Timestamp;
use tidegate_model::{Event, EventId, Revision, RunId, RunState};
use tidegate_stores::{FailureFilter, Item, Page, Result};

use super::DynamoLedger;
use super::layout::{UNACKNOWLEDGED, content_key, counts_key, event_key, failure_key, list_of, revision_of, run_key};
use crate::dynamo::{Attributes, Change, Listing, Select, Step, instant, json, maybe_json, maybe_text};

/// What is known of the runs of one function on one object.
#[derive(Default)]
struct Worked {
    /// The runs' events, with the revisions that each had.
    events: HashMap<EventId, Vec<Revision>>,
}

impl DynamoLedger {
    pub(super) async fn reopen_failures(
        &self,
        filter: &FailureFilter,
        now: Timestamp,
    ) -> Result<(Vec<Item>, Vec<Event>)> {
        let (mut items, mut forgotten) = (Vec::new(), Vec::new());
        for record in self.list_failures(filter, Page::first(u64::MAX)).await? {
            match record.function {
                Some(function) => {
                    let Ok(run) = record.id.parse() else { continue };
                    if self.reopen_run(run, &function, &record.event).await? {
                        items.push(Item { run, function, group: record.event.group(), due: now });
                    }
                }
                None => {
                    if self.forget(&record.event).await? {
                        forgotten.push(record.event);
                    }
                }
            }
        }
        Ok((items, forgotten))
    }

    /// The run waits, and its event is one whose runs may not be in the queue: a crash strands nothing.
    async fn reopen_run(&self, run: RunId, function: &str, event: &Event) -> Result<bool> {
        let wait = Change::of(run_key(run)).set("state", RunState::Waiting.as_str());
        let wait =
            wait.set("list", list_of(function, RunState::Waiting)).set_to("before", "#attempts").remove("settled");
        let wait = wait.only_if("#state = :failed").with("failed", RunState::Failed.as_str());
        let enqueue = Change::of(event_key(event.id())).set("list", UNACKNOWLEDGED).only_if("attribute_exists(#pk)");
        let count = Change::of(counts_key(function, run)).add(RunState::Failed.as_str(), -1);
        let steps =
            vec![Step::Change(wait), Step::Change(enqueue), Step::Change(count), Step::Delete(failure_key(run))];
        self.table.transact(steps).await
    }

    pub(super) async fn last_content_of(&self, path: &str) -> Result<Option<(Event, String)>> {
        let Some(item) = self.table.get(&content_key(path)).await? else { return Ok(None) };
        let Some(sha256) = maybe_text(&item, "sha256") else { return Ok(None) };
        Ok(maybe_json(&item, "event")?.map(|event| (event, sha256.to_owned())))
    }

    pub(super) async fn find_stale(&self, function: &str, revision: Revision, page: Page) -> Result<Vec<Event>> {
        let worked = self.worked(function).await?;
        let keys = worked.keys().map(|path| content_key(path)).collect();
        let contents = self.table.get_all(keys).await?;
        let mut stale: Vec<(Timestamp, Event)> = Vec::new();
        for (path, worked) in &worked {
            let Some(content) = contents.get(&content_key(path)) else { continue };
            if let Some(found) = worked.stale(content, revision)? {
                stale.push(found);
            }
        }
        stale.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.name().cmp(&other.name())));
        let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
        let take = usize::try_from(page.limit).unwrap_or(usize::MAX);
        Ok(stale.into_iter().map(|(_, event)| event).skip(skip).take(take).collect())
    }

    /// Every object on which the function has runs, by path.
    async fn worked(&self, function: &str) -> Result<HashMap<String, Worked>> {
        let states = [RunState::Waiting, RunState::Succeeded, RunState::Failed, RunState::Superseded];
        let lists = states.map(|state| Select::list(list_of(function, state))).to_vec();
        let mut listing = Listing::new(&self.table, lists);
        let mut worked: HashMap<String, Worked> = HashMap::new();
        while let Some(item) = listing.next().await? {
            let event: Event = json(&item, "event")?;
            if let Some(object) = event.object() {
                let of_object = worked.entry(object.path()).or_default();
                of_object.events.entry(event.id()).or_default().push(revision_of(&item)?);
            }
        }
        Ok(worked)
    }
}

impl Worked {
    /// The newest version, and when it was seen, if the newest one with runs has some of the function but none at `revision`.
    fn stale(&self, content: &Attributes, revision: Revision) -> Result<Option<(Timestamp, Event)>> {
        if content.contains_key("unrouted") {
            return Ok(None);
        }
        let Some(event) = maybe_json::<Event>(content, "event")? else { return Ok(None) };
        let revisions = self.events.get(&event.id());
        let is_stale = revisions.is_some_and(|revisions| !revisions.contains(&revision));
        is_stale.then(|| Ok((instant(content, "seen")?, json(content, "newest")?))).transpose()
    }
}
