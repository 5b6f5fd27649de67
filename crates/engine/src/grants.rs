//! Guarantee 5: a function touches only what the pipeline file grants it. Decorators on the seams refuse the rest, and
//! note what was made.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult,
};
use tidegate_model::{ErrorKind, Failure, Function, Output, ValueType};
use tidegate_stores::{Error, Load, LoadReport, Table, TableLoad};

use crate::context::{Made, lock};

/// The failure of a function that reached beyond its grants.
pub(crate) fn denied(function: &Function, what: &str, name: &str) -> Failure {
    Failure::new("R0007", ErrorKind::Denied, format!("`{}` is not granted to {what} `{name}`", function.name))
        .help(format!("name `{name}` in `reads` or `into` of [function.{}]", function.name))
}

/// A bucket that can only be read.
#[derive(Debug)]
pub(crate) struct ReadOnly {
    inner: Arc<dyn ObjectStore>,
    name: String,
}

impl ReadOnly {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, name: &str) -> Self {
        Self { inner, name: name.to_owned() }
    }
}

fn read_only(bucket: &str, location: &Path) -> object_store::Error {
    object_store::Error::PermissionDenied {
        path: location.to_string(),
        source: format!("bucket `{bucket}` is written through the outputs of a run only").into(),
    }
}

impl fmt::Display for ReadOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read-only {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for ReadOnly {
    async fn put_opts(&self, location: &Path, _: PutPayload, _: PutOptions) -> object_store::Result<PutResult> {
        Err(read_only(&self.name, location))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Err(read_only(&self.name, location))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> object_store::Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let name = self.name.clone();
        locations.map(move |location| Err(read_only(&name, &location?))).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, to: &Path, _: CopyOptions) -> object_store::Result<()> {
        Err(read_only(&self.name, to))
    }
}

/// A table as one function may use it; its committed loads are noted as outputs of the run.
pub(crate) struct GrantedTable {
    pub(crate) inner: Arc<dyn Table>,
    pub(crate) name: String,
    pub(crate) function: String,
    pub(crate) may_write: bool,
    /// Where loads are noted, if they are.
    pub(crate) made: Option<Arc<Mutex<Made>>>,
}

#[async_trait]
impl Table for GrantedTable {
    async fn load(&self, load: Load) -> tidegate_stores::Result<Box<dyn TableLoad>> {
        if !self.may_write {
            let what = format!("`{}` is not granted to write table `{}`", self.function, self.name);
            return Err(Error::new(ErrorKind::Denied, what)
                .help(format!("name `{}` in `into` of [function.{}]", self.name, self.function)));
        }
        let inner = self.inner.load(load).await?;
        Ok(match &self.made {
            Some(made) => Box::new(NotedLoad { inner, name: self.name.clone(), made: Arc::clone(made) }),
            None => inner,
        })
    }

    async fn columns(&self) -> tidegate_stores::Result<Option<(Vec<(String, ValueType)>, usize)>> {
        self.inner.columns().await
    }

    async fn count(&self) -> tidegate_stores::Result<u64> {
        self.inner.count().await
    }

    async fn scan(
        &self,
        key: Option<Vec<String>>,
        take: &mut (dyn FnMut(RecordBatch) -> tidegate_stores::Result<()> + Send),
    ) -> tidegate_stores::Result<()> {
        self.inner.scan(key, take).await
    }
}

struct NotedLoad {
    inner: Box<dyn TableLoad>,
    name: String,
    made: Arc<Mutex<Made>>,
}

impl TableLoad for NotedLoad {
    fn write(&mut self, batch: &RecordBatch) -> tidegate_stores::Result<Vec<(usize, u64)>> {
        self.inner.write(batch)
    }

    fn preview(&mut self) -> tidegate_stores::Result<LoadReport> {
        self.inner.preview()
    }

    fn commit(self: Box<Self>) -> tidegate_stores::Result<LoadReport> {
        let report = self.inner.commit()?;
        note(&mut lock(&self.made), self.name, &report);
        Ok(report)
    }
}

/// Notes a committed load as an output of the run.
pub(crate) fn note(made: &mut Made, table: String, report: &LoadReport) {
    let sha256 = made.input_sha256.clone().unwrap_or_default();
    made.rows.push(Output::Rows {
        table,
        inserted: report.inserted,
        updated: report.updated,
        unchanged: report.unchanged,
        deleted: report.deleted,
        sha256,
    });
}
