//! One way to AWS for every service: credentials, region and endpoint as its own tools find them, HTTP on the TLS of the rest of
//! tidegate.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

use crate::error::told;

/// How one logs in.
const LOG_IN: &str = "log in with `aws sso login` or `aws configure`, or set `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`";

impl From<SdkConfig> for Client {
    fn from(config: SdkConfig) -> Self {
        Self { config }
    }
}

/// Who calls AWS, where, and how. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    config: SdkConfig,
}

impl Client {
    /// Finds credentials and region as the AWS command line does: environment, profiles, single sign-on, the role of a machine or
    /// of a Lambda function. No call is made yet. `region` goes before what is found.
    ///
    /// # Errors
    /// `Invalid` if no region is known.
    pub async fn find(region: Option<String>) -> Result<Self> {
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
        if let Some(region) = region {
            loader = loader.region(Region::new(region));
        }
        let config = loader.load().await;
        if config.region().is_none() {
            return Err(Error::new(ErrorKind::Invalid, "the region of AWS is not known")
                .help("set `AWS_REGION`, or `region` in your AWS profile"));
        }
        Ok(Self { config })
    }

    /// What the clients of single services are made from.
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The ARN and the account (twelve digits) of whoever calls, as AWS says.
    ///
    /// # Errors
    /// `Denied` if there are no credentials, or AWS does not take them; `Unavailable` if it does not answer.
    pub async fn who(&self) -> Result<(String, String)> {
        self.credentials().await?;
        let call = aws_sdk_sts::Client::new(&self.config).get_caller_identity();
        let answer = call.send().await.map_err(|error| {
            let error = told("AWS does not say who we are", error);
            if error.kind == ErrorKind::Denied { error.help(LOG_IN) } else { error }
        })?;
        let account = answer.account().map(str::to_owned);
        let account = account.ok_or_else(|| Error::new(ErrorKind::Unavailable, "AWS names no account"))?;
        Ok((answer.arn().unwrap_or_default().to_owned(), account))
    }

    /// The credentials as they are now.
    ///
    /// # Errors
    /// `Denied` if there are none.
    pub(crate) async fn credentials(&self) -> Result<aws_credential_types::Credentials> {
        let none = || Error::new(ErrorKind::Denied, "there are no credentials for AWS").help(LOG_IN);
        let provider = self.config.credentials_provider().ok_or_else(none)?;
        provider.provide_credentials().await.map_err(|error| match error {
            CredentialsError::CredentialsNotLoaded(_) => none(),
            other => Error::caused(ErrorKind::Denied, "the credentials for AWS cannot be had", other).help(LOG_IN),
        })
    }

    /// The endpoint of DynamoDB that the surroundings name, if they name one.
    pub(crate) fn dynamodb_endpoint(&self) -> Option<String> {
        let key = aws_types::service_config::ServiceConfigKey::builder().service_id("DynamoDB");
        let key = key.env("AWS_ENDPOINT_URL").profile("endpoint_url").build().ok()?;
        let of_service = self.config.service_config().and_then(|config| config.load_config(key));
        of_service.or_else(|| self.config.endpoint_url().map(str::to_owned))
    }

    /// The region, for example `eu-west-1`.
    pub fn region(&self) -> &str {
        self.config.region().map_or("", AsRef::as_ref)
    }
}
