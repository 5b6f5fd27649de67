//! What a stack needs and does not make: secrets, an address to send mails from, calls of Lambda at once. Whoever may not ask gets no
//! answer, which is no reason not to deploy.

use reqwest::Method;
use tidegate_model::ErrorKind;
use tidegate_stores::Result;

use super::Target;
use super::signed::Request;
use crate::error::told;

/// Whether a secret of Secrets Manager has a value; `None` if we may not ask.
///
/// # Errors
/// If Secrets Manager does not answer.
pub async fn secret(target: &Target, name: &str) -> Result<Option<bool>> {
    let secrets = aws_sdk_secretsmanager::Client::new(target.client.config());
    let found = secrets.describe_secret().secret_id(name).send().await;
    answer(found.map(|found| found.deleted_date().is_none()).map_err(|error| told("secret", error)))
}

/// Whether Amazon SES knows an address, or its domain, as ours; `None` if we may not ask.
///
/// # Errors
/// If SES does not answer.
pub async fn sender(target: &Target, address: &str) -> Result<Option<bool>> {
    let ses = aws_sdk_sesv2::Client::new(target.client.config());
    let domain = address.rsplit('@').next().unwrap_or(address);
    for identity in [address, domain] {
        let found = ses.get_email_identity().email_identity(identity).send().await;
        let is_verified = found.map(|found| found.verified_for_sending_status()).map_err(|error| told("sender", error));
        match answer(is_verified)? {
            Some(false) => {}
            other => return Ok(other),
        }
    }
    Ok(Some(false))
}

/// How many calls of Lambda this account may run at once; `None` if we may not ask.
///
/// # Errors
/// If Lambda does not answer.
pub async fn calls_at_once(target: &Target) -> Result<Option<u64>> {
    let request = Request {
        service: "lambda",
        region: target.account.region.clone(),
        method: Method::GET,
        path: "/2016-08-19/account-settings/".to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
    };
    let answer = target.send(request).await?;
    if !answer.is_done() {
        return Ok(None);
    }
    let settings: serde_json::Value = serde_json::from_str(&answer.text()).unwrap_or_default();
    Ok(settings["AccountLimit"]["ConcurrentExecutions"].as_u64())
}

/// What is absent is known to be; what is refused is not known.
fn answer(found: Result<bool>) -> Result<Option<bool>> {
    match found {
        Ok(is_there) => Ok(Some(is_there)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(Some(false)),
        Err(error) if error.kind == ErrorKind::Denied => Ok(None),
        Err(error) if error.what.contains("NotFound") => Ok(Some(false)),
        Err(error) => Err(error),
    }
}
