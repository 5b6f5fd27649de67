//! The server that takes files from loggers, and their accounts.

use std::sync::Arc;

use jiff::Timestamp;
use tidegate_stores::bucket;

use super::open_bucket;
use crate::exit::Stop;
use crate::project::Project;

/// The accounts of loggers that may upload.
///
/// # Errors
/// `S0104`.
pub(crate) fn open_loggers(project: &Project) -> Result<tidegate_server::Accounts, Stop> {
    std::fs::create_dir_all(project.state_dir()).map_err(|error| Stop::file("made", &project.state_dir(), &error))?;
    Ok(tidegate_server::Accounts::open(&project.loggers_path())?)
}

/// How files are taken from loggers.
pub(crate) struct Upload<'a> {
    /// Where to listen.
    pub(crate) listen: std::net::SocketAddr,
    /// The bucket that takes them.
    pub(crate) bucket: &'a str,
    /// Certificate and key, for HTTPS.
    pub(crate) certificate: Option<(&'a std::path::Path, &'a std::path::Path)>,
    /// The largest file, bytes.
    pub(crate) largest: u64,
}

/// A server that listens already.
///
/// # Errors
/// `S0101` to `S0104`, or a bucket that does not answer or may not be written.
pub(crate) async fn upload_server(project: &Project, upload: Upload<'_>) -> Result<tidegate_server::Server, Stop> {
    use tidegate_server::{Limits, Receiver, Server, Tls};

    let tls = upload.certificate.map(|(certificate, key)| Tls::read(certificate, key)).transpose()?;
    let bucket = open_bucket(project, upload.bucket)?;
    bucket::reach(&bucket, true).await?;
    let accounts = Arc::new(open_loggers(project)?);
    let limits = Limits { largest: upload.largest, ..Limits::default() };
    let receiver = Receiver::new(bucket.store, accounts, project.uploads_dir(), limits, Timestamp::now)?;
    Ok(Server::listen(upload.listen, tls, Arc::new(receiver)).await?)
}
