//! A client of an account of a stand-in for AWS, whose access key is the number of the account.

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;

use crate::Client;

/// Calls `endpoint` as `account`.
pub async fn client(endpoint: &str, region: &str, account: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config =
        aws_config::defaults(BehaviorVersion::latest()).http_client(http).region(Region::new(region.to_owned()));
    let credentials = Credentials::new(account, "worth-nothing", None, None, "test");
    Client::from(config.endpoint_url(endpoint).credentials_provider(credentials).load().await)
}
