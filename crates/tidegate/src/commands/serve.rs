//! `tidegate serve`: takes files from loggers over HTTP or HTTPS and puts them into a bucket, and works on them, in one process.

use std::net::SocketAddr;
use std::path::PathBuf;

use tidegate_model::{Pipeline, Trigger};
use tokio_util::sync::CancellationToken;

use crate::commands::run;
use crate::exit::{Exit, Stop};
use crate::project::{Here, Project};
use crate::wiring::{self, Upload};

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; `0.0.0.0:443` is every address of this machine.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// The bucket that takes the files; else the one that `wibl-process` works on.
    #[arg(long, value_name = "NAME")]
    bucket: Option<String>,
    /// For HTTPS: the certificate with those that lead to its authority (PEM).
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// The certificate's key (PEM).
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// The largest file, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=4096))]
    largest: u64,
    /// Only take files; another process works on them.
    #[arg(long)]
    alone: bool,
}

/// Threads that block, where nothing but files is taken.
const ALONE: usize = 8;

/// Serves until it is stopped.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    let bucket = match &args.bucket {
        Some(bucket) => bucket.clone(),
        None => bucket_of(&project.pipeline)?,
    };
    let certificate = args.certificate.as_deref().zip(args.key.as_deref());
    let upload = Upload { listen: args.listen, bucket: &bucket, certificate, largest: args.largest << 20 };
    let concurrency = if args.alone { ALONE } else { project.pipeline.concurrency + ALONE };
    wiring::work(concurrency, async {
        let stop = CancellationToken::new();
        let server = wiring::upload_server(&project, upload).await?;
        tokio::spawn(run::heed_signals(here.printer.clone(), stop.clone()));
        let address = server.address()?;
        let scheme = if certificate.is_some() { "https" } else { "http" };
        here.printer.remark(&format!("taking files for `{bucket}` at {scheme}://{address}/update"));
        if certificate.is_none() && !address.ip().is_loopback() {
            here.printer.remark(
                "note: without `--certificate` secrets can be read on the way; put a proxy with HTTPS before it",
            );
        }
        let serving = tokio::spawn(server.run(stop.clone()));
        let ended = if args.alone {
            stop.cancelled().await;
            Ok(Exit::Done)
        } else {
            run::run_on(here, &project, stop.clone()).await
        };
        // Also if the engine has ended by itself.
        stop.cancel();
        let served = serving.await;
        served.map_err(|error| Stop::new(tidegate_model::ErrorKind::Bug, format!("the server has ended: {error}")))?;
        ended
    })?
}

/// The bucket whose objects `wibl-process` works on, if there is just one.
fn bucket_of(pipeline: &Pipeline) -> Result<String, Stop> {
    let bucket = |trigger: &Trigger| match trigger {
        Trigger::Created { bucket, .. } => Some(bucket.clone()),
        _ => None,
    };
    let functions = pipeline.functions.iter().filter(|function| function.kind == "wibl-process");
    let mut buckets: Vec<String> = functions.filter_map(|function| bucket(&function.trigger)).collect();
    buckets.sort();
    buckets.dedup();
    match buckets.as_slice() {
        [bucket] => Ok(bucket.clone()),
        _ => Err(Stop::wrong("the pipeline does not say which bucket takes the files of loggers")
            .expected("one bucket that a `wibl-process` works on")
            .help("name it: `tidegate serve --bucket NAME`")),
    }
}
