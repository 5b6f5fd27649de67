//! Bytes of a file, as they were when it was opened, or an error.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::{Error, GetRange, Result};

use super::{Stamp, failed, refused};

/// How much is read at once: large enough that the hop to a blocking thread costs nothing.
const CHUNK: u64 = 256 * 1024;

/// The bytes that a range means in a file of this size.
pub(super) fn within(range: &GetRange, size: u64, path: &Path) -> Result<Range<u64>> {
    let beyond = |from| refused(format!("`{}` has {size} bytes, none of them from {from} on", path.display()));
    match range {
        GetRange::Bounded(range) if range.start >= range.end => {
            Err(refused(format!("the range {}..{} is empty", range.start, range.end)))
        }
        GetRange::Bounded(range) if range.start >= size => Err(beyond(range.start)),
        GetRange::Bounded(range) => Ok(range.start..range.end.min(size)),
        GetRange::Offset(from) if *from >= size => Err(beyond(*from)),
        GetRange::Offset(from) => Ok(*from..size),
        GetRange::Suffix(length) => Ok(size.saturating_sub(*length)..size),
    }
}

/// A file that is being read.
pub(super) struct Reading {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// What it was when it was opened.
    pub(super) stamp: Stamp,
    pub(super) stable_inodes: bool,
    /// What is still to be read.
    pub(super) range: Range<u64>,
}

impl Reading {
    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        stream::try_unfold(self, |mut reading| async move {
            if reading.range.is_empty() {
                return Ok(None);
            }
            let step = move || reading.next().map(|chunk| Some((chunk, reading)));
            tokio::task::spawn_blocking(step).await?
        })
        .boxed()
    }

    /// The next bytes; the last only once the file is found unchanged.
    fn next(&mut self) -> Result<Bytes> {
        let length = CHUNK.min(self.range.end - self.range.start);
        let mut chunk = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        let complete = self.file.read_exact_at(&mut chunk, self.range.start);
        self.range.start += length;
        match complete {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.changed()),
            Err(error) => return Err(failed("read", &self.path, error)),
            Ok(()) => {}
        }
        if self.range.is_empty() {
            let metadata = self.file.metadata().map_err(|error| failed("read", &self.path, error))?;
            if Stamp::new(&metadata, self.stable_inodes) != self.stamp {
                return Err(self.changed());
            }
        }
        Ok(chunk.into())
    }

    fn changed(&self) -> Error {
        let path = self.path.display().to_string();
        Error::Precondition { path, source: "the file was changed while it was read".into() }
    }
}
