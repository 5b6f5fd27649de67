//! Hop 7 for mails on AWS: Amazon SES takes each mail as it is written.
//!
//! SES has no way to ask whether it has a mail, and a mail sent twice is two. So nothing is repeated here: what was refused before it
//! was taken is tried again by the sender, and of what got no answer nobody knows.

use async_trait::async_trait;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, RawMessage};
use tidegate_model::{Address, ErrorKind, Failure};
use tidegate_stores::mail::{Courier, Delivery, DueMail, Undelivered, without_addresses};

use crate::Client;

/// Hands mails to Amazon SES.
#[derive(Debug, Clone)]
pub struct Ses {
    client: aws_sdk_sesv2::Client,
    from: String,
}

impl Ses {
    /// Mails from this address, which SES must have verified. Nothing is called yet.
    pub fn new(client: &Client, from: &Address) -> Self {
        let config = aws_sdk_sesv2::config::Builder::from(client.config()).retry_config(RetryConfig::disabled());
        Self { client: aws_sdk_sesv2::Client::from_conf(config.build()), from: from.email().to_owned() }
    }
}

#[async_trait]
impl Courier for Ses {
    fn is_repeatable(&self) -> bool {
        false
    }

    async fn connect(&self) -> Result<Box<dyn Delivery>, Failure> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Delivery for Ses {
    async fn announce(&mut self, _: &DueMail) -> Result<(), Undelivered> {
        Ok(())
    }

    async fn hand_over(&mut self, mail: &DueMail) -> Result<(), Undelivered> {
        let bug = |error: &dyn std::fmt::Display| {
            Undelivered::Refused(Failure::new(
                "C0204",
                ErrorKind::Bug,
                format!("the mail cannot be handed over: {error}"),
            ))
        };
        let raw = RawMessage::builder().data(Blob::new(mail.message.clone())).build().map_err(|error| bug(&error))?;
        let call = self.client.send_email().from_email_address(&self.from);
        let call = call.destination(Destination::builder().to_addresses(mail.recipient.email()).build());
        let call = call.content(EmailContent::builder().raw(raw).build());
        call.send().await.map(drop).map_err(|error| judged(&error))
    }

    async fn close(&mut self) {}
}

/// What an answer of SES means.
fn judged(error: &SdkError<SendEmailError>) -> Undelivered {
    let code = error.code().unwrap_or_default();
    let said = without_addresses(&format!("{code}: {}", error.message().unwrap_or_default()));
    let later =
        |code| Failure::new(code, ErrorKind::Unavailable, format!("Amazon SES refused the mail for now: {said}"));
    match error {
        SdkError::ConstructionFailure(_) => Undelivered::Lost(Failure::new(
            "C0201",
            ErrorKind::Unavailable,
            "Amazon SES was not reached: there are no credentials of AWS",
        )),
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            Undelivered::Lost(Failure::new("C0201", ErrorKind::Unavailable, "Amazon SES was not reached"))
        }
        SdkError::ServiceError(service) => match code {
            "TooManyRequestsException" | "LimitExceededException" | "SendingPausedException" => {
                Undelivered::Later(later("C0203"))
            }
            "AccessDeniedException" | "AccessDenied" | "ExpiredTokenException" | "UnrecognizedClientException" => {
                Undelivered::Later(later("C0202").help("look at what the role may do; the sender must be verified"))
            }
            _ if service.raw().status().is_server_error() => Undelivered::Unknown(in_doubt()),
            _ => Undelivered::Refused(
                Failure::new("C0204", ErrorKind::Invalid, format!("Amazon SES refused the mail: {said}"))
                    .help("SES must have verified the sender, and in its sandbox each recipient"),
            ),
        },
        _ => Undelivered::Unknown(in_doubt()),
    }
}

fn in_doubt() -> Failure {
    let reason = "Amazon SES did not answer when the mail was handed over: it may have it, or not";
    Failure::new("C0205", ErrorKind::Unavailable, reason)
}
