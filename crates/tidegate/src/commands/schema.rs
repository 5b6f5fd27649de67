//! `tidegate schema`: the JSON Schema of the pipeline file. An editor that has it completes and checks as one types.

use crate::exit::{Exit, Stop};
use crate::project::{self, Here};

/// Prints it.
pub(crate) fn run(here: &Here) -> Result<Exit, Stop> {
    let schema = tidegate_model::json_schema(&project::kind_specs());
    here.printer.document(&schema)?;
    Ok(Exit::Done)
}
