//! Two stores as one: what is written goes above, what is read is looked for there first and then below, which stays as it is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// A store that can be tried out: nothing of what is done to it reaches the one below. Nothing is deleted or copied.
#[derive(Debug)]
pub struct Layered {
    above: Arc<dyn ObjectStore>,
    below: Arc<dyn ObjectStore>,
}

impl Layered {
    /// `above` takes what is written; `below` is only read.
    pub fn new(above: Arc<dyn ObjectStore>, below: Arc<dyn ObjectStore>) -> Self {
        Self { above, below }
    }

    fn refused(&self, operation: &str) -> Error {
        Error::NotImplemented { operation: operation.to_owned(), implementer: self.to_string() }
    }
}

impl fmt::Display for Layered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} above {}", self.above, self.below)
    }
}

#[async_trait]
impl ObjectStore for Layered {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if options.mode == PutMode::Create && self.below.head(location).await.is_ok() {
            let path = location.to_string();
            return Err(Error::AlreadyExists { source: format!("`{path}` is there below").into(), path });
        }
        self.above.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.above.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.above.get_opts(location, options.clone()).await {
            Err(Error::NotFound { .. }) => self.below.get_opts(location, options).await,
            found => found,
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let name = self.to_string();
        let refused = move |_| Err(Error::NotImplemented { operation: "delete".to_owned(), implementer: name.clone() });
        locations.map(refused).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (above, below) = (self.above.list(prefix), self.below.list(prefix));
        let both = async move {
            let (below, above): (Vec<ObjectMeta>, Vec<ObjectMeta>) =
                (below.try_collect().await?, above.try_collect().await?);
            Ok::<_, Error>(futures::stream::iter(merged(below, above).into_iter().map(Ok)))
        };
        futures::stream::once(both).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let below = self.below.list_with_delimiter(prefix).await?;
        let above = self.above.list_with_delimiter(prefix).await?;
        let mut common_prefixes = [below.common_prefixes, above.common_prefixes].concat();
        common_prefixes.sort();
        common_prefixes.dedup();
        Ok(ListResult { common_prefixes, objects: merged(below.objects, above.objects) })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(self.refused("copy"))
    }
}

/// Each object once, in the order of the keys; what is above hides what is below.
fn merged(below: Vec<ObjectMeta>, above: Vec<ObjectMeta>) -> Vec<ObjectMeta> {
    let all = below.into_iter().chain(above);
    all.map(|meta| (meta.location.clone(), meta)).collect::<BTreeMap<_, _>>().into_values().collect()
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn what_is_below_is_seen_and_never_changed() {
        let below = Arc::new(InMemory::new());
        let path = |text: &str| Path::parse(text).expect("a path");
        below.put(&path("a/old"), "1".into()).await.expect("a put");
        below.put(&path("a/same"), "1".into()).await.expect("a put");
        let both = Layered::new(Arc::new(InMemory::new()), Arc::clone(&below) as Arc<dyn ObjectStore>);
        both.put(&path("a/same"), "2".into()).await.expect("a put");
        both.put(&path("b/new"), "2".into()).await.expect("a put");
        let taken = both.put_opts(&path("a/old"), "2".into(), PutMode::Create.into()).await;
        assert!(matches!(taken, Err(Error::AlreadyExists { .. })), "{taken:?}");
        for (key, text) in [("a/old", "1"), ("a/same", "2"), ("b/new", "2")] {
            let got = both.get(&path(key)).await.expect("an object").bytes().await.expect("bytes");
            assert_eq!(got, text.as_bytes(), "{key}");
        }
        let listed: Vec<ObjectMeta> = both.list(None).try_collect().await.expect("a listing");
        let keys: Vec<&str> = listed.iter().map(|meta| meta.location.as_ref()).collect();
        assert_eq!(keys, ["a/old", "a/same", "b/new"]);
        let level = both.list_with_delimiter(None).await.expect("a listing");
        assert_eq!(level.common_prefixes, [path("a"), path("b")]);
        assert!(both.delete(&path("a/old")).await.is_err());
        let kept = below.get(&path("a/same")).await.expect("an object").bytes().await.expect("bytes");
        assert!(kept == "1".as_bytes() && below.head(&path("b/new")).await.is_err());
    }
}
