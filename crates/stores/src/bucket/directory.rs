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

mod reading;
mod writing;

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tidegate_model::Key;
use tokio::sync::mpsc;

use reading::Reading;
use writing::{Publish, Staged, Upload, sync_parent};

use super::own_file::OwnFile;
use super::walk::{Found, RESERVED, Stamp, Tree, is_gone, target_of_link, walk};
use crate::filesystem;

/// How often a directory is made for a file, before it is taken for one that cannot be.
const MADE: usize = 3;

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

    /// Makes `name` and then `name/below` in `directory` where they are missing, durably.
    pub(super) fn make(directory: &FilePath, name: &str, below: &str) -> io::Result<PathBuf> {
        let outer = directory.join(name);
        let inner = outer.join(below);
        for path in [&outer, &inner] {
            match fs::create_dir(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => result.and_then(|()| sync_parent(path))?,
            }
        }
        Ok(inner)
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
    use io::ErrorKind as K;
    let path_text = path.display().to_string();
    if is_gone(&source) {
        return Error::NotFound { path: path_text, source: source.into() };
    }
    match source.kind() {
        K::AlreadyExists => Error::AlreadyExists { path: path_text, source: source.into() },
        K::PermissionDenied | K::ReadOnlyFilesystem => {
            Error::PermissionDenied { path: path_text, source: source.into() }
        }
        K::InvalidFilename | K::IsADirectory | K::DirectoryNotEmpty => {
            refused(format!("cannot {what} `{path_text}`: {source}"))
        }
        _ => Error::Generic { store: "directory", source: format!("cannot {what} `{path_text}`: {source}").into() },
    }
}

/// What was asked for cannot be, however often it is asked.
fn refused(why: String) -> Error {
    Error::NotSupported { source: why.into() }
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
        Err(refused(format!("`{key}` is no key of a directory: {refusal}")))
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

    /// Makes the directories above `path` that are missing, durably; gives those, outermost first.
    fn make_directories(&self, path: &FilePath) -> Result<Vec<PathBuf>> {
        let mut made = Vec::new();
        for directory in self.directories_to(path) {
            match fs::symlink_metadata(directory) {
                Ok(metadata) if metadata.is_dir() => continue,
                Ok(metadata) if metadata.is_symlink() => return Err(refused_link(path)),
                Ok(_) => {
                    let file = directory.display();
                    return Err(refused(format!("`{file}` is a file, so nothing can be put below it")));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("reach", directory, error)),
            }
            match fs::create_dir(directory) {
                Ok(()) => made.push(directory.to_owned()),
                // Made just now by another: its name may not be durable yet either.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("make the directory", directory, error)),
            }
            sync_parent(directory).map_err(|error| failed("sync", directory, error))?;
        }
        Ok(made)
    }

    /// A new file that [`Inner::publish`] will call `path`.
    fn stage(&self, path: &FilePath) -> Result<Staged> {
        // Whoever made a directory may give up just now, and take it along.
        for _ in 0..MADE {
            let made = match self.make_directories(path) {
                Err(Error::NotFound { .. }) => continue,
                made => made?,
            };
            match Staged::new(path) {
                Ok(mut staged) => {
                    staged.made = made;
                    return Ok(staged);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("write beside", path, error)),
            }
        }
        let gone = io::Error::new(io::ErrorKind::NotFound, "its directory is removed whenever it is made");
        Err(failed("write beside", path, gone))
    }

    fn put(&self, path: &FilePath, payload: &PutPayload, mode: Publish) -> Result<PutResult> {
        let staged = self.stage(path)?;
        let mut file = staged.file();
        payload.iter().try_for_each(|chunk| file.write_all(chunk)).map_err(|error| failed("write", path, error))?;
        self.publish(staged, path, mode)
    }

    fn publish(&self, staged: Staged, path: &FilePath, mode: Publish) -> Result<PutResult> {
        let metadata = staged.publish(path, mode).map_err(|error| failed("put", path, error))?;
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
            Some(range) => reading::within(range, stamp.size, &path)?,
            None => 0..stamp.size,
        };
        let payload = match file {
            None => stream::empty().boxed(),
            Some(file) => {
                if let Some(own) = options.extensions.get::<OwnFile>() {
                    own.set(file.try_clone().map_err(|error| failed("read", &path, error))?);
                }
                let stable_inodes = self.stable_inodes;
                Reading { file, path, stamp, stable_inodes, range: range.clone() }.into_stream()
            }
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
            _ => sync_parent(&path).map_err(|error| failed("sync", &path, error)),
        }
    }

    /// A copy with bytes of its own: with a hard link, whoever edits one in place would edit the other.
    fn copy(&self, from: &Path, to: &Path, mode: Publish) -> Result<()> {
        let (source, _) = self.existing(&self.path_of(from)?)?;
        let mut source = File::open(&source).map_err(|error| failed("open", &source, error))?;
        let path = self.path_of(to)?;
        let staged = self.stage(&path)?;
        io::copy(&mut source, &mut staged.file()).map_err(|error| failed("write", &path, error))?;
        self.publish(staged, &path, mode).map(drop)
    }
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

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let path = self.inner.path_of(location)?;
        let target = path.clone();
        let staged = self.blocking(move |inner| inner.stage(&target)).await?;
        let own = options.extensions.get::<OwnFile>();
        if let Some(own) = own {
            own.set(staged.file().try_clone().map_err(|error| failed("write beside", &path, error))?);
        }
        Ok(Box::new(Upload::new(self.clone(), path, staged, own.is_some())))
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
