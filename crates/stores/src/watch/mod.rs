//! Hop 1, watch: object versions that appear in a bucket become [`Sighting`]s.
//!
//! | bucket | live | one-shot |
//! |---|---|---|
//! | directory on this machine | the kernel tells (inotify); a listing at the start and every minute finds the rest | listing |
//! | directory on a network file system, or too many directories to watch | listing every 2 s | listing |
//! | S3, memory | listing every 10 s | listing |
//!
//! What is half-written is not taken. A file is taken at once when it is closed after writing or moved into place. A
//! file that only a listing saw is taken if nobody is known to have it open for writing, and it is older than a second
//! (a minute where clocks may differ) or was the same in two looks. Files whose name says that they are temporary
//! ([`is_temporary`]) are never taken.

mod directory;
mod file;
mod known;
mod listing;
mod native;
mod unfinished;
mod walking;

use std::time::Duration;

use jiff::Timestamp;
use tidegate_model::{Bucket, KeyGlobs, ObjectVersion};

use crate::bucket::{OpenBucket, Place};
use crate::{EventSource, Sighting};
pub(crate) use file::FileWatch;

/// Tells the time.
pub type Clock = fn() -> Timestamp;

/// How often the endpoint of a bucket that does not tell of changes is asked, unless said otherwise.
pub const POLL: Duration = Duration::from_secs(10);

/// Endings of names that programs give to files they have not finished.
pub const TEMPORARY_ENDINGS: [&str; 8] =
    [".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", "~"];

/// True if a name on the way to this key says that it is hidden or not finished: it begins with `.` or `~$`, or ends
/// with one of [`TEMPORARY_ENDINGS`]. Such objects are never events.
pub fn is_temporary(key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or(key);
    let ends_with = |ending: &&str| {
        name.len()
            .checked_sub(ending.len())
            .is_some_and(|at| name.as_bytes()[at..].eq_ignore_ascii_case(ending.as_bytes()))
    };
    key.split('/').any(is_hidden) || name.starts_with("~$") || TEMPORARY_ENDINGS.iter().any(ends_with)
}

/// True if the last name of this key begins with `.`.
fn is_hidden(key: &str) -> bool {
    key.rsplit('/').next().is_some_and(|name| name.starts_with('.'))
}

/// Reports what is in the bucket and then what appears. `poll` is how often a bucket that does not tell of changes is
/// listed; directories on network file systems are listed every 2 s at least.
pub fn live(bucket: &Bucket, open: &OpenBucket, poll: Duration, clock: Clock) -> Box<dyn EventSource> {
    let scope = Scope::new(bucket, "");
    match &open.place {
        Place::Directory(root) => Box::new(directory::DirectoryWatch::live(scope, root, clock)),
        Place::Memory | Place::S3 { .. } => Box::new(listing::Listing::new(scope, &open.store, Some(poll))),
    }
}

/// Reports what is in the bucket below keys that begin with `prefix`, once. It waits up to 10 s for files that are being
/// written; those that are not finished by then are left for the next time.
pub fn once(bucket: &Bucket, open: &OpenBucket, prefix: &str, clock: Clock) -> Box<dyn EventSource> {
    let scope = Scope::new(bucket, prefix);
    match &open.place {
        Place::Directory(root) => Box::new(directory::DirectoryWatch::once(scope, root, clock)),
        Place::Memory | Place::S3 { .. } => Box::new(listing::Listing::new(scope, &open.store, None)),
    }
}

/// Reports once what is in the bucket after this key, as listings of S3 are ordered; of a directory, all of it.
pub fn rest(bucket: &Bucket, open: &OpenBucket, after: &str, clock: Clock) -> Box<dyn EventSource> {
    match &open.place {
        Place::Directory(_) => once(bucket, open, "", clock),
        Place::Memory | Place::S3 { .. } => {
            Box::new(listing::Listing::new(Scope::new(bucket, ""), &open.store, None).after(after))
        }
    }
}

/// Which objects of a bucket are events.
#[derive(Debug, Clone)]
struct Scope {
    bucket: String,
    prefix: String,
    ignore: KeyGlobs,
    /// The one key that is meant, whatever it is called.
    only: Option<String>,
}

impl Scope {
    fn new(bucket: &Bucket, prefix: &str) -> Self {
        let (bucket, ignore) = (bucket.name.clone(), bucket.ignore.clone());
        Self { bucket, prefix: prefix.to_owned(), ignore, only: None }
    }

    fn wants(&self, key: &str) -> bool {
        if let Some(only) = &self.only {
            return only == key;
        }
        key.starts_with(&self.prefix) && !is_temporary(key) && !self.ignore.matches(key)
    }

    /// The innermost directory that holds every key of the prefix.
    fn directory(&self) -> &str {
        self.prefix.rsplit_once('/').map_or("", |(directory, _)| directory)
    }

    fn sighting(&self, key: String, etag: Option<String>, version_id: Option<String>, size: u64) -> Sighting {
        let object = ObjectVersion { bucket: self.bucket.clone(), key, version_id, etag, size };
        Sighting { object, receipt: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::is_temporary;

    #[test]
    fn names_of_unfinished_files_are_known() {
        for key in ["a.tmp", "b/A.PART", "x~", ".hidden", "a/.git/x", "~$budget.xlsx", "x.CRDOWNLOAD", "é~"] {
            assert!(is_temporary(key), "{key}");
        }
        for key in ["a.csv", "tmp", "part/x.csv", "a.tmp/x.csv", "a~b", "x.tmpl", "é"] {
            assert!(!is_temporary(key), "{key}");
        }
    }
}
