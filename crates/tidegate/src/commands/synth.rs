//! `tidegate synth aws`: the CloudFormation template of the pipeline, and what each permission in it is for.

use std::path::{Path, PathBuf};

use tidegate_cloudformation::policy::explain;
use tidegate_cloudformation::{Stack, synthesise};
use tidegate_model::{ErrorKind, Pipeline};

use crate::commands::package;
use crate::exit::{Exit, Stop};
use crate::output::counted;
use crate::project::{self, AWS, Here, Project};
use crate::wiring;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The CloudFormation template: buckets, queues, tables, functions, schedules, alarms, and a role for each function.
    Aws(Aws),
}

#[derive(Debug, clap::Args)]
struct Aws {
    /// The template, as YAML (as JSON with `--json`); without it, to stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Say in words what this function may do on AWS, and what for; `tidegate-intake` is what takes events in.
    #[arg(long, value_name = "FUNCTION", conflicts_with = "out")]
    explain: Option<String>,
}

/// Prints the template, or the explanation.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let What::Aws(args) = &args.what;
    let here = &in_environment(here)?;
    let pipeline = Project::read(here)?.pipeline;
    let stack = match synthesise(&pipeline) {
        Ok(stack) => stack,
        Err(faults) => {
            faults.iter().for_each(|fault| here.printer.error(fault));
            let exit = faults.first().map_or(Exit::Bug, |fault| Exit::of(fault.kind));
            return Err(Stop::Told(exit));
        }
    };
    match &args.explain {
        Some(function) => explained(here, &stack, function)?,
        None => written(here, &pipeline, &stack, args.out.as_deref())?,
    }
    Ok(Exit::Done)
}

/// `[env.aws]` is meant if the file has it and no other is named.
fn in_environment(here: &Here) -> Result<Here, Stop> {
    let has_aws = here.env.is_none() && project::check(here)?.environments.iter().any(|name| name == AWS);
    let env = here.env.clone().or_else(|| has_aws.then(|| AWS.to_owned()));
    project::in_environment(&Here { dir: here.dir.clone(), env, printer: here.printer.clone() })
}

fn explained(here: &Here, stack: &Stack, function: &str) -> Result<(), Stop> {
    let role = stack.roles.iter().find(|role| role.function == function).ok_or_else(|| {
        Stop::new(ErrorKind::NotFound, format!("there is no function `{function}` in this pipeline"))
            .expected(wiring::one_of(stack.roles.iter().map(|role| &role.function)))
    })?;
    if here.printer.json {
        return here.printer.document(&explain::as_value(function, &role.statements));
    }
    here.printer.text(&explain::in_words(function, &role.statements))
}

fn written(here: &Here, pipeline: &Pipeline, stack: &Stack, out: Option<&Path>) -> Result<(), Stop> {
    let value = stack.template.to_value();
    let text = if here.printer.json { format!("{value:#}\n") } else { stack.template.to_yaml() };
    match out {
        Some(path) => package::write(path, text.as_bytes())?,
        None => here.printer.text(&text)?,
    }
    let resources = value["Resources"].as_object().map_or(0, serde_json::Map::len);
    let place = out.map(|path| format!(" in `{}`", path.display())).unwrap_or_default();
    let functions = counted(pipeline.functions.len() as u64, "function");
    here.printer.remark(&format!(
        "stack `{}`: {functions}, {}{place}",
        stack.name,
        counted(resources as u64, "resource")
    ));
    for step in &stack.steps {
        here.printer.remark(&format!("by hand: {step}"));
    }
    Ok(())
}
