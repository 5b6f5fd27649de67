//! `tidegate backfill FUNCTION`: makes a function work on objects that are there already. It only queues: the work is
//! done by `tidegate run`.

use std::time::Duration;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use jiff::Timestamp;
use object_store::ObjectStoreExt;
use serde_json::json;
use tidegate_engine::{Backfill, Backfilled};
use tidegate_model::{ErrorKind, Key, ObjectVersion, Trigger};
use tidegate_stores::{Error, EventSource, Page, Result as StoreResult, bucket};
use tokio::time::Instant;

use crate::exit::{Exit, Stop};
use crate::moment;
use crate::output::{counted, grouped};
use crate::project::{Here, Project};
use crate::wiring::{self, Wired};

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The function.
    function: String,
    /// Only objects whose keys begin with this.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Only objects that were changed since then: `2h`, `2024-07-01`.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only objects that the function worked on under older rules.
    #[arg(long)]
    stale: bool,
    /// Also what is done under the present rules: once more, because a table that the function reads has changed.
    #[arg(long)]
    again: bool,
    /// Count, but queue nothing.
    #[arg(long)]
    dry_run: bool,
    /// At most so many objects a second.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
}

/// Most objects queued at a time.
const BATCH: usize = 500;

/// Objects of the stale list read at a time.
const PAGE: u64 = 1000;

/// Queues them.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let project = Project::open(here)?;
    let bucket = bucket_of(&project, &args.function)?;
    let since = args.since.as_deref();
    let since = since.map(|text| moment::since(text, Timestamp::now(), here.printer.time_zone())).transpose()?;
    let sums = wiring::ask(async {
        let wired = Wired::build(&project, None).await?;
        let bar = Bar::new(here);
        if bar.is_shown() && !args.dry_run {
            // On a terminal it is worth a listing to know how long it will take.
            let mut objects = chosen(&wired, &bucket, args, since)?;
            let mut total = 0;
            while let Some(object) = objects.next().await {
                object?;
                total += 1;
                bar.counting(total);
            }
            bar.begin(total);
        }
        let objects = chosen(&wired, &bucket, args, since)?;
        let sums = admit(&wired, args, objects, &bar).await?;
        bar.end();
        Ok::<_, Stop>(sums)
    })??;
    tell(here, args, sums, project.aws.is_some())?;
    Ok(Exit::Done)
}

/// The bucket whose objects start the function.
fn bucket_of(project: &Project, name: &str) -> Result<String, Stop> {
    let names =
        || wiring::one_of(&project.pipeline.functions.iter().map(|function| function.name.clone()).collect::<Vec<_>>());
    let function = project.pipeline.function(name).ok_or_else(|| {
        Stop::new(ErrorKind::NotFound, format!("there is no function `{name}` in this pipeline")).expected(names())
    })?;
    match &function.trigger {
        Trigger::Created { bucket, .. } => Ok(bucket.clone()),
        Trigger::Every(_) | Trigger::Cron(_) => {
            Err(Stop::wrong(format!("function `{name}` is started by a schedule, so there are no objects for it"))
                .expected("a function with `on = { created = … }`"))
        }
    }
}

type Objects<'w> = BoxStream<'w, StoreResult<ObjectVersion>>;

/// The objects that the options choose.
fn chosen<'w>(wired: &'w Wired, bucket: &str, args: &'w Args, since: Option<Timestamp>) -> Result<Objects<'w>, Stop> {
    let open = wired.buckets.get(bucket).ok_or_else(|| Stop::new(ErrorKind::Bug, "a checked bucket is not open"))?;
    let all = if args.stale {
        stale(wired, &args.function)
            .try_filter(|object| std::future::ready(object.key.starts_with(&args.prefix)))
            .boxed()
    } else {
        let source = wired.once(bucket, &args.prefix);
        listed(source.ok_or_else(|| Stop::new(ErrorKind::Bug, "a checked bucket has no source"))?)
    };
    let Some(since) = since else { return Ok(all) };
    let changed = all.try_filter_map(move |object| async move {
        let Ok(key) = Key::new(&object.key) else { return Ok(None) };
        match open.store.head(&bucket::location(&key)).await {
            Ok(meta) => Ok((meta.last_modified.timestamp_micros() >= since.as_microsecond()).then_some(object)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::from(error)),
        }
    });
    Ok(changed.boxed())
}

/// Everything that a source reports before it has caught up.
fn listed(source: Box<dyn EventSource>) -> Objects<'static> {
    let pages = futures::stream::try_unfold(source, async |mut source| {
        let sightings = source.next().await?;
        let objects = sightings.into_iter().map(|sighting| Ok(sighting.object));
        Ok::<_, Error>(if objects.len() == 0 { None } else { Some((futures::stream::iter(objects), source)) })
    });
    pages.try_flatten().boxed()
}

/// Objects on which the function worked under other rules. They are read before any is queued: queueing them takes them
/// off the list.
fn stale<'w>(wired: &'w Wired, function: &'w str) -> Objects<'w> {
    let all = async move {
        let mut found = Vec::new();
        loop {
            let page = Page { offset: found.len() as u64, limit: PAGE };
            let objects = wired.engine.stale_objects(function, page).await?;
            if objects.is_empty() {
                return Ok::<_, Error>(futures::stream::iter(found.into_iter().map(Ok)));
            }
            found.extend(objects);
        }
    };
    futures::stream::once(all).try_flatten().boxed()
}

async fn admit(wired: &Wired, args: &Args, objects: Objects<'_>, bar: &Bar) -> Result<Backfilled, Stop> {
    let batch = args.rate.map_or(BATCH, |rate| BATCH.min(rate as usize));
    let how = Backfill { dry_run: args.dry_run, again: args.again };
    let mut sums = Backfilled::default();
    let mut batches = objects.try_chunks(batch);
    let began = Instant::now();
    while let Some(objects) = batches.next().await {
        let objects = objects.map_err(|error| error.1)?;
        let objects = futures::stream::iter(objects.into_iter().map(Ok)).boxed();
        let done = wired.engine.backfill(&args.function, objects, how, async |_| {}).await?;
        sums = Backfilled {
            seen: sums.seen + done.seen,
            admitted: sums.admitted + done.admitted,
            done_before: sums.done_before + done.done_before,
            not_wanted: sums.not_wanted + done.not_wanted,
        };
        bar.at(sums.seen);
        if let Some(rate) = args.rate {
            #[expect(clippy::cast_precision_loss, reason = "a pace need not be exact")]
            let due = Duration::from_secs_f64(sums.seen as f64 / f64::from(rate));
            tokio::time::sleep_until(began + due).await;
        }
    }
    Ok(sums)
}

fn tell(here: &Here, args: &Args, sums: Backfilled, is_on_aws: bool) -> Result<(), Stop> {
    if here.printer.json {
        return here.printer.document(&json!({
            "dry_run": args.dry_run,
            "objects": sums.seen,
            "queued": sums.admitted,
            "done_before": sums.done_before,
            "not_wanted": sums.not_wanted,
        }));
    }
    let queued = match (args.dry_run, sums.admitted) {
        (true, count) => format!("{} would be queued", grouped(count)),
        (false, count) => format!("{} queued", grouped(count)),
    };
    here.printer.line(&format!(
        "{}: {queued}, {} done before, {} not wanted by `{}`",
        counted(sums.seen, "object"),
        grouped(sums.done_before),
        grouped(sums.not_wanted),
        args.function
    ))?;
    if sums.admitted > 0 && !args.dry_run && is_on_aws {
        here.printer.remark(
            "the functions on AWS work on them; `tidegate status` in the same environment says how far they are",
        );
    } else if sums.admitted > 0 && !args.dry_run {
        here.printer.hint("tidegate run --once (a `tidegate run` that is under way takes them by itself)");
    } else if sums.done_before > 0 && sums.admitted == 0 {
        here.printer.remark("what is done under the present rules is not done again without `--again`");
    }
    Ok(())
}

/// A progress bar on a terminal, nothing in a pipe.
struct Bar(ProgressBar);

impl Bar {
    fn new(here: &Here) -> Self {
        let wanted = !(here.printer.json || here.printer.quiet);
        let bar = ProgressBar::with_draw_target(
            None,
            if wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
        );
        bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("a template of ours"));
        Self(bar)
    }

    fn is_shown(&self) -> bool {
        !self.0.is_hidden()
    }

    fn counting(&self, total: u64) {
        if total.is_multiple_of(1000) {
            self.0.set_message(format!("listing: {}", grouped(total)));
            self.0.tick();
        }
    }

    fn begin(&self, total: u64) {
        let template = "{bar:24} {human_pos}/{human_len} objects, {rate}/s, {eta} left";
        let rate = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            // What cannot be drawn is left out.
            let _ = write!(text, "{:.0}", state.per_sec());
        };
        let style = ProgressStyle::with_template(template).expect("a template of ours").with_key("rate", rate);
        self.0.set_style(style);
        self.0.set_length(total);
        self.0.reset();
    }

    fn at(&self, seen: u64) {
        self.0.set_position(seen);
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}
