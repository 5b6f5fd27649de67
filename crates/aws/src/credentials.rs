//! The credentials of AWS for buckets: those that every other service is called with, profiles and single sign-on among them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use jiff::Timestamp;
use object_store::aws::AwsCredential;
use object_store::{CredentialProvider, Error};
use tokio::sync::Mutex;

use crate::{Client, Clock};

/// So long before their end credentials are asked for anew.
const MARGIN: Duration = Duration::from_secs(300);

/// Asks for credentials when they are needed, and keeps them as long as they hold.
pub struct Credentials {
    provider: Option<SharedCredentialsProvider>,
    clock: Clock,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    credential: Arc<AwsCredential>,
    until: Option<Timestamp>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("credentials of AWS")
    }
}

impl Credentials {
    /// The credentials of this client. Nothing is called yet.
    pub fn new(client: &Client, clock: Clock) -> Self {
        Self { provider: client.config().credentials_provider(), clock, kept: Mutex::default() }
    }

    async fn ask(&self) -> object_store::Result<Kept> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Unauthenticated {
            path: "credentials of AWS".to_owned(),
            source,
        };
        let provider = self.provider.as_ref().ok_or_else(|| failed("there are none".into()))?;
        let found = provider.provide_credentials().await.map_err(|error| failed(error.into()))?;
        Ok(Kept {
            until: found.expiry().and_then(|moment| Timestamp::try_from(moment).ok()),
            credential: Arc::new(AwsCredential {
                key_id: found.access_key_id().to_owned(),
                secret_key: found.secret_access_key().to_owned(),
                token: found.session_token().map(str::to_owned),
            }),
        })
    }
}

#[async_trait]
impl CredentialProvider for Credentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut kept = self.kept.lock().await;
        let soon = (self.clock)().checked_add(MARGIN).unwrap_or(Timestamp::MAX);
        if let Some(found) = kept.as_ref().filter(|kept| kept.until.is_none_or(|until| until > soon)) {
            return Ok(Arc::clone(&found.credential));
        }
        let found = self.ask().await?;
        let credential = Arc::clone(&found.credential);
        *kept = Some(found);
        Ok(credential)
    }
}
