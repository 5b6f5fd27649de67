//! The bucket where programs and templates lie, one an account and region. What lies there is named by its SHA-256, so the same bytes are
//! never uploaded twice, and what a stack was made from stays what it was.

use bytes::Bytes;
use reqwest::Method;
use sha2::{Digest, Sha256};
use tidegate_cloudformation::Names;
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

use super::Target;
use super::signed::Request;

const ENCRYPTION: &str = "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
const CLOSED: &str = "<PublicAccessBlockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";

/// The bucket of programs.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Its name.
    pub bucket: String,
    /// True if it was made just now.
    pub is_new: bool,
}

/// An object of the bucket of programs.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its key.
    pub key: String,
    /// Its url.
    pub url: String,
    /// False if it lay there already.
    pub is_new: bool,
}

impl Programs {
    /// Finds the bucket, or makes it: encrypted, and closed to the public.
    ///
    /// # Errors
    /// `Denied` if it is somebody else's or closed to us.
    pub async fn find_or_make(target: &Target) -> Result<Self> {
        let bucket = Names::programs(&target.account);
        let answer = target.send(Request::s3(target, Method::HEAD, &bucket, "", "").of_account(target)).await?;
        let is_new = match answer.status {
            200..=299 => false,
            404 => {
                make(target, &bucket).await?;
                true
            }
            403 => return Err(of_others(&bucket)),
            _ => return Err(answer.error(format!("bucket `{bucket}` cannot be looked at"))),
        };
        // One whose making was cut off is closed now.
        if is_new || !is_closed(target, &bucket).await? {
            set(target, &bucket, "encryption=", ENCRYPTION).await?;
            set(target, &bucket, "publicAccessBlock=", CLOSED).await?;
        }
        Ok(Self { bucket, is_new })
    }

    /// Stores bytes under their SHA-256 and `ending`, unless they lie there already.
    ///
    /// # Errors
    /// If S3 refuses.
    pub async fn store(&self, target: &Target, content: Bytes, ending: &str) -> Result<Stored> {
        let digest: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        let key = format!("{digest}.{ending}");
        let url = target.object_url(&self.bucket, &key);
        let found = target.send(Request::s3(target, Method::HEAD, &self.bucket, &key, "").of_account(target)).await?;
        if found.is_done() && found.header("content-length") == Some(content.len().to_string().as_str()) {
            return Ok(Stored { key, url, is_new: false });
        }
        let request = Request::s3(target, Method::PUT, &self.bucket, &key, "").of_account(target).body(content);
        let answer = target.send(request).await?;
        if !answer.is_done() {
            return Err(answer.error(format!("`{key}` cannot be uploaded to bucket `{}`", self.bucket)));
        }
        Ok(Stored { key, url, is_new: true })
    }
}

async fn make(target: &Target, bucket: &str) -> Result<()> {
    let region = &target.account.region;
    let request = Request::s3(target, Method::PUT, bucket, "", "");
    // The oldest region is meant by saying none.
    let request = match region.as_str() {
        "us-east-1" => request,
        _ => request.body(format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        )),
    };
    let answer = target.send(request).await?;
    match answer.code().as_str() {
        _ if answer.is_done() => Ok(()),
        // Somebody of this account was faster.
        "BucketAlreadyOwnedByYou" => Ok(()),
        "BucketAlreadyExists" => Err(of_others(bucket)),
        _ => Err(answer.error(format!("bucket `{bucket}` cannot be made"))),
    }
}

fn of_others(bucket: &str) -> Error {
    Error::new(ErrorKind::Denied, format!("bucket `{bucket}` is another account's, or closed to you")).help(
        "programs must not lie in a bucket that others can write to: let whoever looks after this account see to it, or use another region",
    )
}

async fn is_closed(target: &Target, bucket: &str) -> Result<bool> {
    let request = Request::s3(target, Method::GET, bucket, "", "publicAccessBlock=").of_account(target);
    let answer = target.send(request).await?;
    match answer.status {
        404 => Ok(false),
        // Who may not read it is not who made the bucket.
        200..=299 | 403 => Ok(true),
        _ => Err(answer.error(format!("bucket `{bucket}` cannot be looked at"))),
    }
}

async fn set(target: &Target, bucket: &str, what: &str, body: &'static str) -> Result<()> {
    let request = Request::s3(target, Method::PUT, bucket, "", what).of_account(target).body(body);
    let answer = target.send(request).await?;
    match answer.is_done() {
        true => Ok(()),
        false => Err(answer.error(format!("`{}` of bucket `{bucket}` cannot be set", what.trim_end_matches('=')))),
    }
}
