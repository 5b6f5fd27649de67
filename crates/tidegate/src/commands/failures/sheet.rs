//! The failure log as rows: one for each failure, and one for each part that a run refused while the rest was taken.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use tidegate_model::{ErrorKind, Place, RunState};
use tidegate_stores::{FailureFilter, FailureRecord, Ledger, Page, RunFilter, RunRecord};

use super::{List, judged};
use crate::commands::export::{Destination, Format, Sheet, unwritable};
use crate::exit::{Exit, Stop};
use crate::project::{Here, Project};
use crate::wiring;

/// Records that are asked for at once.
const PAGE: u64 = 1_000;

/// One row.
#[derive(Default)]
struct Row {
    id: String,
    at: String,
    verdict: &'static str,
    function: Option<String>,
    object: String,
    code: String,
    place: Place,
    reason: String,
    expected: Option<String>,
    help: Option<String>,
    attempts: u64,
}

/// Writes all failures that match, the newest first.
pub(super) fn write(here: &Here, project: &Project, which: &List, format: Format) -> Result<Exit, Stop> {
    let history = wiring::open_history(project)?;
    let filter = which.which.filter(here)?;
    let destination = Destination::open(which.out.as_deref(), format, "failures")?;
    let rows = wiring::ask(gather(history.as_ref(), filter, which))??;
    let batch = batch(&rows)?;
    let mut sheet = Sheet::begin(format, destination.writer(), &batch.schema()).map_err(unwritable)?;
    sheet.write(&batch).and_then(|()| sheet.finish()).map_err(unwritable)?;
    destination.keep(&here.printer, rows.len() as u64)?;
    Ok(Exit::Done)
}

/// Where pages begin.
fn pages() -> impl Iterator<Item = u64> {
    (0..).map(|page: u64| page * PAGE)
}

async fn gather(history: &dyn Ledger, filter: FailureFilter, which: &List) -> Result<Vec<Row>, Stop> {
    let most = usize::try_from(which.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let with_rejects = RunFilter {
        function: filter.function.clone(),
        since: filter.since,
        state: Some(RunState::Succeeded),
        with_rejects: true,
        ..RunFilter::default()
    };
    let code = filter.code.clone();
    let mut rows = Vec::new();
    for offset in pages() {
        let page = history.failures(filter.clone(), Page { offset, limit: PAGE }).await?;
        let is_last = (page.len() as u64) < PAGE;
        let told = judged(history, page).await?.into_iter().filter(|failure| which.all || !failure.mended);
        rows.extend(told.map(|failure| Row::failed(failure.record)));
        if is_last || rows.len() >= most {
            break;
        }
    }
    for offset in pages() {
        let page = history.runs(with_rejects.clone(), Page { offset, limit: PAGE }).await?;
        let is_last = (page.len() as u64) < PAGE;
        for run in judged(history, page).await?.into_iter().filter(|run| which.all || !run.mended) {
            let limit = tidegate_engine::Outcome::KEPT_REJECTS as u64;
            let rejects = history.rejects(run.record.run, Page::first(limit)).await?;
            let rejects = rejects.into_iter().filter(|reject| code.as_ref().is_none_or(|code| reject.code == *code));
            rows.extend(rejects.map(|reject| Row::refused(&run.record, reject)));
        }
        if is_last || rows.len() >= most {
            break;
        }
    }
    rows.truncate(most);
    Ok(rows)
}

impl Row {
    fn failed(record: FailureRecord) -> Self {
        let FailureRecord { id, function, event, at, attempts, failure } = record;
        Self {
            id,
            at: at.to_string(),
            verdict: "failed",
            function,
            object: event.name(),
            code: failure.code,
            place: failure.place,
            reason: failure.reason,
            expected: failure.expected,
            help: failure.help,
            attempts: u64::from(attempts),
        }
    }

    fn refused(run: &RunRecord, reject: tidegate_stores::Reject) -> Self {
        Self {
            id: run.run.to_string(),
            at: run.settled_at.map(|at| at.to_string()).unwrap_or_default(),
            verdict: "part refused",
            function: Some(run.function.clone()),
            object: run.event.name(),
            code: reject.code,
            place: reject.place,
            reason: reject.reason,
            attempts: u64::from(run.attempts),
            ..Self::default()
        }
    }
}

fn batch(rows: &[Row]) -> Result<RecordBatch, Stop> {
    let text =
        |of: &dyn Fn(&Row) -> Option<String>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<StringArray>()) };
    let number = |of: &dyn Fn(&Row) -> Option<u64>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| of(row).and_then(|number| i64::try_from(number).ok())).collect::<Int64Array>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", text(&|row| Some(row.id.clone()))),
        ("at", text(&|row| Some(row.at.clone()))),
        ("verdict", text(&|row| Some(row.verdict.to_owned()))),
        ("function", text(&|row| row.function.clone())),
        ("object", text(&|row| Some(row.object.clone()))),
        ("code", text(&|row| Some(row.code.clone()))),
        ("member", text(&|row| row.place.member.clone())),
        ("line", number(&|row| row.place.line)),
        ("column", text(&|row| row.place.column.clone())),
        ("byte", number(&|row| row.place.byte)),
        ("reason", text(&|row| Some(row.reason.clone()))),
        ("expected", text(&|row| row.expected.clone())),
        ("help", text(&|row| row.help.clone())),
        ("attempts", number(&|row| Some(row.attempts))),
    ];
    let field = |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, array)| array).collect())
        .map_err(|error| Stop::new(ErrorKind::Bug, format!("the rows do not fit their columns: {error}")))
}
