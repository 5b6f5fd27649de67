//! Connections: who may come in how, how many at once, and for how long. A client that says nothing, or too slowly, is hung
//! up on; one that breaks takes nobody with it.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tidegate_model::{ErrorKind, Failure};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::receive::Receiver;
use crate::routes::routes;

/// For the handshake, and for the head of each request; a connection that waits longer for its next request is closed.
const HEAD: Duration = Duration::from_secs(15);

/// What was begun may take so long after the wish to end.
const LAST: Duration = Duration::from_secs(10);

/// After the system has refused a connection: it has too many files open.
const PAUSE: Duration = Duration::from_millis(200);

/// Certificate and key.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl Tls {
    /// Reads them from PEM files: the certificate with those that lead to its authority, and the key.
    ///
    /// # Errors
    /// `S0102`.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, Failure> {
        let wrong = |what: &str, path: &Path, why: &dyn std::fmt::Display| {
            Failure::new(
                "S0102",
                ErrorKind::Invalid,
                format!("the {what} in `{}` cannot be used: {why}", path.display()),
            )
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .map_err(|error| wrong("certificate", certificate, &error))?;
        if chain.is_empty() {
            return Err(wrong("certificate", certificate, &"there is none").expected("a PEM file with a certificate"));
        }
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong("key", key, &error))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
            .map_err(|error| wrong("certificate and its key", certificate, &error))?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

/// A server that listens already.
pub struct Server {
    listener: TcpListener,
    tls: Option<Tls>,
    routes: Router,
    connections: Arc<Semaphore>,
    longest: Duration,
}

impl Server {
    /// Listens at an address; from now on clients may connect, and wait.
    ///
    /// # Errors
    /// `S0101`.
    pub async fn listen(address: SocketAddr, tls: Option<Tls>, receiver: Arc<Receiver>) -> Result<Self, Failure> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::new("S0101", ErrorKind::Unavailable, format!("cannot listen at {address}: {error}"))
        })?;
        let limits = receiver.limits();
        Ok(Self {
            listener,
            tls,
            routes: routes(receiver),
            connections: Arc::new(Semaphore::new(limits.connections)),
            longest: 2 * limits.whole,
        })
    }

    /// Where it listens: the port that the system has chosen for port 0.
    ///
    /// # Errors
    /// `S0101`.
    pub fn address(&self) -> Result<SocketAddr, Failure> {
        self.listener
            .local_addr()
            .map_err(|error| Failure::new("S0101", ErrorKind::Unavailable, format!("no address: {error}")))
    }

    /// Serves until `stop`; what was begun then has ten seconds to end.
    pub async fn run(self, stop: CancellationToken) {
        let tracker = TaskTracker::new();
        loop {
            let next = async {
                let permit = Arc::clone(&self.connections).acquire_owned().await;
                (permit, self.listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                () = stop.cancelled() => break,
                next = next => next,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection was not taken");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let (tls, routes, stop, longest) = (self.tls.clone(), self.routes.clone(), stop.clone(), self.longest);
            tracker.spawn(async move {
                // However it ends, it is over: the client knows best whether it has its answer.
                let _ = timeout(longest, connection(stream, tls, routes, stop)).await;
                drop(permit);
            });
        }
        tracker.close();
        let _ = timeout(LAST, tracker.wait()).await;
    }
}

async fn connection(stream: TcpStream, tls: Option<Tls>, routes: Router, stop: CancellationToken) {
    match tls {
        None => talk(stream, routes, stop).await,
        Some(Tls(acceptor)) => {
            // Scanners and clients with another authority end here.
            if let Ok(Ok(stream)) = timeout(HEAD, acceptor.accept(stream)).await {
                talk(stream, routes, stop).await;
            }
        }
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, routes: Router, stop: CancellationToken) {
    let service = TowerToHyperService::new(routes);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
