//! Floor 3: what takes files in over the network. Before hop 1: a data logger uploads a file, which becomes an object of a
//! bucket; from then on it is like any other.
//!
//! | file | what |
//! |---|---|
//! | `accounts.rs` | which loggers may upload, and what was last heard of each |
//! | `secret.rs` | secrets of loggers: made, hashed, compared |
//! | `receive.rs` | an upload becomes an object: whole and right, or not at all |
//! | `routes.rs` | the paths that loggers know |
//! | `listen.rs` | connections: TLS, how many, how long |
//!
//! The protocol is that of the WIBL project's upload server, so that loggers in the field need a new address only.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod accounts;
mod listen;
mod receive;
mod routes;
mod secret;

pub use accounts::{Account, Accounts};
pub use listen::{Server, Tls};
pub use receive::{Limits, Receiver};
pub use routes::routes;
