//! Where a server is and how it is reached, read from a url as `psql` takes it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use tidegate_model::ErrorKind;
use tidegate_stores::{Error, Result};
use tokio_postgres::config::{Host, SslMode};

use crate::tls::{Tls, Trust};

/// How long a connection may take to stand, unless the url says.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection on which nothing goes is asked after so long whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A connection whose other side acknowledges nothing for so long is given up, unless the url says.
const SILENCE: Duration = Duration::from_secs(60);

/// A server and a database on it. Its password is in nothing that it shows.
#[derive(Clone)]
pub struct Server {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) tls: Tls,
}

impl Server {
    /// Reads `postgres://user:password@host:port/database?parameter=value…`. Parameters are those of `psql`; of them
    /// `sslmode` is
    ///
    /// | `sslmode` | the connection |
    /// |---|---|
    /// | `disable` | is open |
    /// | `prefer` (the default) | is encrypted if the server can, and nobody asks whom it is with |
    /// | `require` | is encrypted, and nobody asks whom it is with |
    /// | `verify-full` | is encrypted, with a certificate for that host, signed by an office that this system trusts, or by the one whose certificate `sslrootcert` names |
    ///
    /// `sslrootcert` is a PEM file, relative to `dir`. `application_name` is `tidegate` unless it is given.
    ///
    /// # Errors
    /// `Invalid` if it is none of that. No error shows the url, because it may hold a password.
    pub fn parse(url: &str, dir: &Path) -> Result<Self> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or_else(|| invalid("it does not begin with `postgres://`"))?;
        if rest.split(['/', '?']).next().unwrap_or_default().matches('@').count() > 1 {
            return Err(invalid("there is more than one `@` before the host")
                .help("write an `@` of the password as `%40`, a `/` as `%2F`, a `:` as `%3A` and a `%` as `%25`"));
        }
        let (url, mode, root) = without_tls_parameters(url)?;
        let mut config: tokio_postgres::Config = url.parse().map_err(|error: tokio_postgres::Error| {
            // The cause names a parameter, or the place of a character, and never a value.
            let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            invalid(&why)
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(invalid("it names no host").help("write `localhost` for a server on this machine"));
        }
        if config.get_application_name().is_none() {
            config.application_name("tidegate");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        config.keepalives_idle(KEEPALIVE);
        let trust = match mode.as_deref() {
            Some("disable") => {
                config.ssl_mode(SslMode::Disable);
                Trust::Anybody
            }
            None | Some("prefer") => Trust::Anybody,
            Some("require") => {
                config.ssl_mode(SslMode::Require);
                Trust::Anybody
            }
            Some("verify-full") => {
                config.ssl_mode(SslMode::Require);
                root.map_or(Trust::System, |path| Trust::Office(dir.join(path)))
            }
            Some(other) => {
                return Err(invalid(&format!("its `sslmode` is `{other}`"))
                    .help("write `disable`, `prefer`, `require` or `verify-full`"));
            }
        };
        Ok(Self { config, tls: Tls::new(&trust)? })
    }
}

fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("the url of a Postgres server cannot be used: {why}"))
        .help("it looks like `postgres://user:password@host:5432/database`; one with a password belongs into a secret")
}

/// The url without the parameters that are ours to read, and their values.
fn without_tls_parameters(url: &str) -> Result<(String, Option<String>, Option<String>)> {
    let Some((place, parameters)) = url.split_once('?') else { return Ok((url.to_owned(), None, None)) };
    let (mut mode, mut root, mut others) = (None, None, Vec::new());
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => root = Some(decoded(value)?),
            _ => others.push(parameter),
        }
    }
    if root.is_some() && mode.as_deref() != Some("verify-full") {
        return Err(invalid("`sslrootcert` is of use only with `sslmode=verify-full`").help("write that, too"));
    }
    Ok((format!("{place}?{}", others.join("&")), mode, root))
}

/// `%20` and its like as what they stand for.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(digits.ok_or_else(|| invalid("a `%` is followed by no two hexadecimal digits"))?);
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).map_err(|_| invalid("what its `%` stand for is not UTF-8"))
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.config.get_ports();
        let places = self.config.get_hosts().iter().enumerate().map(|(index, host)| {
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(folder) => format!("{}:{port}", folder.display()),
            }
        });
        let places: Vec<String> = places.collect();
        let places = if places.is_empty() { "another host".to_owned() } else { places.join(",") };
        match self.config.get_dbname() {
            Some(database) => write!(f, "`{database}` at `{places}`"),
            None => write!(f, "`{places}`"),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Server> {
        Server::parse(url, Path::new("/nowhere"))
    }

    #[test]
    fn urls_are_read_as_psql_reads_them() {
        let server = parse("postgresql://tide:s%40cret@db.example.org/ware house?connect_timeout=3").unwrap();
        assert_eq!(server.to_string(), "`ware house` at `db.example.org:5432`");
        assert_eq!(server.config.get_password(), Some(&b"s@cret"[..]));
        assert_eq!(server.config.get_application_name(), Some("tidegate"));
        assert_eq!(server.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        let server = parse("postgres:///x?host=/run/postgresql&sslmode=disable&application_name=me").unwrap();
        assert_eq!(server.to_string(), "`x` at `/run/postgresql:5432`");
        assert_eq!(server.config.get_ssl_mode(), SslMode::Disable);
        assert_eq!(server.config.get_application_name(), Some("me"));
        assert_eq!(parse("postgres://h/d?sslmode=require").unwrap().config.get_ssl_mode(), SslMode::Require);
        assert_eq!(parse("postgres://h/d").unwrap().config.get_ssl_mode(), SslMode::Prefer);
    }

    #[test]
    fn what_cannot_be_read_is_told_without_the_password() {
        for (url, why) in [
            ("mysql://tide:hunter2@h/d", "does not begin"),
            ("postgres://tide:hunter2@home@h/d", "more than one `@`"),
            ("postgres://tide:hunter2@h:port/d", "`port`"),
            ("postgres://tide:hunter2@h/d?sslmode=always", "`always`"),
            ("postgres://tide:hunter2@h/d?password=hunter2&colour=red", "`colour`"),
            ("postgres:///d", "no host"),
            ("postgres://tide:hunter2@h/d?sslrootcert=x.pem", "verify-full"),
            ("postgres://tide:hunter2@h/d?sslmode=verify-full&sslrootcert=%zz", "hexadecimal"),
            ("postgres://tide:hunter2@h/d?sslmode=verify-full&sslrootcert=none.pem", "/nowhere/none.pem"),
        ] {
            let error = parse(url).unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(error.kind == ErrorKind::Invalid && told.contains(why), "{url}: {told}");
            assert!(!told.contains("hunter2") && error.help.is_some(), "{told}");
        }
        let shown = format!("{:?}", parse("postgres://tide:hunter2@h/d").unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
