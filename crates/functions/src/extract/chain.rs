//! The manifests of one database in its bucket: where they are, which is the newest, and whether two runs wrote at once.
//!
//! A run has a folder of its own, `<database>/<day>/<time of the snapshot>-<run>/`, so folders sort by snapshot, and the
//! newest manifest is found in a few listings however many there are.

use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tidegate_formats::manifest::Manifest;
use tidegate_model::{ErrorKind, Failure, RunId};

use super::kept::State;
use super::{bucket_failure, format_failure};

/// Where the objects of one run are.
pub(super) struct Folder(String);

impl Folder {
    pub(super) fn new(database: &str, taken: Timestamp, run: RunId) -> Self {
        let run: String = run.to_string().chars().take(8).collect();
        Self(format!("{database}/{}-{run}", taken.strftime("%Y-%m-%d/%H%M%S%.3f")))
    }

    /// The key of an object of this run.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }

    /// The key of an object that belongs to a table.
    pub(super) fn key_of(&self, table: &str, ending: &str) -> String {
        self.key(&format!("{}{ending}", in_key(table)))
    }
}

/// The name of a table as a part of a key. A table may be called anything: what is not a letter, a digit, `-` or `_` is
/// written as `%` and its bytes.
pub(crate) fn in_key(table: &str) -> String {
    let mut name = String::new();
    for byte in table.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name
}

/// The end of the chain.
pub(super) struct Chain {
    /// Key of the newest manifest; `None` before the first run.
    pub(super) key: Option<String>,
    /// What it says.
    pub(super) manifest: Option<Manifest>,
    /// True if two runs wrote at once: what the newest keeps is then not all that was written.
    pub(super) is_forked: bool,
}

impl Chain {
    /// Looks the newest manifest of `database` up.
    ///
    /// # Errors
    /// `Unavailable`, and `Invalid` if the manifest is damaged.
    pub(super) async fn newest(store: &dyn ObjectStore, database: &str) -> Result<Self, Failure> {
        let mut found: Vec<(String, Manifest)> = Vec::new();
        for day in folders(store, &Path::from(database)).await? {
            for run in folders(store, &day).await? {
                let key = format!("{run}/manifest.json");
                let Some(bytes) = read(store, &key).await? else { continue };
                let manifest = Manifest::parse(&bytes).map_err(|error| damaged(&key, error))?;
                found.push((key, manifest));
                if found.len() == 2 {
                    return Ok(Self::of(found));
                }
            }
        }
        Ok(Self::of(found))
    }

    fn of(found: Vec<(String, Manifest)>) -> Self {
        let mut found = found.into_iter();
        let Some((key, manifest)) = found.next() else { return Self { key: None, manifest: None, is_forked: false } };
        let is_forked = found.next().is_some_and(|(before, _)| manifest.previous.as_ref() != Some(&before));
        Self { key: Some(key), manifest: Some(manifest), is_forked }
    }

    /// What is kept of the tables; nothing if it cannot be relied on.
    pub(super) fn state(&self) -> Result<State, Failure> {
        match self.manifest.as_ref().filter(|_| !self.is_forked) {
            Some(manifest) => State::from_json(manifest.state.as_ref()),
            None => Ok(State::default()),
        }
    }
}

/// The folders directly below `above`, last first.
async fn folders(store: &dyn ObjectStore, above: &Path) -> Result<Vec<Path>, Failure> {
    let listed = store.list_with_delimiter(Some(above)).await.map_err(bucket_failure)?;
    let is_dated = |path: &Path| path.filename().is_some_and(|name| name.starts_with(|c: char| c.is_ascii_digit()));
    let mut folders: Vec<Path> = listed.common_prefixes.into_iter().filter(is_dated).collect();
    folders.sort();
    folders.reverse();
    Ok(folders)
}

async fn read(store: &dyn ObjectStore, key: &str) -> Result<Option<Vec<u8>>, Failure> {
    let path = path(key)?;
    let result = match store.get(&path).await {
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        other => other.map_err(bucket_failure)?,
    };
    let chunks: Vec<_> = result.into_stream().try_collect().await.map_err(bucket_failure)?;
    Ok(Some(chunks.concat()))
}

/// A key as a path of the store.
pub(super) fn path(key: &str) -> Result<Path, Failure> {
    Path::parse(key).map_err(|error| Failure::new("R0905", ErrorKind::Invalid, error.to_string()))
}

fn damaged(key: &str, error: tidegate_formats::Error) -> Failure {
    let mut failure = format_failure(error);
    failure.place.object = Some(key.to_owned());
    failure.help("restore the manifest, or move its folder away: what it held is then extracted again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_sort_by_snapshot_and_tables_may_be_called_anything() {
        let run = "0123456789abcdef0123456789abcdef".parse::<RunId>().ok();
        let Some(run) = run else { return };
        let folder = Folder::new("totesys", "2026-01-02T03:04:05.6Z".parse().expect("a moment"), run);
        assert_eq!(folder.key("manifest.json"), "totesys/2026-01-02/030405.600-01234567/manifest.json");
        let key = folder.key_of("../a.b/ü", ".csv");
        assert_eq!(key, "totesys/2026-01-02/030405.600-01234567/%2E%2E%2Fa%2Eb%2F%C3%BC.csv");
    }
}
