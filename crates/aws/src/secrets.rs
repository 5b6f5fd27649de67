//! Values of `{ secret = "name" }` in AWS Secrets Manager: each is the plain text of a secret. They are never printed or stored.

use tidegate_model::{ErrorKind, Failure};

use crate::Client;
use crate::error::told;

/// There is no value for a secret.
const NO_VALUE: &str = "C0107";

/// The secrets of an account.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    client: aws_sdk_secretsmanager::Client,
}

impl SecretsManager {
    /// Nothing is called before it is needed.
    pub fn new(client: &Client) -> Self {
        Self { client: aws_sdk_secretsmanager::Client::new(client.config()) }
    }

    /// The value of the secret of this name on AWS.
    ///
    /// # Errors
    /// `C0107`: `NotFound`, `Denied`, `Unavailable`.
    pub async fn value(&self, name: &str) -> Result<String, Failure> {
        let call = self.client.get_secret_value().secret_id(name);
        let answer = call.send().await.map_err(|error| {
            let error = told(format!("the secret `{name}` in AWS Secrets Manager"), error);
            let help = format!("keep it: `aws secretsmanager create-secret --name {name} --secret-string …`");
            let failure = error.into_failure(NO_VALUE);
            if failure.kind == ErrorKind::NotFound { failure.help(help) } else { failure }
        })?;
        answer.secret_string().map(str::to_owned).ok_or_else(|| {
            let reason = format!("the secret `{name}` in AWS Secrets Manager is bytes");
            Failure::new(NO_VALUE, ErrorKind::Invalid, reason).expected("a text")
        })
    }
}
