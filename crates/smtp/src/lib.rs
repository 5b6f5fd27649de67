//! Floor 3: the courier that hands mails to a mail server by SMTP (RFC 5321), with lettre underneath.
//!
//! A connection is protected before a login or a mail goes over it: by TLS from the start (`smtps://`), or by STARTTLS
//! (`smtp://`), which the server must offer unless it is on this machine. What can be refused without doubt is refused
//! before the content goes over the line; a connection that ends while it does leaves a mail in doubt, and that is said.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod courier;
mod server;

pub use courier::Smtp;
pub use server::{Login, Server};
