//! Floor 3: the places behind the seams of `stores` on AWS, with the official SDK.
//!
//! | what | where |
//! |---|---|
//! | credentials, region, endpoint and HTTP, for every service | [`Client`] (`client.rs`) |
//! | what an error of AWS means for the caller | `error.rs` |
//! | ledger and turns in the state table (hops 2, 4 and 8) | [`DynamoLedger`] (`ledger/`) |
//! | the outbox in the state table (hop 7) | [`DynamoOutbox`] (`outbox/`) |
//! | tables in DynamoDB (hop 7) | [`DynamoTables`] (`table/`) |
//! | what S3 tells of objects, and what else the intake is sent (hop 1) | [`Message`] (`s3_event.rs`, `message.rs`) |
//! | the same messages on a machine (hop 1) | [`IntakeQueue`] (`intake.rs`) |
//! | a queue a function (hops 3 and 4) | [`SqsQueue`] (`queue/`) |
//! | mails through Amazon SES (hop 7) | [`Ses`] (`mail.rs`) |
//! | secrets; credentials of buckets | [`SecretsManager`] (`secrets.rs`), [`Credentials`] (`credentials.rs`) |
//! | the loop of a Lambda function | [`lambda`] (`lambda.rs`) |
//! | putting a stack there, and taking it away | [`deploy`] |

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod client;
mod credentials;
pub mod deploy;
mod dynamo;
mod error;
mod intake;
pub mod lambda;
mod ledger;
mod mail;
mod message;
mod outbox;
mod queue;
mod s3_event;
mod secrets;
mod table;
#[cfg(feature = "testing")]
pub mod testing;

pub use client::Client;
pub use credentials::Credentials;
pub use intake::IntakeQueue;
pub use ledger::{DynamoLedger, Turn};
pub use mail::Ses;
pub use message::{Listed, Message, ReconcileMessage, RunMessage, TickMessage, versions_of};
pub use outbox::DynamoOutbox;
pub use queue::{Clock, Received, SqsQueue};
pub use s3_event::{S3Object, later, objects};
pub use secrets::SecretsManager;
pub use table::{DynamoTables, NameOf};
/// The error of everything here.
pub use tidegate_stores::Error as StoreError;
