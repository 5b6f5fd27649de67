//! The program as a Lambda function: one of the pipeline's functions, or the intake. `TIDEGATE_FUNCTION` says which.
//!
//! Lambda starts the program once and then asks it call by call. Nothing is opened before the first call, so that it is soon ready to be
//! asked; what is opened then stays open.

mod function;
pub(crate) mod intake;
mod log;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tidegate_aws::lambda::{Invocation, Record, serve};
use tidegate_aws::{Client, IntakeQueue, SqsQueue};
use tidegate_model::{Address, ErrorKind, Function, Pipeline};
use tidegate_stores::{Error, Result};
use tokio::sync::OnceCell;

use self::intake::Desk;
use crate::exit::{Exit, Stop};
use crate::output::Printer;
use crate::project::{Here, Project, Reach};
use crate::wiring::aws::OnAws;
use crate::wiring::{self, Wired};

/// What the intake is called.
const INTAKE: &str = "tidegate-intake";
/// How long messages and turns are held without a heartbeat: so long a call that is killed keeps its objects waiting.
const HOLD: Duration = Duration::from_secs(15);
/// Time at the end of a call in which its result is noted.
const TO_SETTLE: Duration = Duration::from_secs(4);

/// Lambda ends every call then.
const LONGEST: Duration = Duration::from_secs(900);

/// What Lambda sets, without which there is nothing to ask.
const VARIABLES: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// Whether the program was started by Lambda: under the name that Lambda starts, or where Lambda can be asked, and with nothing else
/// to do.
pub(crate) fn is_meant() -> bool {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let is_bootstrap = Path::new(&program).file_name().is_some_and(|name| name == "bootstrap");
    arguments.next().is_none() && (is_bootstrap || std::env::var_os(VARIABLES[0]).is_some())
}

/// Where the pipeline is and which environment it runs in, as Lambda and the stack say.
pub(crate) fn here() -> Here {
    let dir = std::env::var_os("LAMBDA_TASK_ROOT").unwrap_or_else(|| ".".into());
    Here { dir: dir.into(), env: std::env::var("TIDEGATE_ENV").ok(), printer: Printer::new(true, false) }
}

/// Answers calls until Lambda ends the process.
pub(crate) fn run(here: &Here) -> Result<Exit, Stop> {
    if let Some(missing) = VARIABLES.iter().find(|name| std::env::var_os(name).is_none()) {
        return Err(Stop::wrong(format!("this is not AWS Lambda: `{missing}` is not set"))
            .help("`tidegate package` makes the zip that Lambda starts; here, use `tidegate run`"));
    }
    log::start();
    let role = variable("TIDEGATE_FUNCTION")?;
    let mut project = Project::read(here)?;
    let role = match role.as_str() {
        INTAKE => Role::Intake,
        name => Role::Function(function(&project.pipeline, name)?.concurrency, name.to_owned()),
    };
    project.reach = Some(match &role {
        Role::Intake => Reach { buckets: watched(&project.pipeline), ..Reach::default() },
        Role::Function(_, name) => Reach::of(function(&project.pipeline, name)?),
    });
    let opened = OnceCell::new();
    // Calls come one at a time; a function's own work is on blocking threads.
    wiring::work(2, serve(|invocation| answer(&project, &role, &opened, invocation)))?.map_err(Stop::from)?;
    Ok(Exit::Done)
}

/// What this Lambda function is.
enum Role {
    Intake,
    /// A function with its concurrency.
    Function(usize, String),
}

/// What is opened with the first call.
struct Opened {
    wired: Wired,
    queue: Arc<SqsQueue>,
    intake: IntakeQueue,
    letters: IntakeQueue,
}

/// Answers one call with the messages that must come again.
async fn answer(
    project: &Project,
    role: &Role,
    opened: &OnceCell<Opened>,
    invocation: Invocation,
) -> Result<Vec<String>> {
    let opened = opened.get_or_try_init(|| open(project)).await?;
    let invocation = Invocation { deadline: believed(invocation.deadline), ..invocation };
    opened.queue.trace(invocation.trace.clone());
    match role {
        Role::Intake => {
            let desk = Desk { wired: &opened.wired, queue: &opened.queue, intake: &opened.intake };
            let is_of = |record: &Record| opened.letters.is_called(record.queue_name());
            let is_of_letters = invocation.records.first().is_some_and(is_of);
            let from = if is_of_letters { &opened.letters } else { &opened.intake };
            Ok(intake::take_call(desk, from, invocation).await)
        }
        Role::Function(at_most, name) => Ok(function::work(opened, name, *at_most, invocation).await),
    }
}

async fn open(project: &Project) -> Result<Opened> {
    let told = |stop: Stop| match stop {
        Stop::Because(failure) => Error::new(failure.kind, failure.to_string()),
        Stop::ReaderGone | Stop::Told(_) => Error::new(ErrorKind::Bug, "the pipeline was not opened"),
    };
    let account = variable("TIDEGATE_ACCOUNT").map_err(told)?;
    let from = std::env::var("TIDEGATE_MAIL_FROM").ok();
    let from = from.map(|from| Address::parse(&from)).transpose();
    let from = from.map_err(|why| Error::new(ErrorKind::Invalid, format!("the parameter `MailFrom`: {why}")))?;
    let client = Client::find(None).await?;
    let project = project.copied().on(OnAws::new(client, account, &project.pipeline, from));
    let Some(aws) = project.aws.clone() else { return Err(Error::new(ErrorKind::Bug, "AWS was lost")) };
    let wired = Wired::build(&project, Some(log::observer())).await.map_err(told)?;
    Ok(Opened { wired, queue: aws.queue(&project), intake: aws.intake(), letters: aws.dead_letters() })
}

fn watched(pipeline: &Pipeline) -> BTreeSet<String> {
    pipeline.watched_buckets().into_iter().map(str::to_owned).collect()
}

fn function<'p>(pipeline: &'p Pipeline, name: &str) -> Result<&'p Function, Stop> {
    pipeline.function(name).ok_or_else(|| {
        Stop::new(ErrorKind::NotFound, format!("there is no function `{name}` in this pipeline"))
            .help("deploy the template and the zip of the same pipeline file")
    })
}

fn variable(name: &str) -> Result<String, Stop> {
    std::env::var(name).map_err(|_| {
        Stop::wrong(format!("the variable `{name}` is not set"))
            .help("deploy with the template that `tidegate synth aws` makes")
    })
}

/// A deadline that is past when the call begins is none: `cargo lambda watch` counts its own from 1970.
fn believed(deadline: Timestamp) -> Timestamp {
    let now = Timestamp::now();
    if deadline > now { deadline } else { now.checked_add(LONGEST).unwrap_or(Timestamp::MAX) }
}

/// How long from now until a moment.
fn until(moment: Timestamp) -> Duration {
    Duration::try_from(moment.duration_since(Timestamp::now())).unwrap_or_default()
}
