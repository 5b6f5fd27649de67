//! Hop 7 for objects: an output is written beside the bucket first, and put into it whole.

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

use crate::hex;

/// From this size on an output is put in parts.
const PART: usize = 8 << 20;

/// Up to this size an output waits in memory: most are small, and a file of their own would cost more than their bytes.
const SMALL: usize = 256 << 10;

/// An output object under way: bytes go to memory, or if they become many to a temporary file without a name, and into the
/// hash.
pub struct OutputFile {
    bucket: String,
    key: String,
    file: BufWriter<SpooledTempFile>,
    size: u64,
    hasher: Sha256,
    /// True if it must not replace an object.
    is_once: bool,
}

impl OutputFile {
    pub(crate) fn create(bucket: &str, key: &str) -> Result<Self, Failure> {
        let key = Key::new(key).map_err(|error| {
            Failure::new("R0002", ErrorKind::Invalid, format!("`{key}` cannot be the key of an output: {error}"))
        })?;
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.as_str().to_owned(),
            file: BufWriter::with_capacity(1 << 16, SpooledTempFile::new(SMALL)),
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
        self.file.flush().map_err(file_failure)
    }

    /// Puts the finished object into its bucket: nobody sees a part of it. `attributes` go with it.
    pub(crate) async fn commit(self, store: &dyn ObjectStore, attributes: Attributes) -> Result<Output, Failure> {
        let path =
            Path::parse(&self.key).map_err(|error| Failure::new("R0002", ErrorKind::Invalid, error.to_string()))?;
        let file = self.file.into_inner().map_err(|error| file_failure(error.into_error()))?;
        let mode = if self.is_once { PutMode::Create } else { PutMode::Overwrite };
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        let put = match file.into_inner() {
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
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
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
