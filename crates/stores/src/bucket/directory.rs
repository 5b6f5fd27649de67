//! A directory as an [`ObjectStore`] whose puts survive a power cut.
//!
//! `object_store`'s own `LocalFileSystem` neither syncs what it writes nor stops at links that lead out of the
//! directory, percent-encodes nothing but refuses some names, and lists nothing if one name is not UTF-8. What is
//! promised here, beyond the trait:
//!
//! - once a put, copy or multipart upload completes, the object will be found after a power cut: the file is synced
//!   before it gets its name, and then the directory, and every directory that was made for it;
//! - an object is visible whole or not at all; what is being written has a name beginning with `.tidegate`, which is no
//!   key, and is moved into place in one step, so that watchers see one event;
//! - no key and no link leads out of the directory;
//! - a read of a file that somebody changes in place meanwhile ends with an error, not with a mixture;
//! - deleting what is not there succeeds, as on S3.
//!
//! Attributes and tags are not kept. `PutMode::Update` is not supported: POSIX has no conditional rename.

use std::fs::{self, File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};
use tidegate_model::Key;
use tokio::sync::mpsc;

use super::walk::{Found, RESERVED, Stamp, Tree, is_gone, target_of_link, walk};
use crate::filesystem;

/// How much is read at once: large enough that the hop to a blocking thread costs nothing.
const CHUNK: u64 = 256 * 1024;

/// How many findings of a walk travel together.
const BATCH: usize = 1024;

/// A directory as an object store.
#[derive(Debug, Clone)]
pub struct DirectoryStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    stable_inodes: bool,
}

impl std::fmt::Display for DirectoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DirectoryStore({})", self.inner.root.display())
    }
}

impl DirectoryStore {
    /// The store of an existing directory.
    ///
    /// # Errors
    /// If there is no such directory.
    pub fn open(directory: &FilePath) -> io::Result<Self> {
        let root = fs::canonicalize(directory)?;
        if !fs::metadata(&root)?.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is a file, not a directory"));
        }
        let stable_inodes = filesystem::kind(&root)?.has_stable_inodes();
        Ok(Self { inner: Arc::new(Inner { root, stable_inodes }) })
    }

    /// The directory, absolute and with links resolved.
    pub fn root(&self) -> &FilePath {
        &self.inner.root
    }

    /// Runs `work` where it may block.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Inner) -> Result<T> + Send + 'static) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || work(&inner)).await?
    }
}

fn failed(what: &str, path: &FilePath, source: io::Error) -> Error {
    let path_text = path.display().to_string();
    if is_gone(&source) {
        return Error::NotFound { path: path_text, source: source.into() };
    }
    match source.kind() {
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path: path_text, source: source.into() },
        io::ErrorKind::PermissionDenied => Error::PermissionDenied { path: path_text, source: source.into() },
        _ => Error::Generic { store: "directory", source: format!("cannot {what} `{path_text}`: {source}").into() },
    }
}

fn refused_link(path: &FilePath) -> Error {
    Error::PermissionDenied {
        path: path.display().to_string(),
        source: "it is reached through a link, and links are not followed out of a bucket".into(),
    }
}

impl Inner {
    fn tree(&self) -> Tree<'_> {
        Tree { root: &self.root, bounds: &self.root, stable_inodes: self.stable_inodes }
    }

    /// The file of a location, once its text is found to be a key.
    fn path_of(&self, location: &Path) -> Result<PathBuf> {
        let key = location.as_ref();
        let refusal = match Key::new(key) {
            Err(why) => why.to_string(),
            Ok(_) if key.split('/').any(|segment| segment.starts_with(RESERVED)) => {
                format!("names beginning with `{RESERVED}` are tidegate's own")
            }
            Ok(_) => return Ok(self.root.join(key)),
        };
        Err(Error::Generic {
            store: "directory",
            source: format!("`{key}` is no key of a directory: {refusal}").into(),
        })
    }

    /// The existing file at `path`, which may be a link within the directory.
    fn existing(&self, path: &FilePath) -> Result<(PathBuf, fs::Metadata)> {
        for directory in self.directories_to(path) {
            let metadata = fs::symlink_metadata(directory).map_err(|error| failed("reach", path, error))?;
            if metadata.is_symlink() {
                return Err(refused_link(path));
            }
        }
        let metadata = fs::symlink_metadata(path).map_err(|error| failed("reach", path, error))?;
        if metadata.is_file() {
            return Ok((path.to_owned(), metadata));
        }
        if metadata.is_symlink() {
            return target_of_link(&self.root, path).ok_or_else(|| refused_link(path));
        }
        Err(failed("read", path, io::Error::new(io::ErrorKind::NotFound, "it is not a file")))
    }

    /// The directories between the root and `path`, outermost first.
    fn directories_to<'a>(&'a self, path: &'a FilePath) -> impl Iterator<Item = &'a FilePath> {
        let depth = path.components().count() - self.root.components().count();
        let mut between: Vec<_> = path.ancestors().skip(1).take(depth.saturating_sub(1)).collect();
        between.reverse();
        between.into_iter()
    }

    /// Makes the directories above `path` that are missing, durably.
    fn make_directories(&self, path: &FilePath) -> Result<()> {
        for directory in self.directories_to(path) {
            match fs::symlink_metadata(directory) {
                Ok(metadata) if metadata.is_dir() => continue,
                Ok(metadata) if metadata.is_symlink() => return Err(refused_link(path)),
                Ok(_) => {
                    let why = format!("`{}` is a file, so nothing can be put below it", directory.display());
                    return Err(Error::Generic { store: "directory", source: why.into() });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("reach", directory, error)),
            }
            match fs::create_dir(directory) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(failed("make the directory", directory, error));
                }
                // Made just now by another: its name may not be durable yet either.
                Ok(()) | Err(_) => sync_parent(directory)?,
            }
        }
        Ok(())
    }

    /// A new file beside `path`, whose name nobody takes for an object. The name follows from that of `path`: what a
    /// killed process left is found and used up by whoever repeats its work.
    fn stage(&self, path: &FilePath) -> Result<Staged> {
        self.make_directories(path)?;
        let directory = path.parent().unwrap_or(&self.root);
        let mut hasher = DefaultHasher::new();
        path.file_name().hash(&mut hasher);
        let name = hasher.finish();
        let mut number = 0_u32;
        loop {
            let staging = directory.join(format!("{RESERVED}-{name:016x}-{number}.tmp"));
            match claim(&staging).map_err(|error| failed("write beside", path, error))? {
                Some(file) => {
                    return Ok(Staged { file: Arc::new(file), staging: Some(staging), path: path.to_owned() });
                }
                None => number += 1,
            }
        }
    }

    fn put(&self, path: &FilePath, payload: &PutPayload, mode: Publish) -> Result<PutResult> {
        let staged = self.stage(path)?;
        let mut file: &File = &staged.file;
        payload.iter().try_for_each(|chunk| file.write_all(chunk)).map_err(|error| failed("write", path, error))?;
        self.publish(staged, mode)
    }

    /// Syncs the staged file, gives it its name, and syncs that.
    fn publish(&self, mut staged: Staged, mode: Publish) -> Result<PutResult> {
        let path = &staged.path;
        staged.file.sync_all().map_err(|error| failed("sync", path, error))?;
        let metadata = staged.file.metadata().map_err(|error| failed("read", path, error))?;
        let staging = staged.staging.as_deref().expect("a file is published once");
        match mode {
            Publish::Replace => fs::rename(staging, path),
            Publish::Create => rename_to_new(staging, path),
        }
        .map_err(|error| failed("put", path, error))?;
        staged.staging = None;
        sync_parent(&staged.path)?;
        Ok(PutResult { e_tag: Some(Stamp::new(&metadata, self.stable_inodes).etag()), version: None })
    }

    fn meta(&self, location: Path, stamp: &Stamp) -> ObjectMeta {
        let nanoseconds = Duration::from_nanos(u64::try_from(stamp.modified.unsigned_abs()).unwrap_or(u64::MAX));
        let modified = if stamp.modified < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(nanoseconds)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(nanoseconds)
        };
        ObjectMeta {
            location,
            last_modified: modified.unwrap_or(SystemTime::UNIX_EPOCH).into(),
            size: stamp.size,
            e_tag: Some(stamp.etag()),
            version: None,
        }
    }

    fn get(&self, location: Path, options: &GetOptions) -> Result<GetResult> {
        let path = self.path_of(&location)?;
        let (path, metadata) = self.existing(&path)?;
        let (file, stamp) = if options.head {
            (None, Stamp::new(&metadata, self.stable_inodes))
        } else {
            let file = File::open(&path).map_err(|error| failed("open", &path, error))?;
            // Not the metadata from before: the file may have been replaced between the two calls.
            let metadata = file.metadata().map_err(|error| failed("read", &path, error))?;
            (Some(file), Stamp::new(&metadata, self.stable_inodes))
        };
        let meta = self.meta(location, &stamp);
        options.check_preconditions(&meta)?;
        let range = match &options.range {
            Some(range) => within(range, stamp.size, &path)?,
            None => 0..stamp.size,
        };
        let payload = match file {
            None => stream::empty().boxed(),
            Some(file) => read(Reading { file, path, stamp, stable_inodes: self.stable_inodes, range: range.clone() }),
        };
        Ok(GetResult { payload: GetResultPayload::Stream(payload), meta, range, attributes: Attributes::default() })
    }

    /// True if objects may be below this prefix: not what is tidegate's own or behind a link.
    fn may_list(&self, prefix: &Path) -> bool {
        let Ok(path) = self.path_of(prefix) else { return prefix.is_root() };
        !self.directories_to(&path.join("x")).any(FilePath::is_symlink)
    }

    /// The objects and directories right below a prefix.
    fn list_level(&self, prefix: &str) -> Result<ListResult> {
        let mut below = Vec::new();
        let mut objects = Vec::new();
        let enter = &mut |_: &FilePath, key: &str| {
            if key != prefix {
                below.push(key.to_owned());
            }
            key == prefix
        };
        let visit = &mut |found| {
            if let Found::File { key, stamp } = found
                && let Ok(location) = Path::parse(&key)
            {
                objects.push(self.meta(location, &stamp));
            }
            ControlFlow::Continue(())
        };
        walk(self.tree(), prefix, enter, visit).map_err(|error| failed("list", &self.root.join(prefix), error))?;
        below.sort();
        let common_prefixes = below.iter().filter_map(|key| Path::parse(key).ok()).collect();
        Ok(ListResult { common_prefixes, objects })
    }

    fn delete(&self, location: &Path) -> Result<()> {
        let path = self.path_of(location)?;
        match self.existing(&path) {
            Err(Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        match fs::remove_file(&path) {
            Err(error) if !is_gone(&error) => Err(failed("delete", &path, error)),
            _ => sync_parent(&path),
        }
    }

    /// A copy with bytes of its own: with a hard link, whoever edits one in place would edit the other.
    fn copy(&self, from: &Path, to: &Path, mode: Publish) -> Result<()> {
        let (source, _) = self.existing(&self.path_of(from)?)?;
        let mut source = File::open(&source).map_err(|error| failed("open", &source, error))?;
        let path = self.path_of(to)?;
        let staged = self.stage(&path)?;
        let mut file: &File = &staged.file;
        io::copy(&mut source, &mut file).map_err(|error| failed("write", &path, error))?;
        self.publish(staged, mode).map(drop)
    }
}

/// How a staged file gets its name.
#[derive(Debug, Clone, Copy)]
enum Publish {
    /// What has the name is replaced.
    Replace,
    /// Nothing may have it.
    Create,
}

/// A file that is being written; removed when dropped unpublished.
#[derive(Debug)]
struct Staged {
    file: Arc<File>,
    staging: Option<PathBuf>,
    path: PathBuf,
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(staging) = &self.staging {
            // Nothing more can be done about a file that cannot be removed; its name keeps it from being taken.
            let _ = fs::remove_file(staging);
        }
    }
}

/// An empty file of this name that nobody else is writing; `None` if somebody is. Its lock ends with the process.
fn claim(path: &FilePath) -> io::Result<Option<File>> {
    let mut options = File::options();
    options.read(true).write(true);
    match options.clone().create_new(true).open(path) {
        // Where there are no locks, what is new is ours.
        Ok(file) => {
            return Ok(if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) { None } else { Some(file) });
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if file.try_lock().is_err() {
        return Ok(None);
    }
    // Between opening and locking, its owner may have published the file under its own name.
    let (ours, there) = (file.metadata()?, fs::symlink_metadata(path));
    if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
        file.set_len(0)?;
        return Ok(Some(file));
    }
    Ok(None)
}

/// Renames unless the new name is taken, in one step.
fn rename_to_new(from: &FilePath, to: &FilePath) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // The file system does not know the flag (NFS): a second name refuses just as well, but watchers see no rename.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::hard_link(from, to)?;
            let _ = fs::remove_file(from);
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes the name of `path` durable.
fn sync_parent(path: &FilePath) -> Result<()> {
    let directory = path.parent().unwrap_or(path);
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // Some network file systems sync names with the file and refuse to sync a directory.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result.map_err(|error| failed("sync", directory, error)),
    }
}

fn within(range: &GetRange, size: u64, path: &FilePath) -> Result<Range<u64>> {
    let beyond = |from: u64| Error::Generic {
        store: "directory",
        source: format!("`{}` has {size} bytes, none of them from {from} on", path.display()).into(),
    };
    match range {
        GetRange::Bounded(range) if range.start >= range.end => Err(Error::Generic {
            store: "directory",
            source: format!("the range {}..{} is empty", range.start, range.end).into(),
        }),
        GetRange::Bounded(range) if range.start >= size => Err(beyond(range.start)),
        GetRange::Bounded(range) => Ok(range.start..range.end.min(size)),
        GetRange::Offset(from) if *from >= size => Err(beyond(*from)),
        GetRange::Offset(from) => Ok(*from..size),
        GetRange::Suffix(length) => Ok(size.saturating_sub(*length)..size),
    }
}

/// A file that is being read.
struct Reading {
    file: File,
    path: PathBuf,
    stamp: Stamp,
    stable_inodes: bool,
    range: Range<u64>,
}

impl Reading {
    /// The next bytes; empty at the end, once the file is found unchanged.
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

fn read(reading: Reading) -> BoxStream<'static, Result<Bytes>> {
    stream::try_unfold(reading, |mut reading| async move {
        if reading.range.is_empty() {
            return Ok(None);
        }
        let step = move || reading.next().map(|chunk| Some((chunk, reading)));
        tokio::task::spawn_blocking(step).await?
    })
    .boxed()
}

#[async_trait]
impl ObjectStore for DirectoryStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let mode = match options.mode {
            PutMode::Overwrite => Publish::Replace,
            PutMode::Create => Publish::Create,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "`put_opts` with `PutMode::Update`".into(),
                    implementer: self.to_string(),
                });
            }
        };
        let path = self.inner.path_of(location)?;
        self.blocking(move |inner| inner.put(&path, &payload, mode)).await
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let path = self.inner.path_of(location)?;
        let staged = self.blocking(move |inner| inner.stage(&path)).await?;
        Ok(Box::new(Upload {
            store: self.clone(),
            staged: Some(staged),
            offset: 0,
            failed: Arc::new(AtomicBool::new(false)),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let location = location.clone();
        self.blocking(move |inner| inner.get(location, &options)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .map(move |location| {
                let store = store.clone();
                async move {
                    let location = location?;
                    store.blocking(move |inner| inner.delete(&location).map(|()| location)).await
                }
            })
            .buffered(8)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned().unwrap_or_default();
        let store = self.clone();
        let (sender, receiver) = mpsc::channel(2);
        tokio::task::spawn_blocking(move || {
            if store.inner.may_list(&prefix) {
                list_into(&store.inner, prefix.as_ref(), &sender);
            }
        });
        stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) })
            .flat_map(stream::iter)
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        self.blocking(move |inner| {
            if inner.may_list(&prefix) {
                return inner.list_level(prefix.as_ref());
            }
            Ok(ListResult { common_prefixes: Vec::new(), objects: Vec::new() })
        })
        .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let mode = match options.mode {
            CopyMode::Overwrite => Publish::Replace,
            CopyMode::Create => Publish::Create,
        };
        let (from, to) = (from.clone(), to.clone());
        self.blocking(move |inner| inner.copy(&from, &to, mode)).await
    }
}

type Batch = Vec<Result<ObjectMeta>>;

/// Walks below `start` and sends what is there in batches, until the receiver is dropped.
fn list_into(inner: &Inner, start: &str, sender: &mpsc::Sender<Batch>) {
    let mut batch = Vec::new();
    let visit = &mut |found| {
        match found {
            Found::File { key, stamp } => {
                if let Ok(location) = Path::parse(&key) {
                    batch.push(Ok(inner.meta(location, &stamp)));
                }
            }
            // A listing with a hole would be taken for the whole.
            Found::Strange(strange @ super::Strange::Unreadable(..)) => {
                batch.push(Err(Error::Generic { store: "directory", source: strange.to_string().into() }));
            }
            Found::Strange(_) | Found::Directory(_) => {}
        }
        if batch.len() < BATCH || sender.blocking_send(std::mem::take(&mut batch)).is_ok() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    let walked = walk(inner.tree(), start, &mut |_, _| true, visit);
    if let Err(error) = walked {
        batch.push(Err(failed("list", &inner.root.join(start), error)));
    }
    if !batch.is_empty() {
        let _ = sender.blocking_send(batch);
    }
}

/// A multipart upload: one staged file, parts written where they belong.
#[derive(Debug)]
struct Upload {
    store: DirectoryStore,
    staged: Option<Staged>,
    offset: u64,
    failed: Arc<AtomicBool>,
}

fn aborted() -> Error {
    Error::Generic { store: "directory", source: "the upload was completed or aborted before".into() }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let Some(staged) = &self.staged else {
            return std::future::ready(Err(aborted())).boxed();
        };
        let (file, path, part_failed) = (Arc::clone(&staged.file), staged.path.clone(), Arc::clone(&self.failed));
        let mut offset = self.offset;
        self.offset += data.content_length() as u64;
        let write = move || {
            for chunk in data.iter() {
                if let Err(error) = file.write_all_at(chunk, offset) {
                    part_failed.store(true, Ordering::SeqCst);
                    return Err(failed("write", &path, error));
                }
                offset += chunk.len() as u64;
            }
            Ok(())
        };
        async move { tokio::task::spawn_blocking(write).await? }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.staged.take().ok_or_else(aborted)?;
        let (part_failed, expected) = (Arc::clone(&self.failed), self.offset);
        self.store
            .blocking(move |inner| {
                let size = staged.file.metadata().map_err(|error| failed("read", &staged.path, error))?.len();
                if part_failed.load(Ordering::SeqCst) || size != expected {
                    let why = format!("a part of `{}` was not written", staged.path.display());
                    return Err(Error::Generic { store: "directory", source: why.into() });
                }
                inner.publish(staged, Publish::Replace)
            })
            .await
    }

    async fn abort(&mut self) -> Result<()> {
        self.staged.take().map(drop).ok_or_else(aborted)
    }
}
