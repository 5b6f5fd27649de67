//! `tidegate synth aws`: the CloudFormation template of the pipeline, and what each permission in it is for.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidegate_cloudformation::policy::{deploy, document, explain};
use tidegate_cloudformation::{Account, Names, Stack, synthesise};
use tidegate_model::{ErrorKind, Pipeline};

use crate::commands::package;
use crate::exit::{Exit, Stop};
use crate::output::counted;
use crate::project::{self, AWS, Here, Project};
use crate::wiring;

/// The longest template that is taken as it is; others are taken from a bucket.
const LONGEST_BODY: usize = 51_200;

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
    /// The same template as a resource of Terraform, for those who keep everything there.
    Terraform(Terraform),
}

#[derive(Debug, clap::Args)]
struct Aws {
    /// The template, as YAML (as JSON with `--json`); without it, to stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Say in words what this function may do on AWS, and what for; `tidegate-intake` is what takes events in.
    #[arg(long, value_name = "FUNCTION", conflicts_with = "out")]
    explain: Option<String>,
    /// Print the policy of whoever deploys to this account and region, for example `123456789012/eu-west-1`.
    #[arg(long, value_name = "ACCOUNT/REGION", conflicts_with_all = ["out", "explain"])]
    deploy_policy: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Terraform {
    /// Where it is written, and the template beside it.
    #[arg(long, value_name = "DIR", default_value = "terraform")]
    out: PathBuf,
}

/// Prints the template, or the explanation.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let here = &in_environment(here)?;
    let pipeline = Project::read_whole(here)?.pipeline;
    let stack = stack(here, &pipeline)?;
    match &args.what {
        What::Aws(Aws { explain: Some(function), .. }) => explained(here, &stack, function)?,
        What::Aws(Aws { deploy_policy: Some(place), .. }) => deploy_policy(here, &pipeline, &stack, place)?,
        What::Aws(Aws { out, .. }) => written(here, &pipeline, &stack, out.as_deref())?,
        What::Terraform(args) => terraform(here, &stack, &args.out)?,
    }
    Ok(Exit::Done)
}

/// Prints the policy of whoever deploys, as IAM takes it.
fn deploy_policy(here: &Here, pipeline: &Pipeline, stack: &Stack, place: &str) -> Result<(), Stop> {
    let parts = place.split_once('/').filter(|(account, region)| {
        account.len() == 12 && account.chars().all(|digit| digit.is_ascii_digit()) && region.contains('-')
    });
    let (id, region) = parts.ok_or_else(|| {
        Stop::wrong(format!("`{place}` is no account and region"))
            .expected("twelve digits, `/` and a region: `123456789012/eu-west-1`")
    })?;
    let partition = match region.split('-').next() {
        Some("cn") => "aws-cn",
        Some("us") if region.starts_with("us-gov") => "aws-us-gov",
        _ => "aws",
    };
    let account = Account { partition: partition.to_owned(), region: region.to_owned(), id: id.to_owned() };
    let statements = deploy::of_deployment(pipeline, stack, &Names::programs(&account));
    let statements: Vec<_> = statements.iter().map(|statement| statement.resolved(&account)).collect();
    here.printer.document(&document(&statements))
}

/// Writes the template and a file of Terraform that makes a stack of it.
fn terraform(here: &Here, stack: &Stack, out: &Path) -> Result<(), Stop> {
    let template = stack.template.to_value();
    let empty = serde_json::Map::new();
    let parameters = template["Parameters"].as_object().unwrap_or(&empty);
    let variable = |(name, parameter): (&String, &Value)| {
        let mut variable = json!({ "type": "string", "description": parameter["Description"] });
        if let Some(default) = parameter.get("Default") {
            variable["default"] = default.clone();
        }
        (snake(name), variable)
    };
    let variables: serde_json::Map<String, Value> = parameters.iter().map(variable).collect();
    let given: serde_json::Map<String, Value> =
        parameters.keys().map(|name| (name.clone(), format!("${{var.{}}}", snake(name)).into())).collect();
    let yaml = stack.template.to_yaml();
    let mut program = json!({
        "variable": variables,
        "resource": { "aws_cloudformation_stack": { "pipeline": {
            "name": stack.name,
            "capabilities": ["CAPABILITY_IAM"],
            "parameters": given,
        } } },
        "output": { "pipeline": { "value": "${aws_cloudformation_stack.pipeline.outputs}" } },
    });
    let file = "${path.module}/stack.yaml";
    if yaml.len() <= LONGEST_BODY {
        program["resource"]["aws_cloudformation_stack"]["pipeline"]["template_body"] =
            format!("${{file(\"{file}\")}}").into();
    } else {
        program["resource"]["aws_s3_object"]["template"] = json!({
            "bucket": "${var.code_bucket}", "key": format!("{}.yaml", stack.name), "source": file, "etag": format!("${{filemd5(\"{file}\")}}"),
        });
        program["resource"]["aws_cloudformation_stack"]["pipeline"]["template_url"] =
            "https://${var.code_bucket}.s3.amazonaws.com/${aws_s3_object.template.key}".into();
    }
    let name = "tidegate.tf.json";
    std::fs::create_dir_all(out).map_err(|error| Stop::file("made", out, &error))?;
    package::write(&out.join("stack.yaml"), yaml.as_bytes())?;
    package::write(&out.join(name), format!("{program:#}\n").as_bytes())?;
    here.printer.line(&out.join(name).display().to_string())?;
    here.printer
        .hint("upload the zip of `tidegate package`, and name it by the variables `code_bucket` and `code_key`");
    Ok(())
}

/// `CodeBucket` as Terraform writes names: `code_bucket`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The stack of a pipeline; what AWS cannot have of it is told.
///
/// # Errors
/// If there is something that AWS cannot have.
pub(crate) fn stack(here: &Here, pipeline: &Pipeline) -> Result<Stack, Stop> {
    synthesise(pipeline).map_err(|faults| {
        faults.iter().for_each(|fault| here.printer.error(fault));
        Stop::Told(faults.first().map_or(Exit::Bug, |fault| Exit::of(fault.kind)))
    })
}

/// `[env.aws]` is meant if the file has it and no other is named.
pub(crate) fn in_environment(here: &Here) -> Result<Here, Stop> {
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
