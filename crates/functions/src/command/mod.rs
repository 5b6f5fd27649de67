//! Kind `command` (hop 6): the user's own program, in any language.
//!
//! The program gets the event as JSON on stdin and paths in environment variables; the files it leaves in its output
//! folder become objects; its exit code, and the last lines it wrote to stderr, become the failure. The contract is told
//! to users in `docs/functions/command.md`.

mod process;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde_json::{Value, json};
use tidegate_engine::{Context, Function, Kind, Outcome};
use tidegate_model::{
    self as model, ErrorKind, Event, Failure, KindSpec, OptionSpec, OptionType, Pipeline, Targets, TriggerNeed,
};

use process::{Ended, Program};

/// What `command` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "command",
    version: 1,
    summary: "runs your own program on the object; the files it leaves become outputs",
    trigger: TriggerNeed::Any,
    tables: Targets::None,
    buckets: Targets::Any,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: false,
    options: &[
        OptionSpec {
            name: "program",
            takes: OptionType::TextOrList,
            default: None,
            required: true,
            doc: "The program and its arguments, for example `[\"python3\", \"qc.py\"]`. It is started in the \
                  directory of the pipeline file, without a shell.",
        },
        OptionSpec {
            name: "env",
            takes: OptionType::TextMap,
            default: None,
            required: false,
            doc: "Further environment variables for the program.",
        },
        OptionSpec {
            name: "retry_when",
            takes: OptionType::OneOf(&["asked", "always"]),
            default: Some("\"asked\""),
            required: false,
            doc: "When a failed attempt is tried again: `asked` only if the program exits with 75 (EX_TEMPFAIL) or is \
                  killed, `always` after any failure.",
        },
    ],
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

/// sysexits.h: the failure is temporary, try again.
const EX_TEMPFAIL: i32 = 75;

struct Command {
    program: Vec<String>,
    env: Vec<(String, String)>,
    retry_always: bool,
    /// Buckets of `into`: with one, the output folder is that bucket; with more, its folders are.
    into: Vec<String>,
}

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let program = match function.options.get("program") {
        Some(Value::String(program)) => vec![program.clone()],
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    if program.first().is_none_or(String::is_empty) {
        return Err(Failure::new("R0201", ErrorKind::Invalid, "`program` is empty")
            .expected("the program and its arguments, for example `[\"python3\", \"qc.py\"]`"));
    }
    let env = match function.options.get("env") {
        Some(Value::Object(map)) => {
            map.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        }
        _ => Vec::new(),
    };
    let retry_always = function.options.get("retry_when").and_then(Value::as_str) == Some("always");
    let into = function.into.iter().filter(|name| pipeline.buckets.contains_key(*name)).cloned().collect();
    Ok(Box::new(Command { program, env, retry_always, into }))
}

#[async_trait]
impl Function for Command {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let scratch = context.scratch()?;
        let output = scratch.join("output");
        std::fs::create_dir(&output).map_err(scratch_failure)?;
        let object = match context.event() {
            Event::Created(_) => Some(local_copy(context).await?),
            Event::Tick(_) => None,
        };
        let program = Program {
            words: &self.program,
            dir: context.pipeline_dir(),
            env: self.environment(context, scratch, &output, object.as_deref()),
            stdin: event_json(context).to_string(),
        };
        let ended = process::run(program, context.cancelled()).await?;
        if let Some(failure) = self.failure(&ended) {
            return Err(failure);
        }
        for (bucket, key, path) in self.outputs(&output)? {
            let mut file = context.create(&bucket, &key)?;
            io::copy(&mut File::open(&path).map_err(scratch_failure)?, &mut file).map_err(scratch_failure)?;
            context.finish(file)?;
        }
        Ok(Outcome { note: ended.last_stdout_line, ..Outcome::default() })
    }
}

impl Command {
    fn environment(
        &self,
        context: &Context,
        scratch: &Path,
        output: &Path,
        object: Option<&Path>,
    ) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut env = vec![
            ("TIDEGATE_FUNCTION".to_owned(), context.function().name.clone()),
            ("TIDEGATE_RUN".to_owned(), context.run().to_string()),
            ("TIDEGATE_ATTEMPT".to_owned(), context.attempt().to_string()),
            ("TIDEGATE_OUTPUT".to_owned(), text(output)),
            ("TMPDIR".to_owned(), text(scratch)),
        ];
        if let (Some(path), Some(version)) = (object, context.event().object()) {
            env.push(("TIDEGATE_OBJECT".to_owned(), text(path)));
            env.push(("TIDEGATE_BUCKET".to_owned(), version.bucket.clone()));
            env.push(("TIDEGATE_KEY".to_owned(), version.key.clone()));
        }
        for bucket in &context.function().grants.read_buckets {
            if let Some(place) = context.bucket_place(bucket) {
                let name = bucket.to_uppercase().replace('-', "_");
                env.push((format!("TIDEGATE_BUCKET_{name}"), place));
            }
        }
        env.extend(self.env.iter().cloned());
        env
    }

    fn failure(&self, ended: &Ended) -> Option<Failure> {
        let (what, asked) = match ended.code {
            Some(0) => return None,
            Some(code) => (format!("`{}` ended with exit code {code}", self.program[0]), code == EX_TEMPFAIL),
            None => (format!("`{}` was killed by a signal", self.program[0]), true),
        };
        let kind = if asked || self.retry_always { ErrorKind::Unavailable } else { ErrorKind::Invalid };
        let last_lines = if ended.stderr_tail.is_empty() {
            "it wrote nothing to stderr".to_owned()
        } else {
            format!("the last it wrote to stderr:\n{}", ended.stderr_tail)
        };
        Some(
            Failure::new("R0202", kind, format!("{what}; {last_lines}"))
                .help("mend the program or the object, then `tidegate failures retry`"),
        )
    }

    /// Bucket, key and file of everything in the output folder, sorted.
    fn outputs(&self, output: &Path) -> Result<Vec<(String, String, PathBuf)>, Failure> {
        let mut files = Vec::new();
        collect_files(output, "", &mut files)?;
        files.sort();
        let mut outputs = Vec::new();
        for (key, path) in files {
            match self.into.as_slice() {
                [] => {
                    return Err(Failure::new(
                        "R0203",
                        ErrorKind::Invalid,
                        format!("the program left `{key}`, but the function has no bucket to put it in"),
                    )
                    .help("name a bucket in `into`, or leave nothing in the output folder"));
                }
                [bucket] => outputs.push((bucket.clone(), key, path)),
                several => {
                    let (bucket, rest) = key.split_once('/').unwrap_or((key.as_str(), ""));
                    if rest.is_empty() || !several.iter().any(|name| name == bucket) {
                        return Err(Failure::new(
                            "R0203",
                            ErrorKind::Invalid,
                            format!("the program left `{key}`, which is in no bucket's folder"),
                        )
                        .expected(format!("a file below one of: {}", several.join("/, ") + "/")));
                    }
                    outputs.push((bucket.to_owned(), rest.to_owned(), path));
                }
            }
        }
        Ok(outputs)
    }
}

/// The event as the program reads it from stdin.
fn event_json(context: &Context) -> Value {
    let mut event = json!({
        "run": context.run(),
        "function": context.function().name,
        "attempt": context.attempt(),
    });
    match context.event() {
        Event::Created(object) => {
            event["bucket"] = json!(object.bucket);
            event["key"] = json!(object.key);
            event["size"] = json!(object.size);
            event["etag"] = json!(object.etag);
            event["version_id"] = json!(object.version_id);
        }
        Event::Tick(tick) => event["planned_at"] = json!(tick.planned_at),
    }
    event
}

/// The object as a file of its own, under its own name, which the program may do anything with.
async fn local_copy(context: &Context) -> Result<PathBuf, Failure> {
    let object = context.object()?;
    let name = object.key.rsplit('/').next().unwrap_or("object");
    let folder = context.scratch()?.join("object");
    std::fs::create_dir(&folder).map_err(scratch_failure)?;
    let path = folder.join(name);
    let mut reader = context.input().await?.reader();
    let target = path.clone();
    tokio::task::spawn_blocking(move || io::copy(&mut reader, &mut File::create_new(target)?))
        .await
        .map_err(|error| Failure::new("R0011", ErrorKind::Bug, format!("copying the object panicked: {error}")))?
        .map_err(scratch_failure)?;
    Ok(path)
}

/// Files below `folder` with their keys; links and special files are refused, because what they point at is not ours.
fn collect_files(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), Failure> {
    for entry in std::fs::read_dir(folder).map_err(scratch_failure)? {
        let entry = entry.map_err(scratch_failure)?;
        let name = entry.file_name().into_string().map_err(|name| {
            Failure::new(
                "R0203",
                ErrorKind::Invalid,
                format!("the program left a file whose name is not UTF-8: {name:?}"),
            )
        })?;
        let key = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let kind = entry.file_type().map_err(scratch_failure)?;
        if kind.is_dir() {
            collect_files(&entry.path(), &key, files)?;
        } else if kind.is_file() {
            files.push((key, entry.path()));
        } else {
            return Err(Failure::new(
                "R0203",
                ErrorKind::Invalid,
                format!("the program left `{key}`, which is a link or a special file"),
            )
            .expected("regular files and folders in the output folder"));
        }
    }
    Ok(())
}

fn scratch_failure(error: io::Error) -> Failure {
    Failure::new("R0008", ErrorKind::Unavailable, format!("the scratch folder cannot be used: {error}"))
        .help("free space in the folder for temporary files, or set `TMPDIR` to one that has some")
}
