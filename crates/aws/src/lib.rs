//! Floor 3: the places behind the seams of `stores` on AWS, with the official SDK.
//!
//! | what | where |
//! |---|---|
//! | credentials, region, endpoint and HTTP, for every service | [`Client`] (`client.rs`) |
//! | what an error of AWS means for the caller | `error.rs` |
//! | putting a stack there, and taking it away | [`deploy`] |

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod client;
pub mod deploy;
mod error;

pub use client::Client;
/// The error of everything here.
pub use tidegate_stores::Error as StoreError;
