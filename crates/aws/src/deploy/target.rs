//! An account of AWS in a region, and who we are there: what every step of a deployment begins with.

use std::time::Duration;

use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use tidegate_cloudformation::Account;
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

use crate::Client;
use crate::error::told;

/// How one logs in.
const LOG_IN: &str = "log in with `aws sso login` or `aws configure`, or set `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`";
/// The longest that a signed request may take: a program of 100 MB over a slow line.
const LONGEST_REQUEST: Duration = Duration::from_secs(600);

/// Where a stack goes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Target {
    pub(super) client: Client,
    pub(super) http: reqwest::Client,
    /// The account in its region.
    pub account: Account,
    /// The ARN of the user or role that we are.
    pub caller: String,
}

impl Target {
    /// Asks AWS who we are.
    ///
    /// # Errors
    /// `Denied` if there are no credentials, or AWS does not take them; `Unavailable` if it does not answer.
    pub async fn find(client: Client) -> Result<Self> {
        credentials(&client).await?;
        let sts = aws_sdk_sts::Client::new(client.config());
        let who = sts.get_caller_identity().send().await;
        let who = who.map_err(|error| {
            let error = told("AWS does not say who we are", error);
            if error.kind == ErrorKind::Denied { error.help(LOG_IN) } else { error }
        })?;
        let caller = who.arn().unwrap_or_default().to_owned();
        let partition = caller.split(':').nth(1).filter(|partition| !partition.is_empty()).unwrap_or("aws").to_owned();
        let id = who.account().unwrap_or_default().to_owned();
        let account = Account { partition, region: client.region().to_owned(), id };
        let http = reqwest::Client::builder().timeout(LONGEST_REQUEST).build();
        let http = http.map_err(|error| Error::caused(ErrorKind::Unavailable, "HTTPS cannot be spoken", error))?;
        Ok(Self { client, http, account, caller })
    }

    /// The page of a stack in the console of AWS.
    pub fn console(&self, stack_id: &str) -> String {
        let region = &self.account.region;
        let host = match self.account.partition.as_str() {
            "aws-cn" => "console.amazonaws.cn",
            "aws-us-gov" => "console.amazonaws-us-gov.com",
            _ => "console.aws.amazon.com",
        };
        let id = stack_id.replace(':', "%3A").replace('/', "%2F");
        format!("https://{region}.{host}/cloudformation/home?region={region}#/stacks/stackinfo?stackId={id}")
    }
}

/// The credentials as they are now.
pub(super) async fn credentials(client: &Client) -> Result<aws_credential_types::Credentials> {
    let none = || Error::new(ErrorKind::Denied, "there are no credentials for AWS").help(LOG_IN);
    let provider = client.config().credentials_provider().ok_or_else(none)?;
    provider.provide_credentials().await.map_err(|error| match error {
        CredentialsError::CredentialsNotLoaded(_) => none(),
        other => Error::caused(ErrorKind::Denied, "the credentials for AWS cannot be had", other).help(LOG_IN),
    })
}
