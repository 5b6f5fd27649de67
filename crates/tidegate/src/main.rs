//! Floor 5, the binary: arguments, one `match`, and how it all ends. Everything else has a file of its own:
//!
//! | file | what |
//! |---|---|
//! | `commands/` | one file a command |
//! | `project.rs` | the pipeline's directory and its checked file |
//! | `wiring.rs` | the only place where adapters are built |
//! | `output.rs`, `exit.rs` | what is printed, what is returned |
//! | `lambda/` | the program as a Lambda function |
//! | `demo/`, `templates/` | pipelines to start from, and their generated input |

mod commands;
mod demo;
mod draft;
mod exit;
#[cfg(feature = "aws")]
mod lambda;
mod logging;
mod moment;
mod output;
mod progress;
mod project;
mod secrets;
mod settled;
mod signals;
mod wiring;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};

use crate::exit::{Exit, Stop};
use crate::output::Printer;
use crate::project::Here;

const AFTER_HELP: &str = "\
A pipeline is a directory with a `tidegate.toml`.
To begin: `tidegate demo`, or `tidegate new csv-to-table`.

Data goes to stdout, everything else to stderr. NO_COLOR is obeyed.

Exit codes:
   0  done
   1  the input is wrong: the pipeline file, an object, a name or a value
   2  the command line cannot be understood
   3  it ran, but some runs failed, or rows were rejected
   4  a service, a disk or a database is not available
  70  a mistake of ours";

/// Runs data pipelines that start when a file lands in a bucket or a schedule fires.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = AFTER_HELP, disable_help_subcommand = true, max_term_width = 80)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
struct Global {
    /// The pipeline's directory.
    #[arg(short = 'C', value_name = "DIR", global = true, default_value = ".", hide_default_value = true)]
    dir: PathBuf,
    /// The environment whose places are used: `[env.NAME]` of the pipeline file.
    #[arg(long, value_name = "NAME", global = true)]
    env: Option<String>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Tell more on stderr; twice tells all.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// No remarks on stderr, only errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Begin a pipeline from a template.
    New(commands::new::Args),
    /// Check the pipeline file and show what it says.
    Check(commands::check::Args),
    /// Watch the buckets and work; with `--once`, work on what is there and end.
    Run(commands::run::Args),
    /// Take files from loggers over HTTPS, and work on them.
    #[cfg(feature = "server")]
    Serve(commands::serve::Args),
    /// Which loggers may upload.
    #[cfg(feature = "server")]
    Logger(commands::logger::Args),
    /// Put a file into a bucket, once or each time it changes.
    Put(commands::put::Args),
    /// Make a function work on objects that are there already.
    Backfill(commands::backfill::Args),
    /// Where everything stands.
    Status,
    /// List runs, or show one.
    Runs(commands::runs::Args),
    /// What failed and why; run it again.
    Failures(commands::failures::Args),
    /// Where an object came from, and what became of it.
    Trace(commands::trace::Args),
    /// What mails wait, were sent or failed; send failed ones again.
    Mail(commands::mail::Args),
    /// What became of one fact of a warehouse, version by version.
    History(commands::history::Args),
    /// What the next extract would bring, and a warehouse would get; nothing is changed.
    Plan,
    /// Hold a warehouse against what it was loaded from.
    Verify(commands::verify::Args),
    /// Look into tables.
    Table(commands::table::Args),
    /// Write a page of what a review came to.
    Report(commands::report::Args),
    /// Write files as devices write them, to try a pipeline out.
    Simulate(commands::simulate::Args),
    /// Write what runs the pipeline elsewhere: on AWS, a CloudFormation template.
    Synth(commands::synth::Args),
    /// Answer the calls of AWS Lambda; Lambda starts this by itself.
    #[cfg(feature = "aws")]
    Lambda,
    /// Pack this program and the pipeline for AWS Lambda.
    Package(commands::package::Args),
    /// Run the pipeline on AWS: make its stack, or change it.
    #[cfg(feature = "aws")]
    Deploy(commands::deploy::Args),
    /// Take the pipeline's stack off AWS; buckets and tables keep their data.
    #[cfg(feature = "aws")]
    Destroy(commands::destroy::Args),
    /// What an error code means, and how to mend it.
    Explain(commands::explain::Args),
    /// Run every pipeline there is on generated data.
    Demo(commands::demo::Args),
    /// Print the JSON Schema of the pipeline file, for editors.
    Schema,
    /// Print completions for a shell.
    Completions(commands::completions::Args),
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(report_panic));
    #[cfg(feature = "aws")]
    if lambda::is_meant() {
        let here = lambda::here();
        return ended(&here, || lambda::run(&here)).into();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // `--help` and `--version` come this way too; who has gone needs neither.
            let _ = told.print();
            return if told.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let printer = Printer::new(cli.global.json, cli.global.quiet);
    let is_lambda = cfg!(feature = "aws") && cli.command.is_lambda();
    if !is_lambda {
        logging::start(cli.global.verbose, cli.global.quiet, cli.global.json);
    }
    let printer = printer.told(&cli.global.dir, cli.global.env.as_deref());
    let here = Here { dir: cli.global.dir, env: cli.global.env, printer };
    ended(&here, || run(&here, cli.command)).into()
}

/// Runs a command and says why it ended before it was done.
fn ended(here: &Here, command: impl FnOnce() -> Result<Exit, Stop>) -> Exit {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(command)) {
        Ok(Ok(exit) | Err(Stop::Told(exit))) => exit,
        Ok(Err(Stop::ReaderGone)) => Exit::Done,
        Ok(Err(Stop::Because(failure))) => {
            here.printer.error(&failure);
            Exit::of(failure.kind)
        }
        Err(_) => Exit::Bug,
    }
}

impl Command {
    /// Whether it logs as Lambda wants it.
    fn is_lambda(&self) -> bool {
        #[cfg(feature = "aws")]
        return matches!(self, Self::Lambda);
        #[cfg(not(feature = "aws"))]
        return false;
    }
}

fn run(here: &Here, command: Command) -> Result<Exit, Stop> {
    match command {
        Command::New(args) => commands::new::run(here, &args),
        Command::Check(args) => commands::check::run(here, &args),
        Command::Run(args) => commands::run::run(here, &args),
        #[cfg(feature = "server")]
        Command::Serve(args) => commands::serve::run(here, &args),
        #[cfg(feature = "server")]
        Command::Logger(args) => commands::logger::run(here, &args),
        Command::Put(args) => commands::put::run(here, &args),
        Command::Backfill(args) => commands::backfill::run(here, &args),
        Command::Status => commands::status::run(here),
        Command::Runs(args) => commands::runs::run(here, &args),
        Command::Failures(args) => commands::failures::run(here, args),
        Command::Trace(args) => commands::trace::run(here, &args),
        Command::Mail(args) => commands::mail::run(here, args),
        Command::History(args) => commands::history::run(here, &args),
        Command::Plan => commands::plan::run(here),
        Command::Verify(args) => commands::verify::run(here, &args),
        Command::Table(args) => commands::table::run(here, &args),
        Command::Synth(args) => commands::synth::run(here, &args),
        #[cfg(feature = "aws")]
        Command::Lambda => lambda::run(here),
        Command::Package(args) => commands::package::run(here, &args),
        #[cfg(feature = "aws")]
        Command::Deploy(args) => commands::deploy::run(here, &args),
        #[cfg(feature = "aws")]
        Command::Destroy(args) => commands::destroy::run(here, &args),
        Command::Explain(args) => commands::explain::run(here, &args),
        Command::Report(args) => commands::report::run(here, &args),
        Command::Simulate(args) => commands::simulate::run(here, &args),
        Command::Demo(args) => commands::demo::run(here, &args),
        Command::Schema => commands::schema::run(here),
        Command::Completions(args) => commands::completions::run(here, &args, Cli::command()),
    }
}

/// Our mistake: asks for a report with what we need to find it.
#[expect(clippy::print_stderr, reason = "the last words of a process that cannot go on as it should")]
fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    eprintln!(
        "error: tidegate made a mistake of its own: {panic}\nhelp: please report these lines, and what you typed, at {}/issues (tidegate {})",
        env!("CARGO_PKG_REPOSITORY"),
        env!("CARGO_PKG_VERSION"),
    );
}
