//! Floor 3: Postgres behind the seams of `stores`, with tokio-postgres and rustls underneath.
//!
//! | file | what it has |
//! |---|---|
//! | `server.rs` | where a server is, read from a url, and how it is reached |
//! | `connection.rs` | one connection, and what its errors mean |
//! | `tls.rs` | the protected connection |
//! | `identifier.rs` | names as SQL has them |
//! | `table/` | tables that take a whole load or nothing of it, by COPY |
//! | `database.rs` | a database of the pipeline file |
//! | `source.rs` | the same as something to extract from |
//! | `warehouse.rs` | star schemas: how this server does what a warehouse asks |

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod connection;
mod database;
mod identifier;
mod server;
mod source;
mod table;
mod tls;
mod warehouse;

pub use connection::{Connection, refused};
pub use database::PostgresDatabase;
pub use identifier::{MAX_NAME, check_name, quote};
pub use server::Server;
pub use table::PostgresTables;
pub use warehouse::PostgresWarehouse;
