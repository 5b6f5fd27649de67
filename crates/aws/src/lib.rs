//! Floor 3: the places behind the seams of `stores` on AWS, with the official SDK.
//!
//! | what | where |
//! |---|---|
//! | credentials, region, endpoint and HTTP, for every service | [`Client`] (`client.rs`) |
//! | what an error of AWS means for the caller | `error.rs` |
//! | ledger and turns in the state table (hops 2, 4 and 8) | [`DynamoLedger`] (`ledger/`) |
//! | the outbox in the state table (hop 7) | [`DynamoOutbox`] (`outbox/`) |
//! | tables in DynamoDB (hop 7) | [`DynamoTables`] (`table/`) |

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod client;
mod dynamo;
mod error;
mod ledger;
mod outbox;
mod table;
#[cfg(feature = "testing")]
pub mod testing;

pub use client::Client;
pub use ledger::{DynamoLedger, Turn};
pub use outbox::DynamoOutbox;
pub use table::{DynamoTables, NameOf};
