//! A bucket that fails when it is told to.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use super::{Befalls, Call, ClockHeld, Fate};

/// A bucket, with faults.
#[derive(Debug, Clone)]
pub struct FaultyStore {
    /// The bucket itself.
    pub inner: Arc<dyn ObjectStore>,
    /// What decides over its calls.
    pub fate: Arc<dyn Fate>,
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

fn lost(call: Call) -> Error {
    Error::Generic { store: "faulty", source: format!("`{call}` failed because the test wants it").into() }
}

fn read(name: &'static str) -> Call {
    Call { seam: "bucket", name, writes: false }
}

fn write(name: &'static str) -> Call {
    Call { seam: "bucket", name, writes: true }
}

async fn fateful<T>(fate: &dyn Fate, call: Call, make: impl Future<Output = Result<T>>) -> Result<T> {
    let befalls = fate.befalls(call);
    if matches!(befalls, Befalls::Refused | Befalls::Broken) {
        return Err(lost(call));
    }
    let held = ClockHeld::begin();
    let answer = make.await?;
    drop(held);
    fate.done(call);
    if befalls == Befalls::AnswerLost { Err(lost(call)) } else { Ok(answer) }
}

/// The first half of what would have been read, then an error.
async fn broken(result: GetResult) -> Result<GetResult> {
    let (meta, range, attributes) = (result.meta.clone(), result.range.clone(), result.attributes.clone());
    let bytes = result.bytes().await?;
    let half = bytes.slice(..bytes.len() / 2);
    let payload = GetResultPayload::Stream(stream::iter([Ok(half), Err(lost(read("get")))]).boxed());
    Ok(GetResult { payload, meta, range, attributes })
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        fateful(self.fate.as_ref(), write("put"), self.inner.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begun = self.inner.put_multipart_opts(location, options);
        let inner = fateful(self.fate.as_ref(), read("put_multipart"), begun).await?;
        Ok(Box::new(FaultyUpload { inner, fate: Arc::clone(&self.fate) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let wants_bytes = !options.head;
        let call = read(if wants_bytes { "get" } else { "head" });
        let befalls = self.fate.befalls(call);
        if befalls == Befalls::Refused {
            return Err(lost(call));
        }
        let held = ClockHeld::begin();
        let result = self.inner.get_opts(location, options).await?;
        drop(held);
        self.fate.done(call);
        match befalls {
            Befalls::Nothing | Befalls::Refused => Ok(result),
            Befalls::AnswerLost => Err(lost(call)),
            Befalls::Broken if wants_bytes => broken(result).await,
            Befalls::Broken => Err(lost(call)),
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        fateful(self.fate.as_ref(), read("get_ranges"), self.inner.get_ranges(location, ranges)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.fate.befalls(write("delete")) {
            Befalls::Nothing => {
                let fate = Arc::clone(&self.fate);
                self.inner.delete_stream(locations).inspect_ok(move |_| fate.done(write("delete"))).boxed()
            }
            _ => locations.map(|_| Err(lost(write("delete")))).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listing = self.inner.list(prefix);
        match self.fate.befalls(read("list")) {
            Befalls::Nothing => listing,
            // One object arrives, the others do not.
            Befalls::Broken => listing.take(1).chain(stream::iter([Err(lost(read("list")))])).boxed(),
            Befalls::Refused | Befalls::AnswerLost => stream::iter([Err(lost(read("list")))]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        fateful(self.fate.as_ref(), read("list_with_delimiter"), self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        fateful(self.fate.as_ref(), write("copy"), self.inner.copy_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    fate: Arc<dyn Fate>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let (part, fate) = (self.inner.put_part(payload), Arc::clone(&self.fate));
        Box::pin(async move { fateful(fate.as_ref(), read("put_part"), part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        fateful(self.fate.as_ref(), write("complete"), self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
