//! The function kind of these tests: what it does stands in its options, and what it did is seen through a [`Probe`].

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use async_trait::async_trait;
use tidegate_engine::{Context, Function, Kind, Message, Outcome};
use tidegate_model::{
    self as model, Address, ErrorKind, Event, Failure, KindSpec, OptionSpec, OptionType, Pipeline, Targets,
    TriggerNeed, ValueType,
};
use tidegate_stores::{Load, LoadMode, OnDuplicate};
use tokio::sync::watch;

/// What the kind can be told to do.
const WORDS: &[&str] =
    &["echo", "load", "fail", "refuse", "panic", "hang", "block", "read", "write", "table", "mail", "disturb"];

const fn option(name: &'static str, takes: OptionType, default: &'static str) -> OptionSpec {
    OptionSpec { name, takes, default: Some(default), required: false, doc: "For tests." }
}

static SPEC: KindSpec = KindSpec {
    name: "test",
    version: 1,
    summary: "does what the test says",
    trigger: TriggerNeed::Any,
    tables: Targets::Any,
    buckets: Targets::Any,
    databases: Targets::None,
    mail: Targets::Optional,
    looks_back: false,
    options: &[
        option("does", OptionType::OneOf(WORDS), "\"echo\""),
        option("times", OptionType::Integer(0, 1_000), "0"),
        option("suffix", OptionType::Text, "\"\""),
        option("name", OptionType::Text, "\"\""),
    ],
};

/// The kind.
pub(crate) static KIND: Kind = Kind { spec: &SPEC, build };

/// Sees the calls of one house's functions, and may hold them.
#[derive(Debug)]
pub(crate) struct Probe {
    calls: Mutex<Calls>,
    is_open: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Calls {
    /// Function, event, number of the attempt; in the order of the calls.
    begun: Vec<(String, String, u32)>,
    running: HashMap<String, usize>,
    most: HashMap<String, usize>,
}

static PROBES: Mutex<BTreeMap<String, Arc<Probe>>> = Mutex::new(BTreeMap::new());

impl Probe {
    /// The probe of the pipeline of this name.
    pub(crate) fn of(pipeline: &str) -> Arc<Self> {
        let mut probes = PROBES.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Self { calls: Mutex::default(), is_open: watch::Sender::new(true) });
        Arc::clone(probes.entry(pipeline.to_owned()).or_insert_with(new))
    }

    fn calls(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every call so far: function, event, number of the attempt.
    pub(crate) fn begun(&self) -> Vec<(String, String, u32)> {
        self.calls().begun.clone()
    }

    /// How many calls of a function there were.
    pub(crate) fn count(&self, function: &str) -> usize {
        self.calls().begun.iter().filter(|(name, _, _)| name == function).count()
    }

    /// The most calls of a function that ran at once.
    pub(crate) fn most(&self, function: &str) -> usize {
        self.calls().most.get(function).copied().unwrap_or(0)
    }

    /// How many calls run now.
    pub(crate) fn running(&self) -> usize {
        self.calls().running.values().sum()
    }

    /// From now on calls begin, but do nothing until [`Probe::release`].
    pub(crate) fn hold(&self) {
        self.is_open.send_replace(false);
    }

    /// Lets the held calls go on.
    pub(crate) fn release(&self) {
        self.is_open.send_replace(true);
    }

    fn begin(self: &Arc<Self>, context: &Context) -> Running {
        let function = context.function().name.clone();
        let mut calls = self.calls();
        calls.begun.push((function.clone(), context.event().name(), context.attempt()));
        let running = calls.running.entry(function.clone()).or_default();
        *running += 1;
        let running = *running;
        let most = calls.most.entry(function.clone()).or_default();
        *most = running.max(*most);
        drop(calls);
        Running { probe: Arc::clone(self), function }
    }
}

/// A call that runs, until it is dropped.
struct Running {
    probe: Arc<Probe>,
    function: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(running) = self.probe.calls().running.get_mut(&self.function) {
            *running -= 1;
        }
    }
}

struct Test {
    does: String,
    times: u64,
    suffix: String,
    name: String,
    probe: Arc<Probe>,
}

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let text = |name: &str| function.options[name].as_str().unwrap_or_default().to_owned();
    Ok(Box::new(Test {
        does: text("does"),
        times: function.options["times"].as_u64().unwrap_or(0),
        suffix: text("suffix"),
        name: text("name"),
        probe: Probe::of(&pipeline.name),
    }))
}

#[async_trait]
impl Function for Test {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let running = self.probe.begin(context);
        let mut is_open = self.probe.is_open.subscribe();
        // The probe outlives its calls, so the channel is never closed.
        let _ = is_open.wait_for(|open| *open).await;
        match self.does.as_str() {
            "load" => self.load(context).await?,
            "fail" if u64::from(context.attempt()) <= self.times => {
                return Err(Failure::new("R0999", ErrorKind::Unavailable, format!("attempt {}", context.attempt())));
            }
            "refuse" => return Err(Failure::new("R0998", ErrorKind::Invalid, "this input is wrong").at_line(7)),
            "panic" => panic!("the tide is out"),
            "hang" => std::future::pending().await,
            "block" => {
                let token = context.cancellation();
                let spins = move || {
                    let _running = running;
                    while !token.is_cancelled() {
                        std::thread::yield_now();
                    }
                };
                tokio::task::spawn_blocking(spins).await.expect("a blocking call");
            }
            "read" => drop(context.bucket(&self.name)?),
            "write" => drop(context.create(&self.name, "x")?),
            "mail" => {
                self.echo(context).await?;
                for _ in 0..2 {
                    context.mail(self.message(context).await?)?;
                }
            }
            "table" => self.load_into(context, &self.name, String::new()).await?,
            "disturb" => {
                let mut reader = context.input().await?.reader();
                // As somebody does who writes to the object's file while it is read.
                std::fs::write(&self.name, "another content").expect("a file");
                let read = reader.read_to_end(&mut Vec::new());
                read.map_err(|error| Failure::new("R0996", ErrorKind::Invalid, error.to_string()))?;
            }
            _ => self.echo(context).await?,
        }
        Ok(Outcome { note: Some(self.does.clone()), ..Outcome::default() })
    }
}

impl Test {
    async fn input(&self, context: &Context) -> Result<String, Failure> {
        match context.event() {
            Event::Created(_) => {
                let mut text = String::new();
                let mut reader = context.input().await?.reader();
                reader
                    .read_to_string(&mut text)
                    .map_err(|error| Failure::new("R0997", ErrorKind::Unavailable, error.to_string()))?;
                Ok(text)
            }
            Event::Tick(tick) => Ok(tick.planned_at.to_string()),
        }
    }

    async fn message(&self, context: &Context) -> Result<Message, Failure> {
        Ok(Message {
            to: Address::parse("ann@example.org").expect("an address"),
            about: "Ann, ann@example.org".to_owned(),
            identity: (!self.name.is_empty()).then(|| self.name.clone()),
            subject: self.input(context).await?,
            text: "the tide is high".to_owned(),
            attachments: Vec::new(),
        })
    }

    /// The input becomes an object of the same key in every bucket of `into`.
    async fn echo(&self, context: &Context) -> Result<(), Failure> {
        let text = self.input(context).await?;
        let key = match context.event() {
            Event::Created(object) => object.key.clone(),
            Event::Tick(tick) => tick.planned_at.to_string(),
        };
        for bucket in &context.function().grants.write_buckets {
            let mut output = context.create(bucket, &format!("{key}{}", self.suffix))?;
            output.write_all(text.as_bytes()).expect("the scratch folder takes it");
            context.finish(output)?;
        }
        Ok(())
    }

    /// Lines `key,value` of the input become rows of every table of `into`.
    async fn load(&self, context: &Context) -> Result<(), Failure> {
        let text = self.input(context).await?;
        for table in &context.function().grants.write_tables {
            self.load_into(context, table, text.clone()).await?;
        }
        Ok(())
    }

    async fn load_into(&self, context: &Context, table: &str, text: String) -> Result<(), Failure> {
        let failed = |error: tidegate_stores::Error| error.into_failure("R0996");
        let columns = ["id", "value"].map(|name| (name.to_owned(), ValueType::String)).to_vec();
        let load = Load {
            run: context.run(),
            columns,
            key_columns: 1,
            mode: LoadMode::Upsert,
            on_duplicate: OnDuplicate::Last,
        };
        let mut load = context.table(table)?.load(load).await.map_err(failed)?;
        let rows: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(',')).collect();
        let column = |pick: fn(&(&str, &str)) -> String| {
            Arc::new(StringArray::from_iter_values(rows.iter().map(pick))) as ArrayRef
        };
        let (ids, values) = (column(|row| row.0.to_owned()), column(|row| row.1.to_owned()));
        let batch = RecordBatch::try_from_iter([("id", ids), ("value", values)]).expect("a batch");
        let commit = move || {
            load.write(&batch)?;
            load.commit()
        };
        tokio::task::spawn_blocking(commit).await.expect("no panic").map_err(failed).map(drop)
    }
}
