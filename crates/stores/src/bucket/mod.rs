//! Buckets: a checked [`tidegate_model::Bucket`] becomes an [`ObjectStore`] (hops 1, 5 and 7 read and write it).
//!
//! | url | place |
//! |---|---|
//! | none | the directory `buckets/<name>` beside the pipeline file, made if absent |
//! | a path, `file://…` | that directory, which must exist: an absent one is more often a missing mount than a wish |
//! | `memory://` | this process; gone with it |
//! | `s3://bucket/prefix` | an S3 endpoint (feature `s3`) |
//!
//! Wherever a bucket is, an object has the same key: the text of a [`Key`], never percent-encoded. [`location`] is the
//! only way from a key to a [`object_store::path::Path`], and `Path::as_ref` the way back.

mod directory;
mod layered;
mod own_file;
#[cfg(feature = "s3")]
mod s3;
mod walk;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use tidegate_model::{Bucket, ErrorKind, Failure, Key, Setting};

pub use directory::DirectoryStore;
pub use layered::Layered;
pub use own_file::{InPlace, OwnFile};
pub(crate) use walk::{Found, RESERVED, Stamp, Strange, Tree, is_gone, look, walk};

/// The directory cannot be used.
const C_DIRECTORY: &str = "C0101";
/// The url or a setting cannot be used.
const C_SETTING: &str = "C0102";
/// The S3 endpoint knows no such bucket.
#[cfg(feature = "s3")]
const C_NO_BUCKET: &str = "C0103";
/// The S3 endpoint refuses the credentials.
#[cfg(feature = "s3")]
const C_CREDENTIALS: &str = "C0104";
/// The S3 endpoint does not answer.
#[cfg(feature = "s3")]
const C_UNREACHABLE: &str = "C0105";
/// This build knows no S3.
#[cfg(not(feature = "s3"))]
const C_FEATURE: &str = "C0106";

/// A bucket ready to be read and written.
#[derive(Debug, Clone)]
pub struct OpenBucket {
    /// Its name in the pipeline file.
    pub name: String,
    /// The store; keys are relative to the bucket.
    pub store: Arc<dyn ObjectStore>,
    /// Where it is.
    pub place: Place,
}

/// Where a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A directory: absolute, links resolved.
    Directory(PathBuf),
    /// This process.
    Memory,
    /// An S3 endpoint.
    S3 {
        /// The endpoint's url; `None` is AWS.
        endpoint: Option<String>,
        /// The bucket there.
        bucket: String,
        /// What stands before every key; empty for none.
        prefix: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Memory => f.write_str("memory://"),
            Self::S3 { endpoint, bucket, prefix } => {
                write!(f, "s3://{bucket}")?;
                if !prefix.is_empty() {
                    write!(f, "/{prefix}")?;
                }
                match endpoint {
                    Some(endpoint) => write!(f, " at {endpoint}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// What opening a bucket takes from outside the pipeline file.
pub struct Surroundings<'a> {
    /// The directory of the pipeline file; relative paths are relative to it.
    pipeline_dir: &'a Path,
    /// The value of a secret.
    secret: &'a (dyn Fn(&str) -> Result<String, Box<Failure>> + Sync),
    /// The `AWS_…` variables of the environment. Settings of the bucket come before them; where neither gives
    /// credentials, the container's or the instance's are asked for.
    #[cfg_attr(not(feature = "s3"), expect(dead_code, reason = "only S3 has variables"))]
    aws: &'a BTreeMap<String, String>,
    /// Credentials of AWS for buckets that have none of their own; without them, those of `aws`.
    #[cfg(feature = "s3")]
    credentials: Option<object_store::aws::AwsCredentialProvider>,
}

impl<'a> Surroundings<'a> {
    /// The directory of the pipeline file, who tells secrets, and the `AWS_…` variables.
    pub fn new(
        pipeline_dir: &'a Path,
        secret: &'a (dyn Fn(&str) -> Result<String, Box<Failure>> + Sync),
        aws: &'a BTreeMap<String, String>,
    ) -> Self {
        #[cfg(feature = "s3")]
        return Self { pipeline_dir, secret, aws, credentials: None };
        #[cfg(not(feature = "s3"))]
        return Self { pipeline_dir, secret, aws };
    }

    /// The same, with these credentials of AWS for buckets that have none of their own.
    #[cfg(feature = "s3")]
    #[must_use]
    pub fn with_credentials(self, credentials: object_store::aws::AwsCredentialProvider) -> Self {
        Self { credentials: Some(credentials), ..self }
    }
}

/// Opens a bucket. The default directory is made; nothing else is touched, and no network is used.
///
/// # Errors
/// `C0101` if the directory is absent or cannot be made, `C0102` if the url or a setting cannot be used, `C0106` if
/// this build knows no S3, and what the secret's store says.
pub fn open(bucket: &Bucket, surroundings: &Surroundings<'_>) -> Result<OpenBucket, Box<Failure>> {
    let url = bucket.url.as_deref();
    let (store, place): (Arc<dyn ObjectStore>, Place) = match url {
        None => open_default(surroundings.pipeline_dir, &bucket.name)?,
        Some("memory://" | "memory:///") => (Arc::new(InMemory::new()), Place::Memory),
        Some(url) if url.starts_with("s3://") => open_s3(bucket, url, surroundings)?,
        Some(url) => {
            let path = match url.strip_prefix("file://") {
                Some(path) => path.strip_prefix("localhost").unwrap_or(path),
                None if url.contains("://") => return Err(unknown_scheme(&bucket.name, url)),
                None => url,
            };
            open_directory(&surroundings.pipeline_dir.join(path), &bucket.name)?
        }
    };
    Ok(OpenBucket { name: bucket.name.clone(), store, place })
}

/// Asks the bucket for its first object, and a directory whether it may be written if `write` is set: what `run` and
/// `check --connect` do before they rely on it.
///
/// # Errors
/// `C0101` for a directory; `C0103` no such S3 bucket, `C0104` credentials refused, `C0105` endpoint unreachable.
pub async fn reach(bucket: &OpenBucket, write: bool) -> Result<(), Box<Failure>> {
    match &bucket.place {
        Place::Memory => Ok(()),
        Place::Directory(path) => {
            let (name, path) = (bucket.name.clone(), path.clone());
            // A network file system whose server is gone lets its callers wait.
            let reached = tokio::task::spawn_blocking(move || reach_directory(&name, &path, write)).await;
            reached.unwrap_or_else(|error| Err(Box::new(Failure::new(C_DIRECTORY, ErrorKind::Bug, error.to_string()))))
        }
        Place::S3 { .. } => match bucket.store.list(None).next().await {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(refused(bucket, error)),
        },
    }
}

/// Where the object of this key is in any bucket.
pub fn location(key: &Key) -> object_store::path::Path {
    object_store::path::Path::parse(key.as_str()).expect("a Key has no segment or character that a Path refuses")
}

fn open_default(pipeline_dir: &Path, name: &str) -> Result<(Arc<dyn ObjectStore>, Place), Box<Failure>> {
    let path = DirectoryStore::make(pipeline_dir, "buckets", name).map_err(|error| {
        let path = pipeline_dir.join("buckets").join(name);
        directory_failure(name, &path, format!("cannot be made: {error}"))
            .help(format!("make it yourself or say where the bucket is: `url = \"…\"` under `[bucket.{name}]`"))
    })?;
    open_directory(&path, name)
}

fn open_directory(path: &Path, name: &str) -> Result<(Arc<dyn ObjectStore>, Place), Box<Failure>> {
    let store = DirectoryStore::open(path).map_err(|error| {
        let failure = directory_failure(name, path, error.to_string()).expected("a directory that exists");
        let path = path.display();
        failure.help(format!("mount it, correct the `url` under `[bucket.{name}]`, or make it: `mkdir -p {path}`"))
    })?;
    let place = Place::Directory(store.root().to_owned());
    Ok((Arc::new(store), place))
}

fn reach_directory(name: &str, path: &Path, write: bool) -> Result<(), Box<Failure>> {
    use rustix::fs::Access;
    std::fs::read_dir(path).map_err(|error| {
        directory_failure(name, path, error.to_string()).expected("a directory that this user may read")
    })?;
    let wanted = if write { Access::WRITE_OK | Access::EXEC_OK } else { Access::EXEC_OK };
    rustix::fs::access(path, wanted).map_err(|error| {
        let error = std::io::Error::from(error);
        directory_failure(name, path, format!("functions write to it, but this user may not: {error}"))
            .help(format!("give this user the right to write: `ls -ld {}` shows who has it", path.display()))
    })?;
    Ok(())
}

fn directory_failure(name: &str, path: &Path, why: String) -> Failure {
    Failure::new(
        C_DIRECTORY,
        ErrorKind::Unavailable,
        format!("bucket `{name}` cannot use the directory `{}`: {why}", path.display()),
    )
}

fn unknown_scheme(name: &str, url: &str) -> Box<Failure> {
    let reason = format!("bucket `{name}` has the url `{url}`, whose scheme is not known");
    let failure = Failure::new(C_SETTING, ErrorKind::Invalid, reason);
    Box::new(failure.expected("a path, `file://…`, `memory://` or `s3://bucket/prefix`"))
}

/// The settings in the clear.
#[cfg_attr(not(feature = "s3"), expect(dead_code, reason = "only S3 has settings"))]
fn resolve(bucket: &Bucket, surroundings: &Surroundings<'_>) -> Result<BTreeMap<String, String>, Box<Failure>> {
    let mut settings = BTreeMap::new();
    for (name, setting) in &bucket.settings {
        let value = match setting {
            Setting::Plain(value) => value.clone(),
            Setting::Secret(secret) => (surroundings.secret)(secret)?,
        };
        settings.insert(name.clone(), value);
    }
    Ok(settings)
}

#[cfg(feature = "s3")]
fn open_s3(
    bucket: &Bucket,
    url: &str,
    surroundings: &Surroundings<'_>,
) -> Result<(Arc<dyn ObjectStore>, Place), Box<Failure>> {
    let credentials = surroundings.credentials.clone();
    s3::open(&bucket.name, url, &resolve(bucket, surroundings)?, surroundings.aws, credentials)
}

#[cfg(feature = "s3")]
fn refused(bucket: &OpenBucket, error: object_store::Error) -> Box<Failure> {
    s3::refused(bucket, error)
}

#[cfg(not(feature = "s3"))]
fn open_s3(bucket: &Bucket, url: &str, _: &Surroundings<'_>) -> Result<(Arc<dyn ObjectStore>, Place), Box<Failure>> {
    let reason = format!("bucket `{}` is at `{url}`, but this tidegate was built without S3", bucket.name);
    let failure = Failure::new(C_FEATURE, ErrorKind::Invalid, reason);
    Err(Box::new(failure.help("build it with the feature `s3`, or use a directory")))
}

#[cfg(not(feature = "s3"))]
fn refused(bucket: &OpenBucket, error: object_store::Error) -> Box<Failure> {
    Box::new(
        crate::Error::from(error)
            .into_failure(C_FEATURE)
            .at(tidegate_model::Place { object: Some(bucket.name.clone()), ..tidegate_model::Place::default() }),
    )
}
