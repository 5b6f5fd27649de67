//! `tidegate explain CODE`: the page of an error code.

use serde_json::json;

use crate::exit::{Exit, Stop};
use crate::project::Here;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The code, for example `P0104`.
    code: String,
}

/// Prints it.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let code = args.code.trim().to_ascii_uppercase();
    let page = tidegate_model::explain(&code).ok_or_else(|| {
        Stop::wrong(format!("there is no error code `{}`", args.code))
            .expected("a code as it stands in a message, for example `P0104` in `error[P0104]`")
    })?;
    if here.printer.json {
        here.printer.document(&json!({ "code": code, "page": page }))?;
    } else {
        here.printer.page(page)?;
    }
    Ok(Exit::Done)
}
