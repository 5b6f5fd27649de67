//! Buckets as a deployment sees them: whether one is there, in which region, whether it holds anything, and its end.

use reqwest::Method;
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

use super::signed::Request;
use super::{Target, xml};

/// What can be seen of a bucket from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It is there, and lets us look.
    Open {
        /// Its region.
        region: String,
    },
    /// It is there, and does not let us look.
    Closed {
        /// Its region, if that is told.
        region: Option<String>,
    },
    /// There is none of this name.
    Absent,
}

/// Looks for a bucket.
///
/// # Errors
/// If S3 does not answer.
pub async fn look(target: &Target, name: &str) -> Result<Seen> {
    let answer = target.send(Request::s3(target, Method::HEAD, name, "", "")).await?;
    let region = answer.header("x-amz-bucket-region").map(str::to_owned);
    Ok(match answer.status {
        404 => Seen::Absent,
        200..=299 => Seen::Open { region: region.unwrap_or_else(|| target.account.region.clone()) },
        // Asked in the wrong region, it says so by its region.
        301 | 307 | 400 if region.is_some() => open_elsewhere(target, name, region.unwrap_or_default()).await?,
        301 | 307 | 400 | 403 => Seen::Closed { region },
        _ => return Err(answer.error(format!("bucket `{name}` cannot be looked at"))),
    })
}

async fn open_elsewhere(target: &Target, name: &str, region: String) -> Result<Seen> {
    let mut request = Request::s3(target, Method::HEAD, name, "", "");
    request.region.clone_from(&region);
    let answer = target.send(request).await?;
    Ok(if answer.is_done() { Seen::Open { region } } else { Seen::Closed { region: Some(region) } })
}

/// Whether a bucket of this name is this account's; `None` if there is none.
///
/// # Errors
/// If S3 does not say.
pub async fn is_ours(target: &Target, name: &str) -> Result<Option<bool>> {
    let answer = target.send(Request::s3(target, Method::HEAD, name, "", "").of_account(target)).await?;
    match answer.status {
        404 => Ok(None),
        200..=299 => Ok(Some(true)),
        // In another region it could not be asked for its owner; a bucket of the stack is in this one.
        301 | 307 | 400 | 403 => Ok(Some(false)),
        _ => Err(answer.error(format!("bucket `{name}` cannot be looked at"))),
    }
}

/// Whether a bucket of this account holds nothing, old versions counted too. One that is not there holds nothing.
///
/// # Errors
/// If S3 does not say.
pub async fn is_empty(target: &Target, name: &str) -> Result<bool> {
    let query = "max-keys=1&versions=";
    let answer = target.send(Request::s3(target, Method::GET, name, "", query).of_account(target)).await?;
    if answer.status == 404 {
        return Ok(true);
    }
    if !answer.is_done() {
        return Err(answer.error(format!("bucket `{name}` cannot be listed")));
    }
    Ok(xml::text(&answer.text(), "Key").is_none())
}

/// Deletes every object of a bucket of this account, then the bucket. `tell` hears how many objects are gone, again and again.
/// One that is not there is gone.
///
/// # Errors
/// If S3 refuses; what is gone by then stays so, and it can be called again.
pub async fn delete(target: &Target, name: &str, tell: &mut dyn FnMut(u64)) -> Result<()> {
    let mut gone = 0;
    loop {
        let query = "max-keys=1000&versions=";
        let listed = target.send(Request::s3(target, Method::GET, name, "", query).of_account(target)).await?;
        if listed.status == 404 {
            return Ok(());
        }
        if !listed.is_done() {
            return Err(listed.error(format!("bucket `{name}` cannot be listed")));
        }
        let versions = versions(&listed.text());
        if versions.is_empty() {
            break;
        }
        delete_objects(target, name, &versions).await?;
        gone += versions.len() as u64;
        tell(gone);
    }
    let answer = target.send(Request::s3(target, Method::DELETE, name, "", "").of_account(target)).await?;
    match answer.is_done() || answer.status == 404 {
        true => Ok(()),
        false => Err(answer.error(format!("bucket `{name}` cannot be deleted"))),
    }
}

/// Keys and version ids of a listing.
fn versions(xml: &str) -> Vec<(String, String)> {
    let mut versions: Vec<(String, String)> = Vec::new();
    for (name, text) in xml::texts(xml, &["Key", "VersionId"]) {
        match (name.as_str(), versions.last_mut()) {
            ("Key", _) => versions.push((text, String::new())),
            (_, Some((_, version))) => *version = text,
            (_, None) => {}
        }
    }
    versions
}

async fn delete_objects(target: &Target, name: &str, versions: &[(String, String)]) -> Result<()> {
    let mut body = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>".to_owned();
    for (key, version) in versions {
        body.push_str(&format!("<Object><Key>{}</Key>", xml::escaped(key)));
        if !version.is_empty() {
            body.push_str(&format!("<VersionId>{}</VersionId>", xml::escaped(version)));
        }
        body.push_str("</Object>");
    }
    body.push_str("</Delete>");
    let request = Request::s3(target, Method::POST, name, "", "delete=").of_account(target).body(body);
    let answer = target.send(request).await?;
    if !answer.is_done() {
        return Err(answer.error(format!("objects of bucket `{name}` cannot be deleted")));
    }
    // Each object may be refused by itself.
    match xml::text(&answer.text(), "Code") {
        None => Ok(()),
        Some(code) => {
            let message = xml::text(&answer.text(), "Message").unwrap_or_default();
            let what = format!("objects of bucket `{name}` cannot be deleted: {code}: {message}");
            Err(Error::new(ErrorKind::Denied, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_delete_markers_are_both_found() {
        let xml = "<ListVersionsResult><Name>b</Name><Version><Key>a&amp;b</Key><VersionId>null</VersionId></Version>\
                   <DeleteMarker><Key>c</Key><VersionId>v2</VersionId></DeleteMarker></ListVersionsResult>";
        let found = versions(xml);
        assert_eq!(found, [("a&b".to_owned(), "null".to_owned()), ("c".to_owned(), "v2".to_owned())]);
    }
}
