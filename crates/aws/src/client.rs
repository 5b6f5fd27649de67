//! One way to AWS for every service: credentials, region and endpoint as its own tools find them, HTTP on the TLS of the rest of
//! tidegate.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};

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

    /// The region, for example `eu-west-1`.
    pub fn region(&self) -> &str {
        self.config.region().map_or("", AsRef::as_ref)
    }
}
