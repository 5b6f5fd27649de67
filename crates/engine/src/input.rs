//! Hop 6's beginning: the bytes of the run's object, in exactly the version of its event, hashed as they are read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt;
use object_store::{GetOptions, ObjectStoreExt, path::Path};
use sha2::{Digest, Sha256};
use tidegate_model::{ErrorKind, Failure, ObjectVersion};
use tidegate_stores::bucket::{InPlace, OwnFile};

use crate::context::{Made, SUPERSEDED, lock};
use crate::{Context, hex};

/// Up to this size an object is copied into memory.
const SMALL: u64 = 256 << 10;

/// The object's bytes at hand: a copy in memory if it is small, else the bucket's own file where it has one, or a copy in a
/// temporary file. Readers are independent of each other.
pub struct Input {
    bytes: AtHand,
    size: u64,
    made: Arc<Mutex<Made>>,
}

/// Where the bytes are.
#[derive(Clone)]
enum AtHand {
    Memory(Bytes),
    Copy(Arc<File>),
    InPlace(InPlace),
}

impl AtHand {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Self::Copy(file) => read_at(file, buffer, at),
            Self::InPlace(own) => read_at(own.file(), buffer, at),
            Self::Memory(bytes) => {
                let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
        }
    }

    /// Whether what was read of it may have been half of one version and half of another.
    fn is_changed(&self) -> io::Result<bool> {
        match self {
            Self::InPlace(own) => own.is_changed(),
            Self::Memory(_) | Self::Copy(_) => Ok(false),
        }
    }
}

impl Input {
    pub(crate) async fn open(context: &Context) -> Result<Self, Failure> {
        let object = context.object()?;
        let store = context.bucket(&object.bucket)?;
        let own = OwnFile::default();
        let options = own.asked_with(GetOptions::default().with_if_match(object.etag.clone()));
        let result = store.get_opts(&path_of(object)?, options).await.map_err(|error| read_failure(object, error))?;
        if result.meta.size != object.size {
            return Err(superseded(object));
        }
        let bytes = if object.size <= SMALL {
            AtHand::Memory(result.bytes().await.map_err(|error| read_failure(object, error))?)
        } else if let Some(in_place) = own.in_place(&result.meta).map_err(copy_failure)? {
            lock(&context.shared_made()).in_place = Some(in_place.clone());
            AtHand::InPlace(in_place)
        } else {
            let mut copy = tempfile::tempfile().map_err(copy_failure)?;
            let mut stream = result.into_stream();
            while let Some(bytes) = stream.next().await {
                let bytes = bytes.map_err(|error| read_failure(object, error))?;
                copy.write_all(&bytes).map_err(copy_failure)?;
            }
            AtHand::Copy(Arc::new(copy))
        };
        Ok(Self { bytes, size: object.size, made: context.shared_made() })
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// A reader from the first byte. Reading the first one to its end records the input's SHA-256.
    pub fn reader(&self) -> InputReader {
        let is_hashed = lock(&self.made).input_sha256.is_some();
        InputReader {
            bytes: self.bytes.clone(),
            size: self.size,
            at: 0,
            hasher: (!is_hashed).then(Sha256::new),
            made: Arc::clone(&self.made),
        }
    }
}

/// Reads an [`Input`]; see [`Input::reader`].
pub struct InputReader {
    bytes: AtHand,
    size: u64,
    at: u64,
    /// Gone once a seek made the hash meaningless, or the hash is recorded.
    hasher: Option<Sha256>,
    made: Arc<Mutex<Made>>,
}

impl Read for InputReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.at).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let count = self.bytes.read_at(&mut buffer[..wanted], self.at)?;
        if count == 0 && wanted > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the object shrank while it was read"));
        }
        self.at += count as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        if self.at == self.size {
            if self.bytes.is_changed()? {
                return Err(io::Error::other("the object was changed while it was read"));
            }
            if let Some(hasher) = self.hasher.take() {
                lock(&self.made).input_sha256 = Some(hex(&hasher.finalize()));
            }
        }
        Ok(count)
    }
}

impl Seek for InputReader {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let target = match position {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        let target = target.filter(|at| *at <= self.size).ok_or(io::ErrorKind::InvalidInput)?;
        if target != self.at {
            self.hasher = None;
        }
        self.at = target;
        Ok(target)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// Fails as superseded unless the object still is what the event says.
pub(crate) async fn ensure_current(context: &Context) -> Result<(), Failure> {
    let Some(object) = context.event().object() else { return Ok(()) };
    let store = context.bucket(&object.bucket)?;
    let meta = store.head(&path_of(object)?).await.map_err(|error| read_failure(object, error))?;
    if meta.size == object.size && (object.etag.is_none() || meta.e_tag == object.etag) {
        Ok(())
    } else {
        Err(superseded(object))
    }
}

/// The object's key as a path of its store.
pub(crate) fn path_of(object: &ObjectVersion) -> Result<Path, Failure> {
    Path::parse(&object.key).map_err(|error| Failure::new("R0002", ErrorKind::Invalid, error.to_string()))
}

/// Why a call failed: if its object was written to meanwhile, whatever was found in it.
pub(crate) fn reason(context: &Context, failure: Failure) -> Failure {
    let is_changed = context.made().in_place.as_ref().is_some_and(|file| file.is_changed().unwrap_or(false));
    match context.event().object() {
        Some(object) if is_changed => superseded(object),
        _ => failure,
    }
}

fn superseded(object: &ObjectVersion) -> Failure {
    Failure::new(
        SUPERSEDED,
        ErrorKind::NotFound,
        format!("a newer version of `{}` has replaced this one", object.path()),
    )
}

fn read_failure(object: &ObjectVersion, error: object_store::Error) -> Failure {
    match error {
        object_store::Error::Precondition { .. } => superseded(object),
        object_store::Error::NotFound { .. } => {
            Failure::new(SUPERSEDED, ErrorKind::NotFound, format!("`{}` was gone before it was read", object.path()))
        }
        other => tidegate_stores::Error::from(other).into_failure("R0005"),
    }
}

fn copy_failure(error: io::Error) -> Failure {
    Failure::new("R0008", ErrorKind::Unavailable, format!("a temporary file cannot be written: {error}"))
        .help("free space in the folder for temporary files, or set `TMPDIR` to one that has some")
}
