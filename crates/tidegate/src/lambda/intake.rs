//! Hops 1 to 3 in Lambda: events, ticks and listings become runs in the queues of their functions; what a queue gave up becomes a
//! failure in the log.

use std::time::Duration;

use tidegate_aws::lambda::{Invocation, Record};
use tidegate_aws::{Message, ReconcileMessage, RunMessage, S3Object, later, versions_of};
use tidegate_engine::{Intake, Resolved};
use tidegate_model::{ErrorKind, Failure, ObjectVersion};
use tidegate_stores::{Error, Item, Result};

use super::{INTAKE, Opened, until};

/// A listing stops so long before its call must end.
const TO_END: Duration = Duration::from_secs(20);

/// Takes the messages of a call in; the ids of those that must come again.
pub(super) async fn take_in(opened: &Opened, invocation: Invocation) -> Vec<String> {
    let (mut again, mut told) = (Vec::new(), Vec::new());
    for record in &invocation.records {
        let taken = match Message::parse(&record.body) {
            Ok(Message::Objects(objects)) => {
                told.push((record, objects));
                continue;
            }
            Ok(Message::Tick(tick)) => opened.wired.engine.admit_tick(&tick.function, tick.planned).await.map(drop),
            Ok(Message::Reconcile(listing)) => reconcile(opened, listing, invocation.deadline).await,
            Ok(Message::Run(message)) => give_up(opened, message, record).await,
            Err(failure) => unreadable(opened, record, failure).await,
        };
        note(&mut again, record, taken);
    }
    again.extend(take_objects(opened, told).await);
    again
}

fn note(again: &mut Vec<String>, record: &Record, taken: Result<()>) {
    if let Err(error) = taken {
        tracing::warn!(%error, sqs_message = record.message_id, "could not be taken in, and comes again");
        again.push(record.message_id.clone());
    }
}

/// Takes in all objects at once, and if that cannot be, message by message.
async fn take_objects(opened: &Opened, told: Vec<(&Record, Vec<S3Object>)>) -> Vec<String> {
    let mut again = Vec::new();
    let all = told.iter().flat_map(|(_, objects)| objects.clone()).collect();
    if told.is_empty() || admit(opened, all).await.is_ok() {
        return again;
    }
    for (record, objects) in told {
        let taken = admit(opened, objects).await;
        note(&mut again, record, taken);
    }
    again
}

/// Admits what S3 told of, earlier versions of a key before later ones.
async fn admit(opened: &Opened, mut objects: Vec<S3Object>) -> Result<()> {
    let engine = &opened.wired.engine;
    objects.sort_by(|one, other| later(one.sequencer.as_deref(), other.sequencer.as_deref()));
    let (mut versions, mut strangers) = (Vec::new(), 0_u64);
    for object in &objects {
        let found = versions_of(engine.pipeline(), object);
        strangers += u64::from(found.is_empty());
        versions.extend(found);
    }
    let found = engine.admit(versions).await?;
    tell(found, strangers);
    Ok(())
}

fn tell(found: Intake, strangers: u64) {
    let Intake { admitted, known, unchanged, unrouted, passed_over } = found;
    tracing::info!(admitted, known, unchanged, unrouted, passed_over, strangers, "objects");
    for _ in 0..unrouted {
        tracing::warn!(settled = "unrouted", "an object that no function takes: `tidegate failures` says why");
    }
}

/// Lists the watched buckets for what notifications have missed, and enqueues what was admitted and perhaps not enqueued.
async fn reconcile(opened: &Opened, listing: ReconcileMessage, deadline: jiff::Timestamp) -> Result<()> {
    let wired = &opened.wired;
    let recovered = wired.engine.recover().await?;
    tracing::info!(recovered, planned = %listing.planned, "a listing begins");
    let mut total = Intake::default();
    for bucket in wired.engine.pipeline().watched_buckets() {
        let mut source = wired
            .once(bucket, "")
            .ok_or_else(|| Error::new(ErrorKind::Bug, format!("bucket `{bucket}` has no source")))?;
        loop {
            let sightings = source.next().await?;
            if sightings.is_empty() {
                break;
            }
            if until(deadline) < TO_END {
                tracing::warn!(bucket, "the listing was not finished in time");
                tell(total, 0);
                return Ok(());
            }
            let objects: Vec<ObjectVersion> = sightings.into_iter().map(|sighting| sighting.object).collect();
            total += wired.engine.admit(objects).await?;
        }
    }
    tell(total, 0);
    Ok(())
}

/// A run that its queue gave up.
async fn give_up(opened: &Opened, message: RunMessage, record: &Record) -> Result<()> {
    let RunMessage { run, function, group } = message;
    let item = Item { run, function: function.clone(), group, due: record.sent_at() };
    match opened.wired.engine.take_dead_letter(item, record.sent_at()).await? {
        Resolved::Nothing => tracing::info!(%run, function, "a dead letter of a run that is settled"),
        Resolved::Enqueued => tracing::warn!(%run, function, "had waited for its turn too long, and waits again"),
        // The observer has told of it.
        Resolved::Failed => {}
    }
    Ok(())
}

async fn unreadable(opened: &Opened, record: &Record, failure: Failure) -> Result<()> {
    tracing::warn!(settled = "unrouted", sqs_message = record.message_id, %failure, "a message that cannot be read");
    opened.wired.engine.note_unreadable(INTAKE, &record.message_id, failure).await
}
