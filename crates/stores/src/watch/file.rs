//! One local file, watched for `tidegate put --watch` with the means of a directory bucket.

use std::io;
use std::path::Path;
use std::time::Duration;

use tidegate_model::KeyGlobs;

use super::directory::DirectoryWatch;
use super::{Clock, Scope};
use crate::{EventSource, Result};

/// Tells that a file is another than before, and finished.
pub(crate) struct FileWatch {
    source: DirectoryWatch,
    is_changed: bool,
}

impl FileWatch {
    /// Watches the file at `path`, which need not exist. With `every` it is looked at so often.
    pub(crate) fn new(path: &Path, every: Option<Duration>, clock: Clock) -> io::Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file in UTF-8"))?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let root = std::fs::canonicalize(directory)?;
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        let scope = Scope {
            bucket: "put".to_owned(),
            prefix: String::new(),
            ignore: KeyGlobs::none(),
            only: Some(name.to_owned()),
        };
        let source = DirectoryWatch::file(scope, &root, is_link, every, clock);
        Ok(Self { source, is_changed: false })
    }

    /// Waits until there is a version that was not [taken](Self::taken). Dropping the future loses nothing.
    pub(crate) async fn changed(&mut self) -> Result<()> {
        while !self.is_changed {
            self.is_changed = !self.source.next().await?.is_empty();
        }
        Ok(())
    }

    /// The version was dealt with.
    pub(crate) fn taken(&mut self) {
        self.is_changed = false;
    }
}
