//! Kind `digest` (hop 6): by schedule, what came since the last time. To the vessels that wish one mail a day or a week,
//! their own data; to the operators, what was received, what was done, and what failed and why.
//!
//! What came is asked of the ledger, between the tick before that succeeded and this one: no run is told twice, and none
//! is left out because a day was missed. What a user must know is in `docs/functions/report.md`.

mod operator;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::Value;
use tidegate_engine::{Context, Function, Kind, Message, Outcome};
use tidegate_model::{
    self as model, Address, ErrorKind, Event, Failure, KindSpec, OptionSpec, OptionType, Pipeline, RunState, Targets,
    TriggerNeed,
};

use crate::report::letter::{self, Story};
use crate::report::readers::{self, Owner, Wish};
use crate::report::{self, Options, blocking, measured};

/// What `digest` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "digest",
    version: 1,
    summary: "one mail about all that came since the last: to vessels their data, to operators what was done",
    trigger: TriggerNeed::Schedule,
    tables: Targets::None,
    buckets: Targets::None,
    databases: Targets::None,
    mail: Targets::One,
    looks_back: false,
    options: &[
        OptionSpec {
            name: "to",
            takes: OptionType::OneOf(&["daily", "weekly", "operator"]),
            default: None,
            required: true,
            doc: "Who gets it: the vessels whose `Email Frequency` is `daily` or `weekly`, or the `operator` of `[mail]`.",
        },
        report::VESSELS,
        report::TIMEZONE,
    ],
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

/// The most bytes of attachments of one mail: many servers take no more than 20 MB, and Base64 makes a third of it.
const MOST: usize = 12 << 20;

struct Digest {
    to: To,
    options: Options,
}

enum To {
    Vessels(Wish),
    Operators(operator::Duty),
}

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let to = match function.options.get("to").and_then(Value::as_str) {
        Some("weekly") => To::Vessels(Wish::Weekly),
        Some("operator") => To::Operators(operator::Duty::of(pipeline)?),
        _ => To::Vessels(Wish::Daily),
    };
    let for_vessels = matches!(to, To::Vessels(_));
    if !function.grants.ledger {
        return Err(Failure::new("R0806", ErrorKind::Invalid, format!("`{}` may not ask what came", function.name))
            .expected(
                "`reads = [\"ledger\"]`, and for vessels the bucket of the deployments and the table of vessels",
            ));
    }
    if for_vessels && function.grants.read_buckets.is_empty() {
        return Err(Failure::new("R0806", ErrorKind::Invalid, format!("`{}` reads no bucket", function.name))
            .expected("the bucket of the deployments in `reads`"));
    }
    Ok(Box::new(Digest { to, options: Options::read(function, for_vessels)? }))
}

/// The time that a digest is about.
pub(super) struct Period {
    /// From this moment on.
    pub(super) from: Timestamp,
    /// Up to this one.
    pub(super) until: Timestamp,
}

#[async_trait]
impl Function for Digest {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let until = match context.event() {
            Event::Tick(tick) => tick.planned_at,
            Event::Created(_) => context.now(),
        };
        let usual = match self.to {
            To::Vessels(Wish::Weekly) => SignedDuration::from_hours(7 * 24),
            _ => SignedDuration::from_hours(24),
        };
        let from = match context.last_success().await? {
            Some(before) if before < until => before,
            _ => until.saturating_sub(usual).unwrap_or(Timestamp::MIN),
        };
        let period = Period { from, until };
        let note = match &self.to {
            To::Vessels(wish) => self.to_vessels(context, &period, *wish).await?,
            To::Operators(duty) => duty.tell(context, &period, &self.options.zone).await?,
        };
        Ok(Outcome { note: Some(note), ..Outcome::default() })
    }
}

/// The mail of one address about one vessel.
struct Bundle {
    address: Address,
    stories: Vec<Story>,
}

impl Digest {
    async fn to_vessels(&self, context: &Context, period: &Period, wish: Wish) -> Result<String, Failure> {
        let vessels = readers::read(context.table(&self.options.vessels)?.as_ref(), &self.options.vessels).await?;
        let today = context.now().to_zoned(self.options.zone.clone()).date();
        let mut bundles: BTreeMap<(String, String), Bundle> = BTreeMap::new();
        for (bucket, key) in deployments(context, period).await? {
            let Some(bytes) = get(context, &bucket, &key).await? else { continue };
            let vessels = vessels.clone();
            let zone = self.options.zone.clone();
            let told = blocking(move || {
                // What is no deployment is told by the function that works on each.
                let measured = measured::read(Cursor::new(bytes)).ok()?;
                let Owner::One(reader) = readers::owner(&vessels, &measured, today) else { return None };
                if reader.wish != wish {
                    return None;
                }
                let png = measured.picture(&reader.name, &zone).png(letter::SCALE);
                Some((reader, Story::new(&key, &measured, png)))
            })
            .await?;
            let Some((reader, story)) = told else { continue };
            for address in reader.addresses {
                let of = (address.email().to_lowercase(), reader.name.clone());
                let bundle = bundles.entry(of).or_insert_with(|| Bundle { address, stories: Vec::new() });
                bundle.stories.push(story.clone());
            }
        }
        let count = bundles.len();
        for ((_, vessel), bundle) in bundles {
            self.mail(context, vessel, bundle)?;
        }
        Ok(match count {
            0 => "no mail: nothing new for those who wish it so".to_owned(),
            1 => "1 mail".to_owned(),
            count => format!("{count} mails"),
        })
    }

    fn mail(&self, context: &Context, vessel: String, mut bundle: Bundle) -> Result<(), Failure> {
        bundle.stories.sort_by(|a, b| a.begins().total_cmp(&b.begins()));
        let (subject, mut text) = letter::words(&vessel, &bundle.stories, &self.options.zone);
        let mut attachments = Vec::new();
        let (mut room, mut left_out) = (MOST, 0);
        for story in &bundle.stories {
            match room.checked_sub(story.size()) {
                Some(rest) => {
                    room = rest;
                    attachments.extend(story.attachments());
                }
                None => left_out += 1,
            }
        }
        if left_out > 0 {
            text.push_str(&format!("\n{left_out} of them did not fit into this mail; ask your programme for them.\n"));
        }
        context.mail(Message { to: bundle.address, about: vessel, identity: None, subject, text, attachments })
    }
}

/// Deployments that some function took with success in this time, each once.
async fn deployments(context: &Context, period: &Period) -> Result<BTreeSet<(String, String)>, Failure> {
    let mut found = BTreeSet::new();
    let readable = &context.function().grants.read_buckets;
    context
        .settled_runs(period.from, period.until, &mut |run| {
            if let Event::Created(object) = run.event
                && run.state == RunState::Succeeded
                && readable.contains(&object.bucket)
                && object.key.ends_with(".nc")
            {
                found.insert((object.bucket, object.key));
            }
        })
        .await?;
    Ok(found)
}

/// The object's bytes; `None` if it is gone.
async fn get(context: &Context, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Failure> {
    let store = context.bucket(bucket)?;
    let Ok(path) = Path::parse(key) else { return Ok(None) };
    let read = async { store.get(&path).await?.bytes().await };
    match read.await {
        Ok(bytes) => Ok(Some(bytes.to_vec())),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(tidegate_stores::Error::from(error).into_failure("R0006")),
    }
}
