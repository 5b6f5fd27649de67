//! What goes wrong, as people are told it.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::ArrowError;
use datafusion::common::DataFusionError;
use tidegate_model::{ErrorKind, Failure, Place};

/// The first failure of an input while a statement runs: it is the cause, whatever DataFusion makes of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<Failure>>>);

impl Slot {
    /// Keeps the failure, and gives what DataFusion is to be told.
    pub(crate) fn keep(&self, failure: Failure) -> DataFusionError {
        let told = DataFusionError::Execution(failure.to_string());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        told
    }

    pub(crate) fn take(&self) -> Option<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A statement that cannot be read.
pub(crate) fn of_text(name: &str, error: &DataFusionError) -> Failure {
    let text = told(error);
    let (text, place) = match text.rsplit_once(" at Line: ") {
        Some((text, place)) => (text.to_owned(), place.replace(", Column: ", ":")),
        None => (text, "1".to_owned()),
    };
    let text = text.trim_start_matches("sql parser error: ").to_owned();
    let line = place.split(':').next().and_then(|line| line.parse().ok());
    let failure = Failure::new("R1002", ErrorKind::Invalid, format!("{name}:{place}: {text}"));
    failure
        .at(Place { object: Some(name.to_owned()), line, ..Place::default() })
        .expected("one SELECT")
        .help("mend the statement; `WITH`, joins, `GROUP BY`, window functions and `UNION` are all allowed")
}

/// A statement that does not fit what it names.
pub(crate) fn of_plan(name: &str, error: &DataFusionError) -> Failure {
    let found = error.diagnostic().and_then(|diagnostic| diagnostic.span.map(|span| (span, diagnostic)));
    let (text, line) = match found {
        Some((span, diagnostic)) => {
            let start = span.start;
            let notes: String = diagnostic.notes.iter().map(|note| format!("; {}", note.message)).collect();
            let text = format!("{name}:{}:{}: {}{notes}", start.line, start.column, diagnostic.message);
            (text, Some(start.line))
        }
        None => (format!("{name}: {}", told(error)), None),
    };
    Failure::new("R1003", ErrorKind::Invalid, text)
        .at(Place { object: Some(name.to_owned()), line, ..Place::default() })
        .expected("tables and columns that are there, and functions and types that fit")
        .help(
            "mend the statement, then `tidegate failures retry`; `\"…\"` keeps capitals of a name. If the source shall be as it was, \
             bring its column back and let the extract begin anew (`anew` under `with`)",
        )
}

/// A statement that broke off while it ran.
pub(crate) fn of_run(name: &str, error: &DataFusionError, slot: &Slot) -> Failure {
    if let Some(failure) = slot.take() {
        return failure;
    }
    match error.find_root() {
        DataFusionError::ResourcesExhausted(text) => {
            let first = text.lines().next().unwrap_or_default();
            Failure::new("R1005", ErrorKind::Invalid, format!("{name}: the memory does not suffice: {first}"))
                .expected("a statement that fits into the memory of the function; sorting and grouping use files, joins do not")
                .help("give the function more with `with = { memory = … }` (MB), or let the larger table of a join stand first")
        }
        DataFusionError::IoError(error) => Failure::new(
            "R1004",
            ErrorKind::Unavailable,
            format!("{name}: a file for what does not fit into memory: {error}"),
        )
        .help("free space in the folder for temporary files, or set `TMPDIR` to one that has some"),
        _ => Failure::new("R1004", ErrorKind::Invalid, format!("{name}: {}", told(error)))
            .expected("a statement whose every row can be computed")
            .help("use `try_cast(… AS …)` where a value may not convert, and `nullif(…, 0)` below a division"),
    }
}

/// Batches that do not go together.
pub(crate) fn of_arrow(error: ArrowError) -> Failure {
    Failure::new("R1004", ErrorKind::Bug, error.to_string())
}

/// What DataFusion says, in one line.
fn told(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    let text = text.strip_prefix("SQL error: ").unwrap_or(&text);
    let text = text.strip_prefix("ParserError(\"").and_then(|text| text.strip_suffix("\")")).unwrap_or(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
