//! What ledger, outbox and tables share of DynamoDB: attributes, conditional changes, transactions, queries and locks.
//!
//! Everything here goes through the official SDK. Rows of tables by the hundred thousand do not: `table/wire.rs` says why.

mod attributes;
mod change;
mod listing;
mod lock;
mod state;

pub(crate) use attributes::{
    Attribute, Attributes, Key, corrupt, fields, instant, json, maybe_instant, maybe_json, maybe_text, nested, number,
    parsed, text,
};
pub(crate) use change::{Change, Step};
pub(crate) use listing::{Listing, Select};
pub(crate) use lock::{Held, Lock};
pub(crate) use state::{AT_ONCE, StateTable};

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;

use crate::Client;

/// How often the SDK tries a call before it tells that there is no answer.
const ATTEMPTS: u32 = 6;

/// The SDK's client for DynamoDB.
pub(crate) fn sdk(client: &Client) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::config::Builder::from(client.config());
    aws_sdk_dynamodb::Client::from_conf(
        config.retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS)).build(),
    )
}

/// How long to wait before try number `tried` after the first: any time up to a bound that doubles from 20 ms to `longest`.
/// What `who` names decides which, so that those who collided do not collide again, and a test can be repeated.
pub(crate) fn backoff(tried: u32, who: &impl Hash, longest: Duration) -> Duration {
    let bound = Duration::from_millis(20).saturating_mul(1 << tried.min(16)).min(longest);
    bound.mul_f64(share(&(tried, who)))
}

/// A number from 0 up to 1 that `who` decides.
pub(crate) fn share(who: &impl Hash) -> f64 {
    let mut hasher = DefaultHasher::new();
    who.hash(&mut hasher);
    (hasher.finish() >> 40) as f64 / f64::from(1 << 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_has_a_bound_and_differs_between_those_who_wait() {
        let longest = Duration::from_secs(1);
        let waits = |who: &str| (0..40).map(|tried| backoff(tried, &who, longest)).collect::<Vec<_>>();
        assert!(waits("a").iter().all(|wait| *wait < longest));
        assert!(waits("a")[..3].iter().all(|wait| *wait < Duration::from_millis(80)));
        assert_ne!(waits("a"), waits("b"));
        let most = (0..100).map(|who| backoff(30, &who, longest)).max();
        assert!(most > Some(Duration::from_millis(900)), "full jitter reaches the bound");
    }
}
