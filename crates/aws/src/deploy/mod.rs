//! Putting the stack of a pipeline into an account, and taking it away again: what the commands `deploy` and `destroy` are made of.
//! Nothing here asks or prints; the binary does.
//!
//! | what | where |
//! |---|---|
//! | an account in a region, and who we are there | [`Target`] (`target.rs`) |
//! | signed requests to what has no SDK here | `signed.rs`, `xml.rs` |
//! | the bucket where programs lie | [`Programs`] (`programs.rs`) |
//! | buckets: whose, where, empty or not | [`bucket`] (`bucket.rs`) |
//! | events of existing buckets | [`event_bridge`] (`event_bridge.rs`, the pure part in `notification.rs`) |
//! | tables: empty or not, and their end | [`table`] (`table.rs`) |
//! | secrets, senders of mail, quotas: there or missing | [`look`] (`look.rs`) |
//! | stacks: state, what they hold, their end | [`stack`] (`stack.rs`) |
//! | what would change | [`change_set`] (`change_set.rs`), [`Change`] (`diff.rs`) |
//! | what happens while it changes, and why it fails | [`follow`] (`follow.rs`), `remedy.rs` |

pub mod bucket;
pub mod change_set;
mod diff;
pub mod event_bridge;
pub mod follow;
pub mod look;
mod notification;
mod programs;
mod remedy;
mod signed;
pub mod stack;
pub mod table;
mod target;
mod xml;

pub use diff::{Action, Change};
pub use programs::Programs;
pub use remedy::remedy;
pub use target::Target;
