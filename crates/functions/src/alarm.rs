//! Kind `alarm` (hop 6): by schedule, one mail to the operators when a function begins to fail, one when it works again,
//! and the same when nothing has come for too long.
//!
//! Nothing is kept beside the ledger and the outbox: an incident is named by the run it began with, and a mail by its
//! incident, so that a restart or a repeated tick finds the same incidents and the same mails. What a user must know is in
//! `docs/functions/alarm.md`.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tidegate_engine::{Context, Function, Kind, Message, Outcome};
use tidegate_model::{
    self as model, ErrorKind, Event, Failure, KindSpec, OptionSpec, OptionType, Pipeline, RunState, Targets, Trigger,
    TriggerNeed, parse_duration,
};
use tidegate_stores::RunRecord;

/// What `alarm` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "alarm",
    version: 1,
    summary: "one mail when a function begins to fail, one when it works again, and when nothing comes any more",
    trigger: TriggerNeed::Schedule,
    tables: Targets::None,
    buckets: Targets::None,
    databases: Targets::None,
    mail: Targets::One,
    looks_back: false,
    options: &[
        OptionSpec {
            name: "functions",
            takes: OptionType::TextOrList,
            default: None,
            required: true,
            doc: "The functions that are watched.",
        },
        OptionSpec {
            name: "stale",
            takes: OptionType::Duration,
            default: None,
            required: false,
            doc: "A function from which work is due and which has not succeeded for so long is told, too.",
        },
        OptionSpec {
            name: "quiet",
            takes: OptionType::Duration,
            default: Some("1h"),
            required: false,
            doc: "After a mail about a function's failing no other follows for so long, except that it works again.",
        },
    ],
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

struct Alarm {
    pipeline: String,
    watched: Vec<Watched>,
    stale: Option<SignedDuration>,
    quiet: SignedDuration,
}

struct Watched {
    name: String,
    is_scheduled: bool,
}

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let own = &function.name;
    if !function.grants.ledger {
        let reason = format!("`{own}` may not ask what became of runs");
        return Err(Failure::new("R1201", ErrorKind::Invalid, reason).expected("`reads = \"ledger\"`"));
    }
    if pipeline.mail.as_ref().is_none_or(|mail| mail.operator.is_empty()) {
        return Err(Failure::new("R1202", ErrorKind::Invalid, format!("`{own}` has nobody to tell"))
            .expected("`operator` in `[mail]`, one address or several"));
    }
    let names = function.options.get("functions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut watched = Vec::new();
    for name in names.iter().filter_map(Value::as_str) {
        let other = pipeline.functions.iter().find(|other| other.name == name && other.name != *own);
        let other = other.ok_or_else(|| {
            let reason = format!("`functions` of `{own}` names `{name}`, which is no other function of this file");
            Failure::new("R1202", ErrorKind::Invalid, reason).expected("functions of this file")
        })?;
        let is_scheduled = !matches!(other.trigger, Trigger::Created { .. });
        watched.push(Watched { name: name.to_owned(), is_scheduled });
    }
    if watched.is_empty() {
        return Err(Failure::new("R1202", ErrorKind::Invalid, format!("`{own}` watches nothing"))
            .expected("at least one name in `functions`"));
    }
    let duration = |name: &str| {
        let text = function.options.get(name).and_then(Value::as_str)?;
        SignedDuration::try_from(parse_duration(text).ok()?).ok()
    };
    let quiet = duration("quiet").unwrap_or(SignedDuration::from_hours(1));
    Ok(Box::new(Alarm { pipeline: pipeline.name.clone(), watched, stale: duration("stale"), quiet }))
}

/// Settled runs of one function, newest first: how long it has succeeded, and the failures before.
#[derive(Default)]
struct Past {
    /// The newest success, if any.
    success: Option<RunRecord>,
    /// The newest unbroken failures, newest first.
    failures: Vec<RunRecord>,
    /// True while the function fails: the failures are newer than the success.
    is_failing: bool,
    /// True if the first of the failures is known.
    is_whole: bool,
}

impl Past {
    async fn read(context: &Context, function: &str) -> Result<Self, Failure> {
        let mut past = Self::default();
        let mut take = |run: RunRecord| {
            match run.state {
                RunState::Failed => {
                    past.is_failing |= past.success.is_none();
                    past.failures.push(run);
                }
                RunState::Succeeded => {
                    past.is_whole = !past.failures.is_empty();
                    past.success.get_or_insert(run);
                }
                _ => {}
            }
            !past.is_whole
        };
        context.newest_runs(function, None, &mut take).await?;
        // A function that has never succeeded began to fail with its first run.
        past.is_whole |= past.success.is_none() || !past.is_failing;
        Ok(past)
    }

    /// The failure that the incident began with.
    fn first(&self) -> Option<&RunRecord> {
        self.failures.last().filter(|_| self.is_whole)
    }
}

#[async_trait]
impl Function for Alarm {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let now = match context.event() {
            Event::Tick(tick) => tick.planned_at,
            Event::Created(_) => context.now(),
        };
        let up_since = self.up_since(context, now).await?;
        let mut told = Vec::new();
        for watched in &self.watched {
            let past = Past::read(context, &watched.name).await?;
            let word = self.trouble(context, &watched.name, &past, now).await?;
            let word = match word {
                None if !past.is_failing => self.staleness(context, watched, &past, now, up_since).await?,
                other => other,
            };
            told.extend(word.map(|word| format!("{} {word}", watched.name)));
        }
        let note = if told.is_empty() { "nothing to tell".to_owned() } else { told.join(", ") };
        Ok(Outcome { note: Some(note), ..Outcome::default() })
    }
}

impl Alarm {
    /// Tells of failures and of their end.
    async fn trouble(
        &self,
        context: &Context,
        function: &str,
        past: &Past,
        now: Timestamp,
    ) -> Result<Option<&'static str>, Failure> {
        let Some((first, last)) = past.first().zip(past.failures.first()) else { return Ok(None) };
        let began = format!("trouble {}", first.run);
        let over = format!("over {}", first.run);
        if past.is_failing {
            let since = now.checked_sub(self.quiet).unwrap_or(Timestamp::MIN);
            if context.has_mailed(&began).await? || context.has_mailed_about(&about(function), since).await? {
                return Ok(None);
            }
            let subject = format!("{}: {function} fails", self.pipeline);
            self.mail(context, about(function), began, subject, failing(function, first, last, past.failures.len()))?;
            return Ok(Some("fails"));
        }
        if !context.has_mailed(&began).await? || context.has_mailed(&over).await? {
            return Ok(None);
        }
        let subject = format!("{}: {function} works again", self.pipeline);
        let text = format!(
            "`{function}` has succeeded again{}.\n\nIt had failed {} since {}. What failed for good is listed by\n\n    \
             tidegate failures --function {function}\n\nand is done again by\n\n    tidegate failures retry --function {function}\n",
            past.success
                .as_ref()
                .and_then(|run| run.settled_at)
                .map_or_else(String::new, |at| format!(", {}", moment(at))),
            times(past.failures.len()),
            first.settled_at.map_or_else(|| "then".to_owned(), moment),
        );
        self.mail(context, format!("{function} again"), over, subject, text)?;
        Ok(Some("works again"))
    }

    /// Tells that work is due and nothing has succeeded for too long, and that it is no longer so.
    async fn staleness(
        &self,
        context: &Context,
        watched: &Watched,
        past: &Past,
        now: Timestamp,
        up_since: Timestamp,
    ) -> Result<Option<&'static str>, Failure> {
        let Some(stale) = self.stale else { return Ok(None) };
        let function = &watched.name;
        let identity = |what: &str, run: Option<&RunRecord>| {
            format!("{what} {function} {}", run.map_or_else(|| "never".to_owned(), |run| run.run.to_string()))
        };
        let limit = now.checked_sub(stale).unwrap_or(Timestamp::MIN);
        let since = past.success.as_ref().and_then(|run| run.settled_at);
        if since.is_none_or(|since| since < limit) && up_since <= limit {
            let is_due = watched.is_scheduled || waits_since(context, function).await?.is_some_and(|seen| seen < limit);
            let began = identity("stale", past.success.as_ref());
            if !is_due || context.has_mailed(&began).await? {
                return Ok(None);
            }
            let subject = format!("{}: nothing comes from {function}", self.pipeline);
            let since = since
                .map_or_else(|| "It has never succeeded".to_owned(), |at| format!("It succeeded last {}", moment(at)));
            let text = format!(
                "`{function}` should have done something by now, and has not.\n\n{since}; more than {} were agreed as too long.\n\n\
                 `tidegate status` shows what waits and what is under way; `tidegate runs --function {function}` what it did.\n",
                minutes(stale),
            );
            self.mail(context, format!("{function} stale"), began, subject, text)?;
            return Ok(Some("is stale"));
        }
        self.fresh(context, function, past, &identity).await
    }

    async fn fresh(
        &self,
        context: &Context,
        function: &str,
        past: &Past,
        identity: &(dyn Fn(&str, Option<&RunRecord>) -> String + Sync),
    ) -> Result<Option<&'static str>, Failure> {
        if past.success.is_none() {
            return Ok(None);
        }
        // The success that was the last when it became stale is one of the newest by now, or there was none.
        let mut before: Vec<RunRecord> = Vec::new();
        let mut take = |run| {
            before.push(run);
            before.len() < 10
        };
        context.newest_runs(function, Some(RunState::Succeeded), &mut take).await?;
        let earlier = before.iter().skip(1).map(Some).chain((before.len() < 10).then_some(None));
        for run in earlier {
            let (began, over) = (identity("stale", run), identity("fresh", run));
            if context.has_mailed(&began).await? && !context.has_mailed(&over).await? {
                let subject = format!("{}: {function} has come again", self.pipeline);
                let text = format!("`{function}` has succeeded again. Nothing is to be done.\n");
                self.mail(context, format!("{function} again"), over, subject, text)?;
                return Ok(Some("has come again"));
            }
        }
        Ok(None)
    }

    /// Since when this alarm has ticked without a long pause: who was asleep has nothing to be late for.
    async fn up_since(&self, context: &Context, now: Timestamp) -> Result<Timestamp, Failure> {
        let Some(stale) = self.stale else { return Ok(now) };
        let mut since = now;
        let mut take = |run: RunRecord| {
            let Event::Tick(tick) = run.event else { return false };
            if since.duration_since(tick.planned_at) > stale / 2 {
                return false;
            }
            since = tick.planned_at;
            now.duration_since(since) < stale
        };
        context.newest_runs(&context.function().name, Some(RunState::Succeeded), &mut take).await?;
        Ok(since)
    }

    fn mail(
        &self,
        context: &Context,
        about: String,
        identity: String,
        subject: String,
        text: String,
    ) -> Result<(), Failure> {
        for address in context.operators() {
            context.mail(Message {
                to: address.clone(),
                about: about.clone(),
                identity: Some(identity.clone()),
                subject: subject.clone(),
                text: text.clone(),
                attachments: Vec::new(),
            })?;
        }
        Ok(())
    }
}

/// What mails about a function's failing are called.
fn about(function: &str) -> String {
    format!("{function} fails")
}

/// When the run was seen that has waited or worked the longest.
async fn waits_since(context: &Context, function: &str) -> Result<Option<Timestamp>, Failure> {
    let mut oldest: Option<Timestamp> = None;
    for state in [RunState::Waiting, RunState::Running] {
        let mut take = |run: RunRecord| {
            oldest = Some(oldest.map_or(run.seen_at, |oldest| oldest.min(run.seen_at)));
            true
        };
        context.newest_runs(function, Some(state), &mut take).await?;
    }
    Ok(oldest)
}

/// Cause and remedy.
fn failing(function: &str, first: &RunRecord, last: &RunRecord, count: usize) -> String {
    let began = first.settled_at.map_or_else(|| "now".to_owned(), moment);
    let mut text = format!("`{function}` fails since {began}, {} so far.\n\n{}\n", times(count), last.event.name());
    if let Some(failure) = &last.failure {
        text.push_str(&format!("  {}: {}\n", failure.code, failure.reason));
        let place = failure.place.to_string();
        for line in [(!place.is_empty()).then_some(place), failure.expected.clone(), failure.help.clone()] {
            text.push_str(&line.map_or_else(String::new, |line| format!("  {line}\n")));
        }
        text.push_str(&format!("\nWhat the code means: tidegate explain {}\n", failure.code));
    }
    text.push_str(&format!("All of it: tidegate failures --function {function}\nOnce it is mended: tidegate failures retry --function {function}\n"));
    text.push_str("\nThe next mail about this tells that it works again.\n");
    text
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn minutes(duration: SignedDuration) -> String {
    if duration.as_mins() == 1 { "1 minute".to_owned() } else { format!("{} minutes", duration.as_mins()) }
}

fn moment(at: Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M UTC").to_string()
}
