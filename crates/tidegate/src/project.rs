//! The pipeline's directory and its file: what every command but `new`, `explain` and the like begins with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "aws")]
use tidegate_model::{Access, Function, Mail};
use tidegate_model::{Bucket, Database, Diagnostic, Failure, KindSpec, Pipeline, Severity, Table};

use crate::exit::{Exit, Stop};
use crate::output::Printer;
use crate::wiring::aws::{self, OnAws};

/// Name of the pipeline file.
pub(crate) const FILE: &str = "tidegate.toml";

/// The environment of AWS.
pub(crate) const AWS: &str = "aws";

/// Where a command was called and how it prints.
pub(crate) struct Here {
    /// `-C`.
    pub(crate) dir: PathBuf,
    /// `--env`.
    pub(crate) env: Option<String>,
    /// How it prints.
    pub(crate) printer: Printer,
}

impl Here {
    /// A directory that was named beside `-C`, as one would name it from here.
    pub(crate) fn under(&self, dir: &Path) -> PathBuf {
        if self.dir == Path::new(".") { dir.to_owned() } else { self.dir.join(dir) }
    }
}

/// A pipeline file that was read and checked.
pub(crate) struct Checked {
    /// The directory it stands in, absolute.
    pub(crate) dir: PathBuf,
    /// Its text.
    pub(crate) text: String,
    /// All that is wrong or odd.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What it says, if nothing is wrong.
    pub(crate) pipeline: Option<Pipeline>,
    /// Names of the environments that it has.
    pub(crate) environments: Vec<String>,
}

impl Checked {
    /// The diagnostics as people read them.
    pub(crate) fn render(&self, colours: bool) -> String {
        tidegate_model::render(&self.diagnostics, FILE, &self.text, colours)
    }

    /// The same for programs: one JSON object a line.
    pub(crate) fn json(&self) -> String {
        tidegate_model::render_json(&self.diagnostics, FILE)
    }
}

/// Descriptions of the kinds that a pipeline file may name.
pub(crate) fn kind_specs() -> Vec<&'static KindSpec> {
    tidegate_functions::catalog().iter().map(|kind| kind.spec).collect()
}

/// Reads and checks the pipeline file.
///
/// # Errors
/// If there is none, or it cannot be read.
pub(crate) fn check(here: &Here) -> Result<Checked, Stop> {
    let dir = absolute(&here.dir)?;
    let path = dir.join(FILE);
    let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => no_file(&here.dir, &dir),
        _ => Stop::file("read", &path, &error),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
        Stop::wrong(format!("`{}` is not UTF-8 text: line {line}, byte {at}", path.display()))
            .help("save it as UTF-8 in your editor")
    })?;
    let checked = tidegate_model::check(FILE, &text, here.env.as_deref(), &kind_specs(), tidegate_formats::NAMES);
    let tidegate_model::Checked { pipeline, diagnostics, environments } = checked;
    Ok(Checked { dir, text, diagnostics, pipeline, environments })
}

/// What only a function's kind can judge: options, and files beside the pipeline file, which is in `dir`.
pub(crate) fn faults(pipeline: &Pipeline, dir: &Path) -> Vec<Failure> {
    let kinds = tidegate_functions::catalog();
    let mut faults = Vec::new();
    for function in &pipeline.functions {
        let Some(kind) = kinds.iter().find(|kind| kind.spec.name == function.kind) else { continue };
        let found = match (kind.build)(function, pipeline) {
            Ok(built) => built.faults_beside(dir),
            Err(failure) => vec![failure],
        };
        faults.extend(found.into_iter().map(|mut fault| {
            fault.reason = format!("function `{}`: {}", function.name, fault.reason);
            fault
        }));
    }
    faults
}

/// The environment `aws` is there whether or not the file has something to say of it.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn in_environment(here: &Here) -> Result<Here, Stop> {
    let is_silent = here.env.as_deref() == Some(AWS) && !check_plain(here)?.environments.iter().any(|name| name == AWS);
    let env = here.env.clone().filter(|_| !is_silent);
    Ok(Here { dir: here.dir.clone(), env, printer: here.printer.clone() })
}

/// The file without overrides.
fn check_plain(here: &Here) -> Result<Checked, Stop> {
    check(&Here { dir: here.dir.clone(), env: None, printer: here.printer.clone() })
}

/// A checked pipeline and where its state is.
pub(crate) struct Project {
    /// The directory of the pipeline file, absolute.
    pub(crate) dir: PathBuf,
    /// What the file says.
    pub(crate) pipeline: Arc<Pipeline>,
    /// AWS, if that is where the pipeline is. Its pipeline then says of each bucket and table where it is there.
    pub(crate) aws: Option<Arc<OnAws>>,
    /// What of all its places this process opens; `None`: everything.
    pub(crate) reach: Option<Reach>,
}

/// The places of one function among several: it may not even know the secrets of the others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    pub(crate) buckets: BTreeSet<String>,
    pub(crate) tables: BTreeSet<String>,
    pub(crate) databases: BTreeSet<String>,
    #[cfg(feature = "aws")]
    pub(crate) mail: bool,
}

impl Reach {
    /// What a function is granted.
    #[cfg(feature = "aws")]
    pub(crate) fn of(function: &Function) -> Self {
        let mut reach = Self::default();
        for access in function.grants.accesses() {
            match access {
                Access::ReadBucket(name) | Access::WriteBucket(name) => reach.buckets.insert(name.to_owned()),
                Access::ReadTable(name) | Access::WriteTable(name) => reach.tables.insert(name.to_owned()),
                Access::ReadDatabase(name) | Access::WriteDatabase(name) => reach.databases.insert(name.to_owned()),
                Access::Mail => std::mem::replace(&mut reach.mail, true),
                Access::ReadLedger | Access::Secret(_) => false,
            };
        }
        reach
    }
}

impl Project {
    /// The buckets that this process opens.
    pub(crate) fn open_buckets(&self) -> impl Iterator<Item = &Bucket> {
        let reach = self.reach.as_ref();
        self.pipeline.buckets.values().filter(move |each| reach.is_none_or(|reach| reach.buckets.contains(&each.name)))
    }

    /// The tables that this process opens.
    pub(crate) fn open_tables(&self) -> impl Iterator<Item = &Table> {
        let reach = self.reach.as_ref();
        self.pipeline.tables.values().filter(move |each| reach.is_none_or(|reach| reach.tables.contains(&each.name)))
    }

    /// The databases that this process opens.
    pub(crate) fn open_databases(&self) -> impl Iterator<Item = &Database> {
        let reach = self.reach.as_ref();
        let all = self.pipeline.databases.values();
        all.filter(move |each| reach.is_none_or(|reach| reach.databases.contains(&each.name)))
    }

    /// Who mails, if this process does.
    #[cfg(feature = "aws")]
    pub(crate) fn open_mail(&self) -> Option<&Mail> {
        self.pipeline.mail.as_ref().filter(|_| self.reach.as_ref().is_none_or(|reach| reach.mail))
    }

    /// Reads the pipeline file, and finds AWS if its environment is there; if something is wrong with the file, says so and stops.
    ///
    /// # Errors
    /// As said, and if AWS does not know who calls. Warnings are left to `tidegate check`.
    pub(crate) fn open(here: &Here) -> Result<Self, Stop> {
        if !here.env.as_deref().is_some_and(aws::is_on_aws) {
            return Self::read(here);
        }
        let project = Self::read(&in_environment(here)?)?;
        let found = aws::find(&project.pipeline)?;
        Ok(project.on(found))
    }

    /// The same pipeline on AWS.
    pub(crate) fn on(self, aws: OnAws) -> Self {
        let pipeline = aws.placed(&self.pipeline);
        Self { pipeline: Arc::new(pipeline), aws: Some(Arc::new(aws)), ..self }
    }

    /// The same once more.
    #[cfg(feature = "aws")]
    pub(crate) fn copied(&self) -> Self {
        let (pipeline, reach) = (Arc::clone(&self.pipeline), self.reach.clone());
        Self { dir: self.dir.clone(), pipeline, aws: self.aws.clone(), reach }
    }

    /// Reads the pipeline file alone, wherever the pipeline is.
    ///
    /// # Errors
    /// If something is wrong with it, which was said.
    pub(crate) fn read(here: &Here) -> Result<Self, Stop> {
        let mut checked = check(here)?;
        match checked.pipeline.take() {
            Some(pipeline) => Ok(Self { dir: checked.dir, pipeline: Arc::new(pipeline), aws: None, reach: None }),
            None => {
                checked.diagnostics.retain(|diagnostic| diagnostic.severity == Severity::Error);
                here.printer.diagnostics(&checked);
                Err(Stop::Told(Exit::Wrong))
            }
        }
    }

    /// The same, for what is built from it to run elsewhere: everything must be right that can be looked at here.
    ///
    /// # Errors
    /// If something is wrong with it or with the files beside it, which was said.
    pub(crate) fn read_whole(here: &Here) -> Result<Self, Stop> {
        let project = Self::read(here)?;
        let faults = faults(&project.pipeline, &project.dir);
        faults.iter().for_each(|fault| here.printer.error(fault));
        if faults.is_empty() { Ok(project) } else { Err(Stop::Told(Exit::Wrong)) }
    }

    /// The folder that holds queue, ledger and tables.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.join(".tidegate")
    }

    /// The database of queue and ledger.
    pub(crate) fn state_path(&self) -> PathBuf {
        self.state_dir().join("state.db")
    }

    /// The database of mails that wait.
    pub(crate) fn outbox_path(&self) -> PathBuf {
        self.state_dir().join("mail.db")
    }

    /// The accounts of loggers that may upload.
    #[cfg(feature = "server")]
    pub(crate) fn loggers_path(&self) -> PathBuf {
        self.state_dir().join("loggers.db")
    }

    /// Where files are that are coming in.
    #[cfg(feature = "server")]
    pub(crate) fn uploads_dir(&self) -> PathBuf {
        self.state_dir().join("uploads")
    }

    /// The database of tables without a url.
    pub(crate) fn tables_path(&self) -> PathBuf {
        self.state_dir().join("tables.db")
    }
}

fn absolute(dir: &Path) -> Result<PathBuf, Stop> {
    let found = dir.canonicalize().map_err(|error| {
        Stop::file("used", dir, &error).help("`-C DIR` names the pipeline's directory; leave it out to use this one")
    })?;
    if found.is_dir() { Ok(found) } else { Err(Stop::wrong(format!("`{}` is no directory", dir.display()))) }
}

fn no_file(given: &Path, dir: &Path) -> Stop {
    let stop = Stop::new(tidegate_model::ErrorKind::NotFound, format!("there is no `{FILE}` in `{}`", dir.display()));
    match dir.ancestors().skip(1).find(|above| above.join(FILE).is_file()) {
        Some(above) => stop.help(format!("there is one above: `tidegate -C {} …`", above.display())),
        None if given == Path::new(".") => {
            stop.help("begin one with `tidegate new csv-to-table`, or name its directory: `tidegate -C DIR …`")
        }
        None => stop.help(format!("begin one with `tidegate new csv-to-table {}`", given.display())),
    }
}
