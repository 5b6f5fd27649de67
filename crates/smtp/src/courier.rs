//! Connections to the server, and what its answers mean. lettre's client blocks, so each step runs on a blocking thread.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, CertificateStore, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use tidegate_model::{Address, ErrorKind, Failure};
use tidegate_stores::mail::{Courier, Delivery, DueMail, Undelivered};

use crate::Server;

/// How long the server may take for one answer; RFC 5321 allows it minutes once it has the content.
const PATIENCE: Duration = Duration::from_secs(120);

type SmtpError = lettre::transport::smtp::Error;

/// A courier by SMTP.
pub struct Smtp {
    inner: Arc<Inner>,
}

struct Inner {
    server: Server,
    from: lettre::Address,
    hello: ClientId,
}

impl Smtp {
    /// A courier of mails from `from`; nothing is connected yet.
    ///
    /// # Errors
    /// `Invalid` if the address cannot stand in SMTP.
    pub fn new(server: Server, from: &Address) -> Result<Self, Failure> {
        let from = address(from)?;
        let hello = ClientId::Domain(from.domain().to_owned());
        Ok(Self { inner: Arc::new(Inner { server, from, hello }) })
    }
}

#[async_trait]
impl Courier for Smtp {
    fn is_repeatable(&self) -> bool {
        false
    }

    async fn connect(&self) -> Result<Box<dyn Delivery>, Failure> {
        let inner = Arc::clone(&self.inner);
        let connection = blocking(move || inner.connect()).await.and_then(|connected| connected)?;
        Ok(Box::new(Connection { inner: Arc::clone(&self.inner), connection: Some(connection), is_announced: false }))
    }
}

impl Inner {
    fn connect(&self) -> Result<SmtpConnection, Failure> {
        let server = &self.server;
        let wrapped = if server.is_wrapped { Some(self.tls()?) } else { None };
        let at = (server.host.as_str(), server.port);
        let mut connection = SmtpConnection::connect(at, Some(PATIENCE), &self.hello, wrapped.as_ref(), None)
            .map_err(|error| self.refused("cannot be reached", &error))?;
        if !server.is_wrapped && connection.can_starttls() {
            let tls = self.tls()?;
            connection.starttls(&tls, &self.hello).map_err(|error| Failure {
                code: "C0202".to_owned(),
                ..self.refused("offers no connection that can be trusted", &error)
            })?;
        }
        if !connection.is_encrypted() && !server.is_here() {
            connection.abort();
            let reason = format!("the mail server {server} offers no STARTTLS");
            return Err(Failure::new("C0202", ErrorKind::Unavailable, reason)
                .expected("a connection that nobody can listen to")
                .help("use `smtps://` if the server has that"));
        }
        if let Some(login) = &server.login {
            let credentials = Credentials::new(login.user.clone(), login.password.clone());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).map_err(|error| {
                connection.abort();
                let mut failure = self.refused("refuses the login", &error);
                failure.code = "C0202".to_owned();
                failure.help("check `user` and `password` of `[mail]`")
            })?;
        }
        Ok(connection)
    }

    fn tls(&self) -> Result<TlsParameters, Failure> {
        let failed = |error: SmtpError| {
            let reason = format!("no protected connection is possible: {}", told(&error));
            Failure::new("C0202", ErrorKind::Invalid, reason)
                .help("check `ca` of `[mail]`, and the system's certificates")
        };
        let mut builder = TlsParameters::builder(self.server.host.clone()).certificate_store(CertificateStore::Default);
        if let Some(pem) = &self.server.ca {
            builder = builder.add_root_certificate(Certificate::from_pem(pem).map_err(failed)?);
        }
        builder.build_rustls().map_err(failed)
    }

    fn refused(&self, what: &str, error: &SmtpError) -> Failure {
        let why = told(error);
        let code = if error.is_tls() || why.contains("certificate") { "C0202" } else { "C0201" };
        let reason = format!("the mail server {} {what}: {why}", self.server);
        Failure::new(code, ErrorKind::Unavailable, reason)
    }
}

struct Connection {
    inner: Arc<Inner>,
    /// Gone once it broke.
    connection: Option<SmtpConnection>,
    /// True from the announcement of a mail until it is taken.
    is_announced: bool,
}

impl Connection {
    /// Runs `step` with the connection on a blocking thread.
    async fn step<F>(&mut self, step: F) -> Result<(), Undelivered>
    where
        F: FnOnce(&mut SmtpConnection, &Inner) -> Result<(), Undelivered> + Send + 'static,
    {
        let Some(mut connection) = self.connection.take() else {
            return Err(Undelivered::Lost(ended("the connection is gone")));
        };
        let inner = Arc::clone(&self.inner);
        let (connection, result) = blocking(move || {
            let result = step(&mut connection, &inner);
            (connection, result)
        })
        .await
        .map_err(Undelivered::Unknown)?;
        if !matches!(result, Err(Undelivered::Lost(_) | Undelivered::Unknown(_))) {
            self.connection = Some(connection);
        }
        result
    }
}

#[async_trait]
impl Delivery for Connection {
    async fn announce(&mut self, mail: &DueMail) -> Result<(), Undelivered> {
        let recipient = address(&mail.recipient).map_err(Undelivered::Refused)?;
        // The server may still have a mail in mind that was announced, or refused half-way.
        let must_reset = std::mem::replace(&mut self.is_announced, true);
        self.step(move |connection, inner| {
            let begun = if must_reset { connection.command(Rset).map(drop) } else { Ok(()) };
            begun
                .and_then(|()| connection.command(Mail::new(Some(inner.from.clone()), Vec::new())))
                .and_then(|_| connection.command(Rcpt::new(recipient, Vec::new())))
                .map(drop)
                .map_err(|error| judged(&error, Undelivered::Lost))
        })
        .await
    }

    async fn hand_over(&mut self, mail: &DueMail) -> Result<(), Undelivered> {
        // The end of the last line belongs to the dot that ends the content.
        let message = mail.message.strip_suffix(b"\r\n").unwrap_or(&mail.message).to_vec();
        self.step(move |connection, _| {
            // Until the server has said that it wants the content, it has nothing that it could keep.
            connection.command(Data).map_err(|error| judged(&error, Undelivered::Lost))?;
            connection.message(&message).map(drop).map_err(|error| judged(&error, Undelivered::Unknown))
        })
        .await?;
        self.is_announced = false;
        Ok(())
    }

    async fn close(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            // Whatever it answers, the mails are delivered.
            let _ = blocking(move || connection.quit().is_ok()).await;
        }
    }
}

/// What an error says of the mail: the server's word if there is one, else `broken`.
fn judged(error: &SmtpError, broken: fn(Failure) -> Undelivered) -> Undelivered {
    let refused =
        |code, kind, when| Failure::new(code, kind, format!("the mail server refused the mail{when}: {}", told(error)));
    if error.is_permanent() {
        Undelivered::Refused(refused("C0204", ErrorKind::Invalid, ""))
    } else if error.is_transient() {
        Undelivered::Later(refused("C0203", ErrorKind::Unavailable, " for now"))
    } else {
        match broken(ended(&told(error))) {
            Undelivered::Unknown(_) => {
                let reason = "the connection ended while the mail was handed over: it may have arrived, or not";
                Undelivered::Unknown(Failure::new("C0205", ErrorKind::Unavailable, reason))
            }
            other => other,
        }
    }
}

fn ended(why: &str) -> Failure {
    Failure::new("C0201", ErrorKind::Unavailable, format!("the connection to the mail server ended: {why}"))
}

/// An error with its code and causes, on one line.
fn told(error: &SmtpError) -> String {
    let mut text = error.status().map(|code| code.to_string()).unwrap_or_default();
    let mut cause = std::error::Error::source(error);
    if text.is_empty() && cause.is_none() {
        text = error.to_string();
    }
    while let Some(why) = cause {
        let why_text = why.to_string();
        if !text.contains(&why_text) {
            text = if text.is_empty() { why_text } else { format!("{text} {why_text}") };
        }
        cause = why.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn address(address: &Address) -> Result<lettre::Address, Failure> {
    address
        .email()
        .parse()
        .map_err(|_| Failure::new("C0204", ErrorKind::Invalid, "the address cannot be used for mails"))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::new("C0205", ErrorKind::Bug, format!("the mail client failed: {error}")))
}
