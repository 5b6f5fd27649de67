//! Events of buckets that were there before the stack: a bucket tells EventBridge of its objects once that is switched on in its
//! notification configuration, which is one document that is replaced as a whole. So it is read, the switch is added to its
//! text, and it is written back; everything else in it stays as it was. If the switch is on, nothing is written.

use reqwest::Method;
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

use super::signed::Request;
use super::{Target, notification};

/// What became of the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// It was on.
    WasOn,
    /// It was off, and is on now.
    IsOn,
    /// It was off, and only looked at.
    IsOff,
    /// Reading or writing the configuration is not allowed to us: its owner has to do it.
    NotOurs,
}

/// Whether the switch of a bucket is on; nothing is changed.
///
/// # Errors
/// If S3 does not say.
pub async fn look(target: &Target, bucket: &str) -> Result<Switch> {
    Ok(match read(target, bucket).await? {
        None => Switch::NotOurs,
        Some(xml) if added(bucket, &xml)?.is_none() => Switch::WasOn,
        Some(_) => Switch::IsOff,
    })
}

/// Switches it on, if it is off.
///
/// # Errors
/// If S3 refuses, or if somebody else has written the configuration at the same moment.
pub async fn switch_on(target: &Target, bucket: &str) -> Result<Switch> {
    let Some(before) = read(target, bucket).await? else { return Ok(Switch::NotOurs) };
    let Some(wanted) = added(bucket, &before)? else { return Ok(Switch::WasOn) };
    let request = Request::s3(target, Method::PUT, bucket, "", "notification=")
        .of_account(target)
        // Those that are told already were tried when they were added; they get no trial message now.
        .header("x-amz-skip-destination-validation", "true")
        .header("content-type", "application/xml")
        .body(wanted);
    let answer = target.send(request).await?;
    if answer.status == 403 {
        return Ok(Switch::NotOurs);
    }
    if !answer.is_done() {
        return Err(answer.error(format!("EventBridge cannot be switched on for bucket `{bucket}`")));
    }
    let after = read(target, bucket).await?.unwrap_or_default();
    let kept = notification::parts(&after);
    if notification::parts(&before).iter().all(|part| kept.contains(part)) && added(bucket, &after)?.is_none() {
        return Ok(Switch::IsOn);
    }
    let what = format!("the event notifications of bucket `{bucket}` are not what was written");
    Err(Error::new(ErrorKind::Conflict, what)
        .help(format!("somebody else has changed them at the same moment: compare them with what they were, and run this again\n{before}")))
}

/// The configuration; `None` if we may not read it.
async fn read(target: &Target, bucket: &str) -> Result<Option<String>> {
    let request = Request::s3(target, Method::GET, bucket, "", "notification=").of_account(target);
    let answer = target.send(request).await?;
    match answer.status {
        200..=299 => Ok(Some(answer.text())),
        403 => Ok(None),
        _ => Err(answer.error(format!("the event notifications of bucket `{bucket}` cannot be read"))),
    }
}

fn added(bucket: &str, xml: &str) -> Result<Option<String>> {
    notification::with_event_bridge(xml).map_err(|why| {
        let what = format!("the event notifications of bucket `{bucket}` cannot be understood, and are left alone: {why}");
        Error::new(ErrorKind::Invalid, what)
            .help("switch on `Amazon EventBridge` in the bucket's properties, on the page of the bucket in the console of AWS")
    })
}
