//! Hop 2: an event and its runs become items, in one transaction. What was known gets the runs that it did not have.

use futures::{StreamExt, TryStreamExt, stream};
use tidegate_model::{ErrorKind, Event, EventId, RunId};
use tidegate_stores::{Admission, Admitted, Error, Item, NewRun, Result};

use super::DynamoLedger;
use super::layout::{
    FUNCTIONS, RunOfEvent, UNACKNOWLEDGED, content_key, event_item, event_key, function_partition, queue_items,
    run_item, run_key, state_of,
};
use crate::dynamo::{AT_ONCE, Attributes, Change, Key, Select, Step, instant, json, maybe_text, nested, number};

/// How often an admission is begun anew because another one of the same event was in between.
const TRIES: usize = 8;

/// The most steps of a transaction, less than DynamoDB's 100: what an admission needs besides its runs.
const MOST_RUNS: usize = 90;

impl DynamoLedger {
    /// Events of one group in their order, groups beside each other.
    pub(super) async fn admit_all(&self, admissions: Vec<Admission>) -> Result<Vec<Admitted>> {
        self.name_functions(admissions.iter().flat_map(|admission| &admission.runs)).await?;
        let mut groups: Vec<(String, Vec<(usize, &Admission)>)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for (index, admission) in admissions.iter().enumerate() {
            let group = admission.event.group();
            let place = *places.entry(group.clone()).or_insert_with(|| {
                groups.push((group, Vec::new()));
                groups.len() - 1
            });
            groups[place].1.push((index, admission));
        }
        let admit = |(_, members): (String, Vec<(usize, &Admission)>)| {
            let members: Vec<(usize, Admission)> =
                members.into_iter().map(|(index, one)| (index, one.clone())).collect();
            async move {
                let mut admitted = Vec::with_capacity(members.len());
                for (index, admission) in members {
                    admitted.push((index, self.admit_one(&admission).await?));
                }
                Ok::<_, Error>(admitted)
            }
        };
        let admitted: Vec<Vec<(usize, Admitted)>> =
            stream::iter(groups).map(admit).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut admitted: Vec<(usize, Admitted)> = admitted.into_iter().flatten().collect();
        admitted.sort_by_key(|(index, _)| *index);
        Ok(admitted.into_iter().map(|(_, admitted)| admitted).collect())
    }

    /// Notes, once a process, that there are these functions.
    async fn name_functions(&self, runs: impl Iterator<Item = &NewRun>) -> Result<()> {
        let new: Vec<String> = {
            let named = self.named();
            let mut new: Vec<String> =
                runs.map(|run| run.function.clone()).filter(|function| !named.contains(function)).collect();
            new.sort_unstable();
            new.dedup();
            new
        };
        for function in new {
            self.table.put(Key::new(FUNCTIONS, function.as_str()).attributes()).await?;
            self.named().insert(function);
        }
        Ok(())
    }

    async fn admit_one(&self, admission: &Admission) -> Result<Admitted> {
        if admission.runs.len() > MOST_RUNS {
            let what = format!("{} functions take one object, more than {MOST_RUNS}", admission.runs.len());
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        let event = admission.event.id();
        for _ in 0..TRIES {
            let mut steps = vec![Step::Insert(event_item(admission)?)];
            for new in &admission.runs {
                steps.push(Step::Insert(run_item(&admission.event, admission.seen_at, admission.hops, new)?));
            }
            steps.extend(newest(admission)?);
            if self.table.transact(steps).await? {
                let unsettled = admission.runs.iter().map(|new| new.run).collect();
                return Ok(Admitted { event, is_new: true, unsettled });
            }
            if let Some(admitted) = self.add_runs(admission).await? {
                return Ok(admitted);
            }
        }
        Err(Error::new(ErrorKind::Unavailable, format!("event {event} was changed by others all the time")))
    }

    /// Gives a known event the runs that it does not have; `None` if somebody else has changed it meanwhile.
    async fn add_runs(&self, admission: &Admission) -> Result<Option<Admitted>> {
        let event = admission.event.id();
        let key = event_key(event);
        let mut keys: Vec<Key> = admission.runs.iter().map(|new| run_key(new.run)).collect();
        keys.push(key.clone());
        let found = self.table.get_all(keys).await?;
        let Some(item) = found.get(&key) else { return Ok(None) };
        let known = |run: RunId| found.get(&run_key(run));
        let mut unsettled = Vec::new();
        for new in &admission.runs {
            if known(new.run).map(state_of).transpose()?.is_none_or(|state| !state.is_settled()) {
                unsettled.push(new.run);
            }
        }
        let new: Vec<&NewRun> = admission.runs.iter().filter(|new| known(new.run).is_none()).collect();
        if !new.is_empty() && !self.table.transact(added(&admission.event, item, &new)?).await? {
            return Ok(None);
        }
        Ok(Some(Admitted { event, is_new: false, unsettled }))
    }

    pub(super) async fn acknowledge_all(&self, events: Vec<EventId>) -> Result<()> {
        let acknowledge = |event| {
            let open = Change::of(event_key(event)).remove("list").only_if("#list = :open");
            self.table.change(open.with("open", UNACKNOWLEDGED))
        };
        // One that is acknowledged already, or unknown, is left alone.
        stream::iter(events).map(acknowledge).buffer_unordered(AT_ONCE).try_for_each(async |_| Ok(())).await
    }

    pub(super) async fn find_unacknowledged(&self, limit: usize) -> Result<Vec<(EventId, Vec<Item>)>> {
        let select = Select::list(UNACKNOWLEDGED).ascending();
        let mut listing = crate::dynamo::Listing::new(&self.table, vec![select]);
        let mut events: Vec<Attributes> = Vec::new();
        while events.len() < limit
            && let Some(item) = listing.next().await?
        {
            events.push(item);
        }
        let mut all: Vec<(Event, jiff::Timestamp, Vec<RunOfEvent>)> = Vec::with_capacity(events.len());
        for item in &events {
            all.push((json(item, "event")?, instant(item, "seen")?, json(item, "runs")?));
        }
        let keys = all.iter().flat_map(|(_, _, runs)| runs.iter().map(|of| run_key(of.run))).collect();
        let found = self.table.get_all(keys).await?;
        let mut told = Vec::with_capacity(all.len());
        for (event, seen, mut runs) in all {
            let mut settled = Vec::new();
            for of in &runs {
                let state = found.get(&run_key(of.run)).map(state_of).transpose()?;
                settled.push(state.is_none_or(tidegate_model::RunState::is_settled));
            }
            let mut settled = settled.into_iter();
            runs.retain(|_| settled.next() == Some(false));
            told.push((event.id(), queue_items(&event, seen, runs)));
        }
        Ok(told)
    }

    pub(super) async fn are_known(&self, events: &[Event]) -> Result<Vec<bool>> {
        let keys: Vec<Key> = events.iter().map(|event| event_key(event.id())).collect();
        let found = self.table.get_all(keys.clone()).await?;
        let is_known = |key| found.get(key).is_some_and(|item| maybe_text(item, "list") != Some(UNACKNOWLEDGED));
        Ok(keys.iter().map(is_known).collect())
    }
}

/// What a new event makes the newest: the version of its object, or the tick of its function.
fn newest(admission: &Admission) -> Result<Option<Step>> {
    let event = nested(&admission.event)?;
    Ok(Some(match &admission.event {
        Event::Created(object) => {
            let change = Change::of(content_key(&object.path())).set("newest", event.clone());
            let change = change.put("unrouted", admission.unrouted.as_ref().map(|_| 1_u32));
            let change = change.set("seen", admission.seen_at);
            // Nobody has read its bytes yet; without runs nobody will, because they are those of the version before.
            Step::Change(match admission.runs.is_empty() {
                true => change,
                false => change.set("event", event).remove("sha256"),
            })
        }
        Event::Tick(tick) => {
            let change =
                Change::of(Key::new(function_partition(&tick.function), "tick")).set("planned", tick.planned_at);
            Step::Perhaps(change.only_if("attribute_not_exists(#planned) OR #planned < :planned"), None)
        }
    }))
}

/// What gives the event of `item` these runs: they must reach the queue, and the event is no longer one that nobody took.
fn added(event: &Event, item: &Attributes, new: &[&NewRun]) -> Result<Vec<Step>> {
    let (seen, hops) = (instant(item, "seen")?, number(item, "hops")?);
    let mut runs: Vec<RunOfEvent> = json(item, "runs")?;
    runs.extend(new.iter().map(|new| RunOfEvent::from(*new)));
    let before = maybe_text(item, "runs").unwrap_or_default();
    let change = Change::of(event_key(event.id())).set("runs", nested(&runs)?).set("list", UNACKNOWLEDGED);
    let mut steps = vec![Step::Change(change.remove("failure").only_if("#runs = :before").with("before", before))];
    for new in new {
        steps.push(Step::Insert(run_item(event, seen, hops, new)?));
    }
    if let Event::Created(object) = event {
        // If it is the newest version, somebody takes it now, and its bytes are to be read.
        let newest = nested(event)?;
        let taken = Change::of(content_key(&object.path())).remove("unrouted").set("event", newest.clone());
        let taken =
            taken.remove("sha256").only_if("#newest = :newest AND (attribute_not_exists(#event) OR #event <> :newest)");
        steps.push(Step::Perhaps(taken.with("newest", newest), None));
    }
    Ok(steps)
}
