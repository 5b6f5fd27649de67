//! One connection, and what its errors mean to whoever calls.

use std::ops::{Deref, DerefMut};

use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::error::{DbError, SqlState};

use crate::server::Server;

/// A connection to a server. It is a [`Client`]; dropping it closes it, and undoes what is not committed.
pub struct Connection {
    client: Client,
    driver: JoinHandle<()>,
}

impl Server {
    /// Connects. What goes over the line is driven by a task of the runtime that calls.
    ///
    /// # Errors
    /// `Unavailable` if the server cannot be reached or is starting, `Denied` if it does not let us in, `NotFound` if it has no
    /// such database, `Invalid` if it offers no connection that can be trusted. None shows the password.
    pub async fn connect(&self) -> Result<Connection> {
        let connecting = self.config.connect(self.tls.clone());
        // The timeout of the configuration is for the first packet only; a server that then says nothing is none.
        let patience = self.config.get_connect_timeout().copied().unwrap_or_default().saturating_mul(3);
        let connected = tokio::time::timeout(patience, connecting).await.map_err(|_| {
            let what = format!("the Postgres server {self} does not answer");
            Error::new(ErrorKind::Unavailable, what).help("check that it runs, and the network between")
        })?;
        let (client, connection) = connected.map_err(|error| self.unreachable(error))?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told of the same error.
            let _ = connection.await;
        });
        Ok(Connection { client, driver })
    }

    fn unreachable(&self, error: tokio_postgres::Error) -> Error {
        let (kind, help) = match error.as_db_error().map(DbError::code) {
            Some(code) if code.code().starts_with("28") => {
                (ErrorKind::Denied, "check the user and the password of its url")
            }
            Some(code) if *code == SqlState::INVALID_CATALOG_NAME => {
                (ErrorKind::NotFound, "create the database, or name another in the url")
            }
            Some(code) => (kind_of(code), "see what the server says in its log"),
            None if error.to_string().contains("TLS") => {
                (ErrorKind::Invalid, "check `sslmode` and `sslrootcert` of its url, and the server's certificate")
            }
            None if error.to_string().contains("configuration") || error.to_string().contains("authentication") => {
                (ErrorKind::Denied, "check the user and the password of its url")
            }
            None => (ErrorKind::Unavailable, "check that it runs, and the host and the port of its url"),
        };
        caused(kind, &format!("the Postgres server {self} cannot be used"), error).help(help)
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Connection {
    /// Says goodbye and waits until everything has gone over the line.
    pub async fn close(self) {
        drop(self.client);
        // A task that was cancelled or failed has nothing left to send.
        let _ = self.driver.await;
    }
}

/// What an error of the server means to whoever calls; `what` is what was attempted, lower case, without final period.
pub fn refused(what: &str, error: tokio_postgres::Error) -> Error {
    let kind = match error.as_db_error() {
        Some(error) => kind_of(error.code()),
        None if error.to_string().contains("serializing") => ErrorKind::Bug,
        None => ErrorKind::Unavailable,
    };
    let help = match kind {
        ErrorKind::Denied => Some("give the user of the url the right to do it (`GRANT`), or use another user"),
        ErrorKind::Corrupt => Some("the server's storage is damaged: restore it from a backup"),
        _ => None,
    };
    let error = caused(kind, what, error);
    match help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// The server's own words, with what it adds to them; tokio-postgres shows less.
fn caused(kind: ErrorKind, what: &str, error: tokio_postgres::Error) -> Error {
    let Some(said) = error.as_db_error() else { return Error::caused(kind, what, error) };
    let detail = said.detail().map_or_else(String::new, |detail| format!(" ({detail})"));
    let hint = said.hint().map(ToOwned::to_owned);
    let told = Error::caused(kind, what, format!("{}{detail} [{}]", said.message(), said.code().code()));
    match hint {
        Some(hint) => told.help(hint),
        None => told,
    }
}

/// What the caller can do about a state of the server's (appendix A of its manual).
fn kind_of(code: &SqlState) -> ErrorKind {
    let text = code.code();
    match text {
        // Cut off by somebody, and whatever a second try may find otherwise.
        "57014" | "55P03" | "40001" | "40P01" | "25P03" => return ErrorKind::Unavailable,
        "42501" | "25006" => return ErrorKind::Denied,
        "42P01" | "3D000" | "3F000" => return ErrorKind::NotFound,
        "XX001" | "XX002" => return ErrorKind::Corrupt,
        _ => {}
    }
    match text.get(..2).unwrap_or_default() {
        "08" | "53" | "57" | "58" => ErrorKind::Unavailable,
        "28" => ErrorKind::Denied,
        "23" => ErrorKind::Conflict,
        "0A" | "22" | "42" | "44" | "54" | "2B" => ErrorKind::Invalid,
        _ => ErrorKind::Bug,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_the_server_tell_what_to_do() {
        for (code, kind) in [
            ("08006", ErrorKind::Unavailable),
            ("57P03", ErrorKind::Unavailable),
            ("53300", ErrorKind::Unavailable),
            ("40P01", ErrorKind::Unavailable),
            ("28P01", ErrorKind::Denied),
            ("42501", ErrorKind::Denied),
            ("42P01", ErrorKind::NotFound),
            ("22021", ErrorKind::Invalid),
            ("23505", ErrorKind::Conflict),
            ("XX001", ErrorKind::Corrupt),
            ("XX000", ErrorKind::Bug),
        ] {
            assert_eq!(kind_of(&SqlState::from_code(code)), kind, "{code}");
        }
    }
}
