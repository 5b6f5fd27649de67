//! Floor 2: from a checked pipeline to the CloudFormation template that runs it on AWS, with least-privilege permissions. No I/O,
//! no async, no clock: the same pipeline gives the same template, byte for byte.
//!
//! ```text
//! bucket ──event──▶ intake queue ──▶ intake ──run──▶ queue of a function ──▶ function ──▶ buckets, tables, mail
//! schedule ─tick──▶      ▲              │ ▲                    │
//! other bucket ─▶ rule ──┘              ▼ └── dead letters ◀───┘     (state: one DynamoDB table; alarms: one SNS topic)
//! ```
//!
//! | what | where |
//! |---|---|
//! | the whole, in order | [`synthesise`] (`stack.rs`) |
//! | what each resource is, a file a kind | `resources/` |
//! | what things are called | [`Names`] (`names.rs`), `arn.rs` |
//! | where buckets, tables and databases are, and what AWS cannot have | `places.rs` |
//! | what a stack relies on, and what data are in | [`outside`] |
//! | who may do what, why, and whether | [`policy`] |
//! | what AWS would refuse and other checkers let pass | [`check`] |
//! | the form of a template | `template.rs`, `intrinsic.rs`, `yaml.rs` |

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod arn;
pub mod check;
mod intrinsic;
mod names;
pub mod outside;
mod places;
pub mod policy;
mod resources;
mod stack;
mod template;
mod yaml;

pub use arn::Account;
pub use names::Names;
pub use places::placed;
pub use stack::{Role, Stack, synthesise};
pub use template::Template;
