//! An account of AWS in a region, and who we are there: what every step of a deployment begins with.

use std::time::Duration;

use tidegate_cloudformation::Account;
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

use crate::Client;

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
        let (caller, id) = client.who().await?;
        let partition = caller.split(':').nth(1).filter(|partition| !partition.is_empty()).unwrap_or("aws").to_owned();
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
