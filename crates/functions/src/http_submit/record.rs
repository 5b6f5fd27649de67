//! What became of each sending, in a table: written before a request goes out and after its answer came. So whoever comes
//! after a crash knows that a request may have arrived, and nothing is sent twice without a word.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use jiff::Timestamp;
use tidegate_model::{self as model, ErrorKind, Failure, RunId, ValueType};
use tidegate_stores::table::arrow_schema;
use tidegate_stores::{Load, LoadMode, OnDuplicate, Table};

/// Where a sending stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// A request may be on its way, or may have arrived: no answer is known.
    Sending,
    /// It was taken.
    Accepted,
    /// It was refused.
    Refused,
    /// It did not arrive, or was turned away for now.
    Failed,
    /// It may have arrived, and somebody was asked what to do.
    Asked,
}

impl State {
    const ALL: [Self; 5] = [Self::Sending, Self::Accepted, Self::Refused, Self::Failed, Self::Asked];

    fn word(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Asked => "asked",
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) state: State,
    /// Requests that went out, this one included.
    pub(super) sendings: i64,
    /// Of them those whose answer nobody knows.
    pub(super) unanswered: i64,
    /// When the last one went out.
    pub(super) sent_at: String,
    pub(super) answered_at: Option<String>,
    /// HTTP status of the last answer.
    pub(super) status: Option<i64>,
    /// Identifiers that the archive gave, joined by spaces.
    pub(super) submission_ids: Option<String>,
    /// What the archive said.
    pub(super) message: Option<String>,
}

/// The rows of one file and content.
pub(super) struct Ledger {
    pub(super) table: Arc<dyn Table>,
    /// Names of the two key columns.
    pub(super) key: [String; 2],
    /// Object and hash.
    pub(super) of: [String; 2],
}

/// The names of the table's key columns.
///
/// # Errors
/// `R0541` unless there are two, both texts.
pub(super) fn key_columns(table: &model::Table) -> Result<[String; 2], Failure> {
    let names: Vec<String> =
        table.key.iter().filter(|key| key.value == ValueType::String).map(|key| key.name.clone()).collect();
    names.try_into().ok().filter(|_| table.key.len() == 2).ok_or_else(|| {
        Failure::new("R0541", ErrorKind::Invalid, format!("the key of table `{}` does not fit", table.name))
            .expected("two texts, for the object and its hash: `key = { file = \"string\", sha256 = \"string\" }`")
    })
}

const COLUMNS: [(&str, ValueType); 8] = [
    ("state", ValueType::String),
    ("sendings", ValueType::Integer),
    ("unanswered", ValueType::Integer),
    ("sent_at", ValueType::String),
    ("answered_at", ValueType::String),
    ("status", ValueType::Integer),
    ("submission_ids", ValueType::String),
    ("message", ValueType::String),
];

fn failed(error: tidegate_stores::Error) -> Failure {
    error.into_failure("R0542")
}

impl Ledger {
    /// The row, if there is one.
    pub(super) async fn read(&self) -> Result<Option<Record>, Failure> {
        let mut found = None;
        let mut take = |batch: RecordBatch| {
            if batch.num_rows() > 0 {
                found = record(&batch);
            }
            Ok(())
        };
        match self.table.scan(Some(self.of.to_vec()), &mut take).await {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
            Ok(()) => Ok(found),
        }
    }

    /// Writes the row, durably. `step` tells this writing from others of the run: each is done once.
    pub(super) async fn write(&self, record: &Record, run: RunId, step: &str) -> Result<(), Failure> {
        let keys = self.key.iter().map(|name| (name.clone(), ValueType::String));
        let columns: Vec<_> = keys.chain(COLUMNS.iter().map(|(name, value)| ((*name).to_owned(), *value))).collect();
        let batch = self.batch(record, &columns)?;
        let load = Load {
            run: RunId::derive(&[&run.to_string(), step]),
            columns,
            key_columns: 2,
            mode: LoadMode::Upsert,
            on_duplicate: OnDuplicate::Last,
        };
        let mut load = self.table.load(load).await.map_err(failed)?;
        tokio::task::spawn_blocking(move || {
            load.write(&batch)?;
            load.commit().map(|_| ())
        })
        .await
        .map_err(|error| Failure::new("R0542", ErrorKind::Bug, format!("the record was not written: {error}")))?
        .map_err(failed)
    }

    fn batch(&self, record: &Record, columns: &[(String, ValueType)]) -> Result<RecordBatch, Failure> {
        let text = |text: Option<&str>| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        let number = |number: Option<i64>| Arc::new(Int64Array::from(vec![number])) as ArrayRef;
        let values = vec![
            text(Some(&self.of[0])),
            text(Some(&self.of[1])),
            text(Some(record.state.word())),
            number(Some(record.sendings)),
            number(Some(record.unanswered)),
            text(Some(&record.sent_at)),
            text(record.answered_at.as_deref()),
            number(record.status),
            text(record.submission_ids.as_deref()),
            text(record.message.as_deref()),
        ];
        RecordBatch::try_new(arrow_schema(columns), values)
            .map_err(|error| Failure::new("R0542", ErrorKind::Bug, format!("the record has no form: {error}")))
    }
}

fn record(batch: &RecordBatch) -> Option<Record> {
    let text = |name: &str| {
        let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
        (!arrow_array::Array::is_null(column, 0)).then(|| column.value(0).to_owned())
    };
    let number = |name: &str| {
        let column = batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
        (!arrow_array::Array::is_null(column, 0)).then(|| column.value(0))
    };
    let word = text("state")?;
    Some(Record {
        state: State::ALL.into_iter().find(|state| state.word() == word)?,
        sendings: number("sendings").unwrap_or(0),
        unanswered: number("unanswered").unwrap_or(0),
        sent_at: text("sent_at").unwrap_or_default(),
        answered_at: text("answered_at"),
        status: number("status"),
        submission_ids: text("submission_ids"),
        message: text("message"),
    })
}

/// A moment as the table has it.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
