//! Hop 7 for objects: an output is written beside what is published, and becomes an object as a whole.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Attributes, MultipartUpload, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use sha2::{Digest, Sha256};
use tempfile::{SpooledData, SpooledTempFile};
use tidegate_model::{ErrorKind, Failure, Key, Output};
use tidegate_stores::bucket::OwnFile;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::hex;

/// From this size on an output is put in parts.
const PART: usize = 8 << 20;

/// Up to this size an output waits in memory: most are small, and a file of their own would cost more than their bytes.
const SMALL: usize = 256 << 10;

/// Bytes that are buffered before they are written.
const BUFFER: usize = 1 << 16;

/// Bytes of a large output after which the disk is told to take them: at the end it then has little left to do.
const SYNCED_AT_ONCE: u64 = 64 << 20;

/// An output object under way: its bytes go where they wait for the commit, and into the hash.
pub struct OutputFile {
    bucket: String,
    key: String,
    bytes: Waiting,
    size: u64,
    hasher: Sha256,
    /// True if it must not replace an object.
    is_once: bool,
}

/// Where an output waits for its commit.
enum Waiting {
    /// In memory, or if it becomes large in a temporary file without a name.
    Beside(BufWriter<SpooledTempFile>),
    /// In the file that will be the object, and the upload that makes it one; it goes with it if it is dropped.
    InPlace(InPlace),
}

/// An output in its place.
struct InPlace {
    file: BufWriter<File>,
    upload: Box<dyn MultipartUpload>,
    /// Bytes that the disk was not told of yet.
    unsynced: u64,
    /// What the disk was told, and says of it: an error is told once, so none may be passed over.
    syncs: Vec<JoinHandle<io::Result<()>>>,
}

impl OutputFile {
    /// One that will be large, for a store that keeps objects as files: it is written once, where it will stay.
    pub(crate) async fn in_place(bucket: &str, key: &str, store: &dyn ObjectStore) -> Result<Self, Failure> {
        let mut output = Self::create(bucket, key)?;
        let own = OwnFile::default();
        let mut options = PutMultipartOptions::default();
        options.extensions.insert(own.clone());
        let upload = store.put_multipart_opts(&path_of(&output.key)?, options).await.map_err(put_failure)?;
        if let Some(file) = own.get() {
            let file = BufWriter::with_capacity(BUFFER, file.try_clone().map_err(file_failure)?);
            output.bytes = Waiting::InPlace(InPlace { file, upload, unsynced: 0, syncs: Vec::new() });
        }
        Ok(output)
    }

    pub(crate) fn create(bucket: &str, key: &str) -> Result<Self, Failure> {
        let key = Key::new(key).map_err(|error| {
            Failure::new("R0002", ErrorKind::Invalid, format!("`{key}` cannot be the key of an output: {error}"))
        })?;
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.as_str().to_owned(),
            bytes: Waiting::Beside(BufWriter::with_capacity(BUFFER, SpooledTempFile::new(SMALL))),
            size: 0,
            hasher: Sha256::new(),
            is_once: false,
        })
    }

    pub(crate) fn once(mut self) -> Self {
        self.is_once = true;
        self
    }

    /// The bucket it goes to.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key it will have.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of what is written so far, in hexadecimal digits.
    pub fn sha256(&self) -> String {
        hex(&self.hasher.clone().finalize())
    }

    pub(crate) fn flush_all(&mut self) -> Result<(), Failure> {
        self.flush().map_err(file_failure)
    }

    /// Puts the finished object into its bucket: nobody sees a part of it. `attributes` go with it.
    pub(crate) async fn commit(self, store: &dyn ObjectStore, attributes: Attributes) -> Result<Output, Failure> {
        let path = path_of(&self.key)?;
        let put = match self.bytes {
            Waiting::InPlace(mut output) => {
                for sync in output.syncs {
                    sync.await.map_err(io::Error::other).flatten().map_err(file_failure)?;
                }
                output.upload.complete().await.map_err(put_failure)?
            }
            Waiting::Beside(file) => {
                let mode = if self.is_once { PutMode::Create } else { PutMode::Overwrite };
                let options = PutOptions { mode, attributes, ..PutOptions::default() };
                let file = file.into_inner().map_err(|error| file_failure(error.into_error()))?;
                match file.into_inner() {
                    SpooledData::InMemory(bytes) => put_whole(store, &path, bytes.into_inner(), options).await?,
                    SpooledData::OnDisk(mut file) => {
                        file.rewind().map_err(file_failure)?;
                        if self.size <= PART as u64 || self.is_once {
                            let mut bytes = Vec::with_capacity(usize::try_from(self.size).unwrap_or(0));
                            file.read_to_end(&mut bytes).map_err(file_failure)?;
                            put_whole(store, &path, bytes, options).await?
                        } else {
                            put_in_parts(store, &path, &mut file, options.attributes).await?
                        }
                    }
                }
            }
        };
        Ok(Output::Object {
            bucket: self.bucket,
            key: self.key,
            size: self.size,
            sha256: hex(&self.hasher.finalize()),
            etag: put.e_tag,
        })
    }
}

async fn put_whole(
    store: &dyn ObjectStore,
    path: &Path,
    bytes: Vec<u8>,
    options: PutOptions,
) -> Result<PutResult, Failure> {
    store.put_opts(path, PutPayload::from(bytes), options).await.map_err(put_failure)
}

async fn put_in_parts(
    store: &dyn ObjectStore,
    path: &Path,
    file: &mut File,
    attributes: Attributes,
) -> Result<PutResult, Failure> {
    let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
    let mut upload = store.put_multipart_opts(path, options).await.map_err(put_failure)?;
    match put_parts(upload.as_mut(), file).await {
        Ok(()) => upload.complete().await.map_err(put_failure),
        Err(failure) => {
            // Best effort: a store drops unfinished parts by itself in time.
            let _ = upload.abort().await;
            Err(failure)
        }
    }
}

async fn put_parts(upload: &mut dyn MultipartUpload, file: &mut File) -> Result<(), Failure> {
    loop {
        let mut part = Vec::with_capacity(PART);
        Read::by_ref(file).take(PART as u64).read_to_end(&mut part).map_err(file_failure)?;
        if part.is_empty() {
            return Ok(());
        }
        upload.put_part(PutPayload::from(Bytes::from(part))).await.map_err(put_failure)?;
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &mut self.bytes {
            Waiting::Beside(file) => file.write(bytes)?,
            Waiting::InPlace(output) => output.write(bytes)?,
        };
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.bytes {
            Waiting::Beside(file) => file.flush(),
            Waiting::InPlace(output) => output.file.flush(),
        }
    }
}

impl InPlace {
    /// Writes, and lets the disk take what was written while more is written.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.unsynced += count as u64;
        if self.unsynced >= SYNCED_AT_ONCE
            && let Ok(runtime) = Handle::try_current()
        {
            self.unsynced = 0;
            let file = self.file.get_ref().try_clone()?;
            self.syncs.push(runtime.spawn_blocking(move || file.sync_data()));
        }
        Ok(count)
    }
}

fn path_of(key: &str) -> Result<Path, Failure> {
    Path::parse(key).map_err(|error| Failure::new("R0002", ErrorKind::Invalid, error.to_string()))
}

fn put_failure(error: object_store::Error) -> Failure {
    if let object_store::Error::AlreadyExists { path, .. } = &error {
        let reason = format!("`{path}` is there already: another run has made it meanwhile");
        return Failure::new("R0006", ErrorKind::Conflict, reason)
            .help("it is tried again, on what the other run has made");
    }
    tidegate_stores::Error::from(error).into_failure("R0006")
}

fn file_failure(error: io::Error) -> Failure {
    Failure::new("R0008", ErrorKind::Unavailable, format!("a temporary file cannot be written: {error}"))
        .help("free space in the folder for temporary files, or set `TMPDIR` to one that has some")
}
