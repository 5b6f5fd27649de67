//! `tidegate completions SHELL`: a script that completes our commands.

use clap_complete::Shell;

use crate::exit::{Exit, Stop};
use crate::project::Here;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

/// Prints it.
pub(crate) fn run(here: &Here, args: &Args, mut command: clap::Command) -> Result<Exit, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "tidegate", &mut script);
    here.printer.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
