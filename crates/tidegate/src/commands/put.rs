//! `tidegate put FILE BUCKET`: puts a file into a bucket, once or each time it changes. The file itself is never altered.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tidegate_model::{Key, parse_duration};
use tidegate_stores::bucket::OpenBucket;
use tidegate_stores::upload::{FileVersions, Uploaded, upload};
use tidegate_stores::watch;

use crate::exit::{Exit, Stop};
use crate::output::bytes;
use crate::project::{Here, Project};
use crate::signals::Signals;
use crate::wiring;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file. It is only read.
    file: PathBuf,
    /// The bucket, by its name in the pipeline file.
    bucket: String,
    /// The object's key; else the name of the file.
    #[arg(long = "as", value_name = "KEY")]
    key: Option<String>,
    /// Go on: put each new version of the file, until stopped.
    #[arg(long)]
    watch: bool,
    /// Watch by looking at the file so often (`5m`), not at each change.
    #[arg(long, value_name = "TIME", value_parser = period)]
    every: Option<Duration>,
}

/// How long a bucket that does not answer is left alone.
const PAUSE: Duration = Duration::from_secs(5);

fn period(text: &str) -> Result<Duration, String> {
    let period =
        parse_duration(text).map_err(|why| format!("this is no duration: {why}; for example `30s` or `5m`"))?;
    if period < Duration::from_secs(1) { Err("it must be 1s at least".to_owned()) } else { Ok(period) }
}

/// Puts it.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    let key = key(args)?;
    let bucket = wiring::open_bucket(&project, &args.bucket)?;
    if watch::is_temporary(key.as_str()) {
        let remark =
            format!("note: objects named like `{key}` are taken for unfinished or hidden, no function sees them");
        here.printer.remark(&format!("{remark}; give it another name with `--as KEY`"));
    }
    wiring::ask(async {
        if args.watch || args.every.is_some() {
            put_versions(here, args, &bucket, &key).await?;
        } else {
            let put = upload(&args.file, bucket.store.as_ref(), &key).await?;
            tell(here, args, &key, &put)?;
            here.printer.hint("tidegate run --once (a `tidegate run` that is under way takes it by itself)");
        }
        Ok(Exit::Done)
    })?
}

/// Puts each version until stopped.
async fn put_versions(here: &Here, args: &Args, bucket: &OpenBucket, key: &Key) -> Result<(), Stop> {
    let mut versions = FileVersions::new(&args.file, args.every, Timestamp::now)?;
    let mut signals = Signals::new().map_err(|error| Stop::wrong(format!("signals cannot be heard: {error}")))?;
    here.printer.remark(&format!("watching `{}`; Ctrl-C stops", args.file.display()));
    let mut is_due = false;
    loop {
        let step = async {
            if !is_due {
                versions.next().await?;
                is_due = true;
            }
            upload(&args.file, bucket.store.as_ref(), key).await
        };
        let put = tokio::select! {
            put = step => put,
            () = signals.next() => return Ok(()),
        };
        match put {
            Ok(put) => {
                is_due = false;
                tell(here, args, key, &put)?;
            }
            // It was moved away in that moment; its next version will be told.
            Err(error) if error.kind == tidegate_model::ErrorKind::NotFound => is_due = false,
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, "the file could not be put just now, and will be tried again");
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = signals.next() => return Ok(()),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The key that was given, or the file's name.
fn key(args: &Args) -> Result<Key, Stop> {
    let name = match &args.key {
        Some(key) => key.clone(),
        None => name_of(&args.file)?,
    };
    Key::new(&name).map_err(|why| {
        Stop::wrong(format!("`{}` cannot be the key of an object: {why}", name.escape_default()))
            .expected("a relative path such as `2024/people.csv`")
            .help("give another with `--as KEY`")
    })
}

fn name_of(file: &Path) -> Result<String, Stop> {
    let name = file.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        Stop::wrong(format!("`{}` has no name that could be a key", file.display())).help("give one with `--as KEY`")
    })
}

fn tell(here: &Here, args: &Args, key: &Key, put: &Uploaded) -> Result<(), Stop> {
    if here.printer.json {
        let (key, etag) = (key.as_str(), &put.etag);
        let document =
            json!({ "bucket": args.bucket, "key": key, "size": put.size, "sha256": put.sha256, "etag": etag });
        return here.printer.document_line(&document);
    }
    here.printer.line(&format!("{}/{key}  {}", args.bucket, bytes(put.size)))
}
