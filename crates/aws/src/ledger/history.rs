//! What the ledger tells: listings and traces, from its two indexes. They may lag behind by a moment.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt, stream};
use tidegate_model::{Event, EventId, Output, RunId, RunState};
use tidegate_stores::{
    FailureFilter, FailureRecord, FunctionCounts, Page, Reject, Result, RunFilter, RunRecord, Verdict,
};

use super::DynamoLedger;
use super::layout::{
    FAILED, FUNCTIONS, RunOfEvent, UNROUTED, event_key, failure_of, failure_record, function_partition, is_run,
    list_of, made, outputs_prefix, rejects_prefix, run_key, run_of, run_partition, run_record,
};
use crate::dynamo::{AT_ONCE, Attributes, Listing, Select, instant, json, maybe_instant, number, text};

/// Runs whose outputs are read together.
const TOGETHER: usize = 64;

impl DynamoLedger {
    pub(super) async fn list_runs(&self, filter: &RunFilter, page: Page) -> Result<Vec<RunRecord>> {
        let mut skip = page.offset;
        let mut found: Vec<Attributes> = Vec::new();
        let is_full = |found: &Vec<Attributes>| found.len() as u64 >= page.limit;
        let mut take = |item: Attributes, found: &mut Vec<Attributes>| -> Result<()> {
            let record = run_record(&item)?;
            if is_wanted(&record, filter) {
                match skip {
                    0 => found.push(item),
                    _ => skip -= 1,
                }
            }
            Ok(())
        };
        if let Some(candidates) = self.candidates(filter).await? {
            for item in candidates {
                if !is_full(&found) {
                    take(item, &mut found)?;
                }
            }
        } else {
            let mut listing = Listing::new(&self.table, self.lists(filter).await?);
            while !is_full(&found)
                && let Some(item) = listing.next().await?
            {
                take(item, &mut found)?;
            }
        }
        self.with_outputs(found).await
    }

    /// The runs among which those that the filter wants are, the newest first, if they can be named without going through lists.
    async fn candidates(&self, filter: &RunFilter) -> Result<Option<Vec<Attributes>>> {
        if let Some(digits) = &filter.id_prefix {
            if digits.len() > 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Ok(Some(Vec::new()));
            }
            if let Ok(run) = digits.parse::<RunId>() {
                return Ok(Some(self.table.get(&run_key(run)).await?.into_iter().collect()));
            }
        }
        if let Some((bucket, key)) = &filter.made {
            let mut runs = Vec::new();
            for (run, _) in self.makers(&format!("{bucket}/{key}")).await? {
                runs.push(run);
            }
            let found = self.table.get_all(runs.iter().map(|run| run_key(*run)).collect()).await?;
            let mut seen = HashSet::new();
            let runs = runs.into_iter().filter(|run| seen.insert(*run));
            return Ok(Some(runs.filter_map(|run| found.get(&run_key(run)).cloned()).collect()));
        }
        if let (Some(bucket), Some(key)) = (&filter.bucket, &filter.key) {
            let items = Select::object(format!("{bucket}/{key}")).since(filter.since).all(&self.table).await?;
            return Ok(Some(items.into_iter().filter(is_run).collect()));
        }
        Ok(None)
    }

    /// The lists that the filter wants.
    async fn lists(&self, filter: &RunFilter) -> Result<Vec<Select>> {
        let functions = match &filter.function {
            Some(function) => vec![function.clone()],
            None => self.functions().await?,
        };
        let states = match filter.state {
            Some(state) => vec![state],
            None => vec![RunState::Waiting, RunState::Succeeded, RunState::Failed, RunState::Superseded],
        };
        let lists = functions.iter().flat_map(|function| states.iter().map(|state| list_of(function, *state)));
        Ok(lists.map(|list| Select::list(list).since(filter.since)).collect())
    }

    /// The names of all functions that ever had a run, sorted.
    pub(super) async fn functions(&self) -> Result<Vec<String>> {
        let items = self.table.items(FUNCTIONS, "").await?;
        items.iter().map(|item| Ok(text(item, "sk")?.to_owned())).collect()
    }

    /// Runs that made the object at `path`, the newest first, with its entity tag.
    async fn makers(&self, path: &str) -> Result<Vec<(RunId, Option<String>)>> {
        let items = Select::object(made(path)).all(&self.table).await?;
        let maker = |item: &Attributes| -> Result<_> {
            let etag = match json(item, "output")? {
                Output::Object { etag, .. } => etag,
                _ => None,
            };
            Ok((run_of(item)?, etag))
        };
        items.iter().map(maker).collect()
    }

    /// Records with their outputs, in the order of the items.
    async fn with_outputs(&self, items: Vec<Attributes>) -> Result<Vec<RunRecord>> {
        let record = |item: Attributes| async move {
            let mut record = run_record(&item)?;
            if number::<u32>(&item, "outputs")? > 0 {
                let prefix = outputs_prefix(number(&item, "ended")?);
                let outputs = self.table.items(&run_partition(record.run), &prefix).await?;
                record.outputs = outputs.iter().map(|output| json(output, "output")).collect::<Result<_>>()?;
            }
            Ok(record)
        };
        stream::iter(items).map(record).buffered(TOGETHER).try_collect().await
    }

    pub(super) async fn list_failures(&self, filter: &FailureFilter, page: Page) -> Result<Vec<FailureRecord>> {
        let lists = if filter.function.is_some() { vec![FAILED] } else { vec![FAILED, UNROUTED] };
        let lists = lists.into_iter().map(|list| {
            let select = Select::list(list).since(filter.since);
            match &filter.function {
                Some(function) => select.with("function", function.as_str()),
                None => select,
            }
        });
        let mut listing = Listing::new(&self.table, lists.collect());
        let (mut skip, mut found) = (page.offset, Vec::new());
        while (found.len() as u64) < page.limit
            && let Some(item) = listing.next().await?
        {
            let record = failure_record(&item)?;
            let is_wanted = filter.code.as_ref().is_none_or(|code| record.failure.code == *code)
                && filter.id_prefix.as_ref().is_none_or(|digits| begins(&record.id, digits));
            match (is_wanted, skip) {
                (false, _) => {}
                (true, 0) => found.push(record),
                (true, _) => skip -= 1,
            }
        }
        Ok(found)
    }

    pub(super) async fn list_rejects(&self, run: RunId, page: Page) -> Result<Vec<Reject>> {
        let Some(item) = self.table.get(&run_key(run)).await? else { return Ok(Vec::new()) };
        let pieces = self.table.items(&run_partition(run), &rejects_prefix(number(&item, "ended")?)).await?;
        let mut rejects: Vec<Reject> = Vec::new();
        for piece in &pieces {
            rejects.extend(json::<Vec<Reject>>(piece, "rejects")?);
        }
        let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
        let take = usize::try_from(page.limit).unwrap_or(usize::MAX);
        Ok(rejects.into_iter().skip(skip).take(take).collect())
    }

    pub(super) async fn trace_object(&self, path: &str) -> Result<Vec<Verdict>> {
        let select = Select::object(path).ascending();
        let (items, makers) = futures::try_join!(select.all(&self.table), self.makers(path))?;
        let (runs, events): (Vec<Attributes>, Vec<Attributes>) = items.into_iter().partition(is_run);
        let runs = self.with_outputs(runs).await?;
        let mut verdicts = Vec::with_capacity(events.len());
        for item in events {
            let event: Event = json(&item, "event")?;
            let event_id: EventId = event.id();
            let order: Vec<RunOfEvent> = json(&item, "runs")?;
            let etag = event.object().and_then(|object| object.etag.as_ref());
            let parent = makers.iter().find(|(_, made)| made.as_ref() == etag).map(|(run, _)| *run);
            let runs = order.iter().filter_map(|of| runs.iter().find(|record| record.run == of.run).cloned()).collect();
            let (seen_at, unrouted) = (instant(&item, "seen")?, failure_of(&item)?);
            verdicts.push(Verdict { event_id, event, seen_at, parent, unrouted, runs });
        }
        Ok(verdicts)
    }

    pub(super) async fn count_runs(&self) -> Result<Vec<FunctionCounts>> {
        let functions = self.functions().await?;
        let counts = stream::iter(functions).map(|function| self.count_runs_of(function)).buffered(AT_ONCE);
        let mut counts: Vec<FunctionCounts> = counts.try_collect().await?;
        counts.retain(|c| c.waiting + c.running + c.succeeded + c.failed + c.superseded > 0);
        Ok(counts)
    }

    async fn count_runs_of(&self, function: String) -> Result<FunctionCounts> {
        let open = |state: RunState| Select::list(list_of(&function, state)).with("state", state.as_str());
        let (waiting, running) = (open(RunState::Waiting), open(RunState::Running));
        let partition = function_partition(&function);
        let (waiting, running, items) = futures::try_join!(
            waiting.count(&self.table),
            running.count(&self.table),
            self.table.items(&partition, "counts#")
        )?;
        let mut counts = FunctionCounts { waiting, running, ..FunctionCounts::default() };
        for item in &items {
            counts.succeeded += number::<u64>(item, RunState::Succeeded.as_str())?;
            counts.failed += number::<u64>(item, RunState::Failed.as_str())?;
            counts.superseded += number::<u64>(item, RunState::Superseded.as_str())?;
            counts.rejected += number::<u64>(item, "rejected")?;
            counts.last_settled_at = counts.last_settled_at.max(maybe_instant(item, "last")?);
        }
        Ok(FunctionCounts { function, ..counts })
    }

    /// Events that the list of failures names and nobody took.
    pub(super) async fn forget(&self, event: &Event) -> Result<bool> {
        let key = event_key(event.id());
        self.table.delete_if(&key, "list", UNROUTED).await
    }
}

fn is_wanted(record: &RunRecord, filter: &RunFilter) -> bool {
    let object = record.event.object();
    let settled = |(from, until): &(jiff::Timestamp, jiff::Timestamp)| {
        record.settled_at.is_some_and(|at| at >= *from && at < *until)
    };
    filter.function.as_ref().is_none_or(|function| record.function == *function)
        && filter.state.is_none_or(|state| record.state == state)
        && filter.bucket.as_ref().is_none_or(|bucket| object.is_some_and(|object| object.bucket == *bucket))
        && filter.key.as_ref().is_none_or(|key| object.is_some_and(|object| object.key == *key))
        && filter.id_prefix.as_ref().is_none_or(|digits| begins(&record.run.to_string(), digits))
        && filter.since.is_none_or(|since| record.seen_at >= since)
        && filter.settled.as_ref().is_none_or(settled)
        && (!filter.with_rejects || record.rejected > 0)
}

/// True if the id begins with these digits, capital or not.
fn begins(id: &str, digits: &str) -> bool {
    id.get(..digits.len()).is_some_and(|start| start.eq_ignore_ascii_case(digits))
}
