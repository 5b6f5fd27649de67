//! What a transform keeps of the source between runs, below `state/` of its bucket: one state manifest for each manifest of
//! the extract, under its number, and Parquet objects that are never changed.
//!
//! `docs/decisions/0011-warehouse-state.md` says why it looks like this.

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tidegate_formats::manifest::{ColumnEntry, ObjectEntry};
use tidegate_model::{ErrorKind, Failure};

/// The version of states that is written and read.
const VERSION: u32 = 1;

/// Parts that a table is kept in at most.
const MOST_PARTS: usize = 16;

/// Changed rows that are kept apart from their base whatever its size.
const FEW_ROWS: u64 = 1000;

/// What is kept after one manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// Version of this form, [`VERSION`].
    state: u32,
    /// The source database.
    pub(super) of: String,
    /// Number of the manifest.
    pub(super) sequence: u64,
    /// Its key.
    pub(super) manifest: String,
    /// Key of the manifest that was made from it.
    pub(super) output: String,
    /// Number of the last manifest that began anew, at or before this one; nought if none has.
    #[serde(default)]
    pub(super) anew: u64,
    /// Every source table that was ever named.
    pub(super) tables: Vec<KeptTable>,
    /// Every output.
    pub(super) outputs: Vec<KeptOutput>,
}

/// A source table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptTable {
    pub(super) name: String,
    pub(super) key: Vec<String>,
    pub(super) columns: Vec<ColumnEntry>,
    /// Its rows, oldest part first; none for a table that no statement names as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parts: Option<Vec<KeptPart>>,
}

/// What changed in a table; the first part is its base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptPart {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rows: Option<ObjectEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deleted: Option<ObjectEntry>,
}

/// An output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptOutput {
    pub(super) name: String,
    /// Hash of the statement that gave it last.
    pub(super) statement: String,
    /// Its rows, for a statement that names its own table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rows: Option<ObjectEntry>,
}

impl State {
    pub(super) fn new(of: &str, sequence: u64, manifest: &str, output: &str) -> Self {
        let (of, manifest, output) = (of.to_owned(), manifest.to_owned(), output.to_owned());
        Self { state: VERSION, of, sequence, manifest, output, anew: 0, tables: Vec::new(), outputs: Vec::new() }
    }

    /// The folder of the state after the manifest of this number.
    pub(super) fn folder(of: &str, sequence: u64) -> String {
        format!("state/{of}/{sequence:010}")
    }

    /// Its key.
    pub(super) fn key(of: &str, sequence: u64) -> String {
        format!("{}/state.json", Self::folder(of, sequence))
    }

    /// The state after the manifest of this number, if there is one.
    ///
    /// # Errors
    /// `R1017` if it cannot be understood, `Unavailable`.
    pub(super) async fn load(store: &dyn ObjectStore, of: &str, sequence: u64) -> Result<Option<Self>, Failure> {
        let key = Self::key(of, sequence);
        let corrupt = |what: String| {
            Failure::new("R1017", ErrorKind::Corrupt, format!("the state `{key}`: {what}"))
                .expected("what a transform of this version wrote")
                .help("bring it back from a backup; or delete `state/` and let the extract write everything once more")
        };
        let path = Path::parse(&key).map_err(|error| corrupt(error.to_string()))?;
        let failed = |error| tidegate_stores::Error::from(error).into_failure("R1017");
        let bytes = match store.get(&path).await {
            Ok(result) => result.bytes().await.map_err(failed)?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let state: Self = serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
        if state.state != VERSION || state.of != of || state.sequence != sequence {
            return Err(corrupt("it is of another version, database or number than its key says".to_owned()));
        }
        Ok(Some(state))
    }

    /// The newest state there is for manifests below this number. It lists all of them, and is for rare cases.
    ///
    /// # Errors
    /// As [`State::load`].
    pub(super) async fn newest(store: &dyn ObjectStore, of: &str, below: u64) -> Result<Option<Self>, Failure> {
        let failed = |error: object_store::Error| tidegate_stores::Error::from(error).into_failure("R1017");
        let listed = store.list_with_delimiter(Some(&Path::from(format!("state/{of}")))).await.map_err(failed)?;
        let number = |path: &Path| path.filename().and_then(|name| name.parse::<u64>().ok());
        let mut numbers: Vec<u64> = listed.common_prefixes.iter().filter_map(number).collect();
        numbers.retain(|number| *number < below);
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        // A run that was killed leaves a folder without its state.
        for number in numbers {
            if let Some(state) = Self::load(store, of, number).await? {
                return Ok(Some(state));
            }
        }
        Ok(None)
    }

    pub(super) fn table(&self, name: &str) -> Option<&KeptTable> {
        self.tables.iter().find(|table| table.name == name)
    }

    pub(super) fn output(&self, name: &str) -> Option<&KeptOutput> {
        self.outputs.iter().find(|output| output.name == name)
    }

    /// The state as bytes.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec_pretty(self).map_err(|error| Failure::new("R1017", ErrorKind::Bug, error.to_string()))
    }
}

/// Whether these parts are so many, or so large beside their base, that a new base is better.
pub(super) fn is_crowded(parts: &[KeptPart]) -> bool {
    let rows = |part: &KeptPart| -> u64 { part.rows.iter().chain(&part.deleted).map(|object| object.rows).sum() };
    let (base, changes) = match parts.split_first() {
        Some((base, changes)) => (rows(base), changes.iter().map(rows).sum::<u64>()),
        None => (0, 0),
    };
    parts.len() >= MOST_PARTS || changes > FEW_ROWS.max(base / 4)
}
