//! A row a deployment: what the status file of ops_qc says, by the same names, and what it does not.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use tidegate_engine::Context;
use tidegate_formats::moana::Account;
use tidegate_model::{ErrorKind, Failure, RunId, ValueType};
use tidegate_ocean::check::{Checked, OPS_QC_STATUS, ops_qc_status};
use tidegate_stores::table::arrow_schema;
use tidegate_stores::{Load, LoadMode, LoadReport, OnDuplicate, Table};

use crate::together::Together;

/// A cell of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Text, or nothing.
    Text(Option<String>),
    /// A number, or nothing.
    Whole(Option<i64>),
}

impl Cell {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.as_deref(),
            Self::Whole(_) => None,
        }
    }

    fn whole(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => *number,
            Self::Text(_) => None,
        }
    }
}

/// Names and cells, the key first.
pub(crate) type Cells = Vec<(String, Cell)>;

/// The column that is the key.
pub(crate) const KEY: &str = "deployment";

/// The row of a deployment that was checked.
pub(super) fn of_checked(checked: &Checked, account: &Account, layout: &str, output: Option<&str>) -> Cells {
    let mut cells = of_key(&checked.name);
    for (name, text) in OPS_QC_STATUS.iter().zip(ops_qc_status(checked)) {
        let is_count = name.starts_with("qc=") || *name == "total_obs";
        let cell = if is_count { Cell::Whole(text.and_then(|text| text.parse().ok())) } else { Cell::Text(text) };
        cells.push(((*name).to_owned(), cell));
    }
    let mut add = |name: &str, cell: Cell| cells.push((name.to_owned(), cell));
    let text = |text: String| Cell::Text(Some(text).filter(|text| !text.is_empty()));
    let whole = |count: u64| Cell::Whole(i64::try_from(count).ok());
    let time = |time: Option<i64>| {
        Cell::Text(time.and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok()).map(|time| time.to_string()))
    };
    let extent = checked.time_extent();
    let (ran, not_run) = checked.tests_by_fate();
    let not_run: Vec<String> = not_run.into_iter().map(|(name, why)| format!("{name}: {why}")).collect();
    let dropped = checked.screening.counts.iter().map(|(reason, count)| format!("{count} {}", reason.name()));
    let findings = account.counts.iter().map(|(code, count)| format!("{count} {}", code.name()));
    add("rules", text(checked.rules.clone()));
    add("layout", text(layout.to_owned()));
    add("first_time", time(extent.map(|(first, _)| first)));
    add("last_time", time(extent.map(|(_, last)| last)));
    add("rows_read", whole(account.rows));
    add("rows_dropped", text(dropped.collect::<Vec<_>>().join(", ")));
    add("findings", text(findings.collect::<Vec<_>>().join(", ")));
    add("resets", whole(checked.resets.count as u64));
    add("hauls", whole(checked.legs.count as u64));
    add("tests_run", text(ran.join(", ")));
    add("tests_not_run", text(not_run.join("; ")));
    add(
        "vessel_id",
        text(checked.vessel.as_ref().and_then(|vessel| vessel.vessel_id).map(|id| id.to_string()).unwrap_or_default()),
    );
    add("qc_file", text(output.unwrap_or_default().to_owned()));
    add("code", Cell::Text(None));
    add("line", Cell::Whole(None));
    add("remedy", Cell::Text(None));
    cells
}

/// The row of a file that could not even be read.
pub(super) fn of_unread(name: &str, rules: &str, account: Option<&Account>) -> Cells {
    let mut cells = of_key(name);
    cells.push(("filename".to_owned(), Cell::Text(Some(name.to_owned()))));
    cells.push(("saved".to_owned(), Cell::Text(None)));
    cells.push(("rules".to_owned(), Cell::Text(Some(rules.to_owned()))));
    let rows = account.and_then(|account| i64::try_from(account.rows).ok());
    cells.push(("rows_read".to_owned(), Cell::Whole(rows)));
    cells
}

/// Says that a deployment failed, and why.
pub(super) fn add_failure(cells: &mut Cells, failure: &Failure) {
    let mut set = |name: &str, cell: Cell| match cells.iter_mut().find(|(known, _)| known == name) {
        Some(known) => known.1 = cell,
        None => cells.push((name.to_owned(), cell)),
    };
    set("failed", Cell::Text(Some("yes".to_owned())));
    set("failure_mode", Cell::Text(Some(failure.reason.clone())));
    set("code", Cell::Text(Some(failure.code.clone())));
    set("line", Cell::Whole(failure.place.line.and_then(|line| i64::try_from(line).ok())));
    set("remedy", Cell::Text(failure.help.clone()));
}

/// The key of a deployment: that of its file, without the ending.
pub(crate) fn of_key(name: &str) -> Cells {
    vec![(KEY.to_owned(), Cell::Text(Some(super::stem(name).to_owned())))]
}

/// Writes rows into their table; rows that come while others are being written are written together.
#[derive(Debug, Default)]
pub(crate) struct Book(Together<Entry, Result<LoadReport, Failure>>);

/// A row that waits.
#[derive(Debug)]
struct Entry {
    /// The attempt that says so.
    attempt: String,
    cells: Cells,
}

impl Book {
    /// Puts the row into its table, in place of what it said before. Each attempt says how it ended.
    ///
    /// # Errors
    /// `R0325` if the table does not take it.
    pub(crate) async fn put(&self, context: &Context, table: &str, mut cells: Cells) -> Result<(), Failure> {
        if let (Some(spec), Some(key)) = (context.table_spec(table), cells.first_mut())
            && let [only] = spec.key.as_slice()
        {
            key.0.clone_from(&only.name);
        }
        let entry = Entry { attempt: format!("{} {}", context.run(), context.attempt()), cells };
        let place = context.unnoted_table(table)?;
        let told = self.0.ask(entry, async |entries| write_all(place.as_ref(), entries).await).await;
        let report = told.unwrap_or_else(|| {
            let reason = "the row was not written, because another attempt was stopped";
            Err(Failure::new("R0325", ErrorKind::Unavailable, reason))
        })?;
        context.note_rows(table, &report);
        Ok(())
    }
}

/// Writes rows, those of the same columns together, and tells of each how it went.
async fn write_all(table: &dyn Table, entries: Vec<Entry>) -> Vec<Result<LoadReport, Failure>> {
    let columns_of = |entry: &Entry| -> Vec<(String, ValueType)> {
        entry.cells.iter().map(|(name, cell)| (name.clone(), value_type(cell))).collect()
    };
    let mut told: Vec<Option<Result<LoadReport, Failure>>> = vec![None; entries.len()];
    while let Some(first) = told.iter().position(Option::is_none) {
        let columns = columns_of(&entries[first]);
        let is_in = |index: &usize| told[*index].is_none() && columns_of(&entries[*index]) == columns;
        let group: Vec<usize> = (first..entries.len()).filter(is_in).collect();
        let rows: Vec<&Entry> = group.iter().map(|index| &entries[*index]).collect();
        let mut result = write_group(table, columns, &rows).await;
        for index in group {
            told[index] = Some(result.as_mut().map(one_of).map_err(|failure| failure.clone()));
        }
    }
    told.into_iter().flatten().collect()
}

/// One row's part of the sums; which row was new and which changed is not told one by one.
fn one_of(sums: &mut LoadReport) -> LoadReport {
    let mut one = LoadReport::default();
    for (sum, own) in [
        (&mut sums.inserted, &mut one.inserted),
        (&mut sums.updated, &mut one.updated),
        (&mut sums.unchanged, &mut one.unchanged),
    ] {
        if *sum > 0 {
            *sum -= 1;
            *own = 1;
            break;
        }
    }
    one
}

async fn write_group(
    table: &dyn Table,
    columns: Vec<(String, ValueType)>,
    group: &[&Entry],
) -> Result<LoadReport, Failure> {
    let attempts: Vec<&str> = group.iter().map(|entry| entry.attempt.as_str()).collect();
    let arrays = columns.iter().enumerate().map(|(index, (_, value))| -> ArrayRef {
        let cells = group.iter().map(|entry| &entry.cells[index].1);
        match value {
            ValueType::Integer => Arc::new(cells.map(Cell::whole).collect::<Int64Array>()),
            _ => Arc::new(cells.map(Cell::text).collect::<StringArray>()),
        }
    });
    let batch = RecordBatch::try_new(arrow_schema(&columns), arrays.collect());
    let batch = batch.map_err(|error| Failure::new("R0325", ErrorKind::Bug, error.to_string()))?;
    for attempt in 0.. {
        let load = Load {
            run: RunId::derive(&attempts),
            columns: columns.clone(),
            key_columns: 1,
            mode: LoadMode::Upsert,
            on_duplicate: OnDuplicate::Last,
        };
        match put_once(table, load, batch.clone()).await {
            // Another load has just given the table its columns.
            Err(error) if error.kind == ErrorKind::Conflict && attempt < 3 => {}
            result => return result.map_err(|error| error.into_failure("R0325")),
        }
    }
    Ok(LoadReport::default())
}

async fn put_once(table: &dyn Table, load: Load, batch: RecordBatch) -> tidegate_stores::Result<LoadReport> {
    let mut load = table.load(load).await?;
    let loaded = tokio::task::spawn_blocking(move || {
        load.write(&batch)?;
        load.commit()
    });
    match loaded.await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(tidegate_stores::Error::new(ErrorKind::Unavailable, error.to_string())),
        },
    }
}

fn value_type(cell: &Cell) -> ValueType {
    match cell {
        Cell::Text(_) => ValueType::String,
        Cell::Whole(_) => ValueType::Integer,
    }
}
