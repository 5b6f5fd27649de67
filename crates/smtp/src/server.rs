//! Where the mail server is, and how it lets us in.

use std::fmt;

use tidegate_model::{ErrorKind, Failure};

/// A mail server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// True for TLS from the first byte, false for STARTTLS.
    pub is_wrapped: bool,
    /// How it lets us in, if it asks.
    pub login: Option<Login>,
    /// Certificates, PEM, that are trusted besides those of the system.
    pub ca: Option<Vec<u8>>,
}

/// Name and password.
#[derive(Clone)]
pub struct Login {
    /// Who.
    pub user: String,
    /// With what.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

impl Server {
    /// Reads `smtp://host:port` or `smtps://host:port`; the usual ports are 587 and 465.
    ///
    /// # Errors
    /// `Invalid` if it is neither.
    pub fn parse(url: &str) -> Result<Self, Failure> {
        let bad = || {
            Failure::new("P0210", ErrorKind::Invalid, "the `url` of `[mail]` is no mail server")
                .expected("`smtp://host:587` or `smtps://host:465`")
        };
        let (is_wrapped, rest) = match (url.strip_prefix("smtp://"), url.strip_prefix("smtps://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err(bad()),
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| bad())?),
            None => (rest, if is_wrapped { 465 } else { 587 }),
        };
        if host.is_empty() {
            return Err(bad());
        }
        Ok(Self { host: host.to_owned(), port, is_wrapped, login: None, ca: None })
    }

    /// True if nobody can listen on the way to it.
    pub(crate) fn is_here(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1")
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}:{}`", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ports_need_not_be_said() {
        let read = |url: &str| Server::parse(url).map(|server| (server.host, server.port, server.is_wrapped)).ok();
        assert_eq!(read("smtp://mail.example.org"), Some(("mail.example.org".to_owned(), 587, false)));
        assert_eq!(read("smtps://mail.example.org/"), Some(("mail.example.org".to_owned(), 465, true)));
        assert_eq!(read("smtp://127.0.0.1:25"), Some(("127.0.0.1".to_owned(), 25, false)));
        for bad in ["mail.example.org", "smtp://", "smtp://:25", "smtp://a:b", "http://a"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_login_never_shows_itself() {
        let login = Login { user: "tide".to_owned(), password: "hunter2".to_owned() };
        assert_eq!(format!("{login:?}"), "Login(…)");
    }
}
