//! The mail to the operators: what was received, what was done, what failed and why. It comes also when nothing did, so
//! that its absence tells that something is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tidegate_engine::{Context, Message};
use tidegate_formats::csv;
use tidegate_formats::mail::Attachment;
use tidegate_model::{ErrorKind, Event, Failure, Pipeline, RunState};
use tidegate_stores::FailureRecord;

use super::Period;

/// Failures that stand in the words of the mail; all are in the table that comes with it.
const TOLD: usize = 20;
/// Failures that are read at most.
const MOST: u64 = 10_000;

/// What the operators are told of.
pub(super) struct Duty {
    pipeline: String,
    /// Buckets that objects come into from outside.
    sources: BTreeSet<String>,
}

#[derive(Default)]
struct Counts {
    received: BTreeSet<(String, String)>,
    /// Succeeded and failed runs of each function.
    functions: BTreeMap<String, (u64, u64)>,
    rejected: u64,
}

impl Duty {
    /// # Errors
    /// `R0807` if nobody is an operator.
    pub(super) fn of(pipeline: &Pipeline) -> Result<Self, Failure> {
        if pipeline.mail.as_ref().is_none_or(|mail| mail.operator.is_empty()) {
            return Err(Failure::new("R0807", ErrorKind::Invalid, "nobody gets the mail to the operators")
                .expected("`operator` in `[mail]`, one address or several"));
        }
        let written: BTreeSet<&String> =
            pipeline.functions.iter().flat_map(|function| &function.grants.write_buckets).collect();
        let sources = pipeline.watched_buckets().into_iter().map(str::to_owned);
        let sources = sources.filter(|bucket| !written.contains(bucket)).collect();
        Ok(Self { pipeline: pipeline.name.clone(), sources })
    }

    /// Writes the mail to each operator.
    pub(super) async fn tell(&self, context: &Context, period: &Period, zone: &TimeZone) -> Result<String, Failure> {
        let mut counts = Counts::default();
        context
            .settled_runs(period.from, period.until, &mut |run| {
                if let Event::Created(object) = run.event
                    && self.sources.contains(&object.bucket)
                {
                    counts.received.insert((object.bucket, object.key));
                }
                let of_function = counts.functions.entry(run.function).or_default();
                match run.state {
                    RunState::Succeeded => of_function.0 += 1,
                    RunState::Failed => of_function.1 += 1,
                    _ => {}
                }
                counts.rejected += run.rejected;
            })
            .await?;
        let mut failures = context.failures_since(period.from, MOST).await?;
        failures.retain(|failure| failure.at < period.until);
        failures.reverse();
        for failure in failures.iter().filter(|failure| failure.function.is_none()) {
            counts.received.extend(failure.event.object().map(|object| (object.bucket.clone(), object.key.clone())));
        }
        let (subject, text) = self.words(&counts, &failures, period, zone);
        let attachments = if failures.is_empty() { Vec::new() } else { vec![table(&failures)] };
        for address in context.operators() {
            context.mail(Message {
                to: address.clone(),
                about: "operator".to_owned(),
                identity: None,
                subject: subject.clone(),
                text: text.clone(),
                attachments: attachments.clone(),
            })?;
        }
        Ok(format!("{} received, {} failed", counts.received.len(), failures.len()))
    }

    fn words(&self, counts: &Counts, failures: &[FailureRecord], period: &Period, zone: &TimeZone) -> (String, String) {
        let (received, failed) = (counts.received.len(), failures.len());
        let when = |moment: Timestamp| moment.to_zoned(zone.clone()).strftime("%-d %B %Y, %H:%M").to_string();
        let subject = match failed {
            0 => format!("{}: {received} received, all well", self.pipeline),
            _ => format!("{}: {received} received, {failed} failed", self.pipeline),
        };
        let zone = zone.iana_name().unwrap_or("UTC");
        let mut text = format!("From {} to {} ({zone}):\n\n", when(period.from), when(period.until));
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "received: {received}");
        for (function, (succeeded, failed)) in &counts.functions {
            let _ = writeln!(text, "{function}: {succeeded} processed, {failed} failed");
        }
        if counts.rejected > 0 {
            let _ = writeln!(text, "rows or parts that were refused: {}", counts.rejected);
        }
        if failures.is_empty() {
            text.push_str("\nNothing failed.\n");
            return (subject, text);
        }
        text.push_str("\nWhat failed, and why:\n");
        for record in failures.iter().take(TOLD) {
            let who = record.function.as_deref().unwrap_or("no function takes it");
            let _ = writeln!(
                text,
                "\n{} ({who})\n  {}: {}",
                record.event.name(),
                record.failure.code,
                record.failure.reason
            );
            if let Some(help) = &record.failure.help {
                let _ = writeln!(text, "  {help}");
            }
        }
        if failed > TOLD {
            let _ = writeln!(text, "\n… and {} more.", failed - TOLD);
        }
        text.push_str("\nThe table has all of them; `tidegate failures` shows them with what to do.\n");
        (subject, text)
    }
}

/// All failures as CSV.
fn table(failures: &[FailureRecord]) -> Attachment {
    let mut bytes = Vec::new();
    let mut writer = csv::Writer::new(&mut bytes);
    // Writing to memory cannot fail.
    let _ = writer.write(["at", "object", "function", "code", "reason", "place"].map(Some));
    for record in failures {
        let (at, place) = (record.at.to_string(), record.failure.place.to_string());
        let _ = writer.write([
            Some(at.as_str()),
            Some(&record.event.name()),
            record.function.as_deref(),
            Some(&record.failure.code),
            Some(&record.failure.reason),
            Some(&place),
        ]);
    }
    let _ = writer.finish();
    Attachment { name: "failures.csv".to_owned(), media_type: "text/csv", bytes }
}
