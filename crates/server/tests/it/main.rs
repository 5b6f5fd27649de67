//! The upload server, asked by real clients over real sockets.

mod connections;
mod place;
mod tls;
mod uploads;
