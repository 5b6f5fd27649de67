//! Hops 1 to 3 on AWS: events, ticks and listings become runs in the queues of their functions; what a queue gave up becomes a
//! failure in the log. Lambda hands the messages over; `tidegate run` on a machine takes from the same queues.

use std::cmp::Ordering;
use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
use tidegate_aws::lambda::{Invocation, Record};
use tidegate_aws::{
    IntakeQueue, Listed, Message, ReconcileMessage, RunMessage, S3Object, SqsQueue, later, versions_of,
};
use tidegate_engine::{Intake, Resolved};
use tidegate_model::{ErrorKind, Failure, ObjectVersion};
use tidegate_stores::{Error, Item, Queue, Result};
use tokio_util::sync::CancellationToken;

use super::{HOLD, INTAKE, until};
use crate::wiring::Wired;

/// A listing stops so long before its call must end.
const TO_END: Duration = Duration::from_secs(20);

/// How long a machine may take for the messages that it took at once.
const ON_A_MACHINE: Duration = Duration::from_secs(120);
/// A message that could not be taken in comes again after so long, and then after so much longer each time, up to ten minutes.
const AGAIN: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(600));
/// How long a queue that does not answer is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// Where messages are taken in.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    pub(crate) wired: &'a Wired,
    pub(crate) queue: &'a SqsQueue,
    /// What is sent to whoever takes messages in goes there.
    pub(crate) intake: &'a IntakeQueue,
}

/// Takes in what comes to a queue, on a machine, until `stop`.
pub(crate) async fn keep_taking(desk: Desk<'_>, from: &IntakeQueue, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let received = tokio::select! {
            received = from.receive(HOLD) => received,
            () = stop.cancelled() => return,
        };
        let taken = match received {
            Ok(records) => take(desk, from, records).await,
            Err(error) => Err(error),
        };
        if let Err(error) = taken {
            tracing::warn!(%error, "the intake queue does not answer just now");
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

async fn take(desk: Desk<'_>, from: &IntakeQueue, records: Vec<Record>) -> Result<()> {
    let deadline = Timestamp::now().checked_add(ON_A_MACHINE).unwrap_or(Timestamp::MAX);
    let invocation = Invocation { records: records.clone(), deadline, trace: None };
    let again = take_call(desk, from, invocation).await;
    let done: Vec<&Record> = records.iter().filter(|record| !again.contains(&record.message_id)).collect();
    from.delete(&done).await
}

/// Takes the messages of a call in, which are of the queue `from`; the ids of those that must come again. Heartbeats hold them: what a
/// call that is killed leaves behind is soon another's.
pub(super) async fn take_call(desk: Desk<'_>, from: &IntakeQueue, invocation: Invocation) -> Vec<String> {
    let records = invocation.records.clone();
    let all: Vec<&Record> = records.iter().collect();
    let again: Vec<String> = tokio::select! {
        again = take_in(desk, invocation) => again,
        never = keep(from, &all) => match never {},
    };
    for record in all.into_iter().filter(|record| again.contains(&record.message_id)) {
        let wait = AGAIN.0.saturating_mul(record.receives()).min(AGAIN.1);
        if let Err(error) = from.hide(&[record], wait).await {
            tracing::warn!(%error, sqs_message = record.message_id, "comes again sooner than it should");
        }
    }
    again
}

/// The heartbeat.
async fn keep(from: &IntakeQueue, held: &[&Record]) -> Infallible {
    loop {
        if let Err(error) = from.hide(held, HOLD).await {
            tracing::warn!(%error, "the heartbeat failed");
        }
        tokio::time::sleep(HOLD / 3).await;
    }
}

/// Takes messages in; the ids of those that must come again.
async fn take_in(desk: Desk<'_>, invocation: Invocation) -> Vec<String> {
    let (mut again, mut told) = (Vec::new(), Vec::new());
    for record in &invocation.records {
        let taken = match Message::parse(&record.body) {
            Ok(Message::Objects(objects)) => {
                told.push((record, objects));
                continue;
            }
            Ok(Message::Tick(tick)) => desk.wired.engine.admit_tick(&tick.function, tick.planned).await.map(drop),
            Ok(Message::Reconcile(listing)) => reconcile(desk, listing, invocation.deadline).await,
            Ok(Message::Run(message)) => give_up(desk, message, record).await,
            Err(failure) => unreadable(desk, record, failure).await,
        };
        note(&mut again, record, taken);
    }
    again.extend(take_objects(desk, told).await);
    again
}

fn note(again: &mut Vec<String>, record: &Record, taken: Result<()>) {
    if let Err(error) = taken {
        tracing::warn!(%error, sqs_message = record.message_id, "could not be taken in, and comes again");
        again.push(record.message_id.clone());
    }
}

/// Takes in all objects at once, and if that cannot be, message by message.
async fn take_objects(desk: Desk<'_>, told: Vec<(&Record, Vec<S3Object>)>) -> Vec<String> {
    let mut again = Vec::new();
    let all = told.iter().flat_map(|(_, objects)| objects.clone()).collect();
    if told.is_empty() || admit(desk, all).await.is_ok() {
        return again;
    }
    for (record, objects) in told {
        let taken = admit(desk, objects).await;
        note(&mut again, record, taken);
    }
    again
}

/// Admits what S3 told of, earlier versions of a key before later ones.
async fn admit(desk: Desk<'_>, mut objects: Vec<S3Object>) -> Result<()> {
    let engine = &desk.wired.engine;
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

/// Lists the watched buckets for what notifications have missed, and enqueues what was admitted and perhaps not enqueued. When the time
/// of the call is up, the rest is left to another call.
async fn reconcile(desk: Desk<'_>, listing: ReconcileMessage, deadline: Timestamp) -> Result<()> {
    let wired = desk.wired;
    if listing.after.is_none() {
        let recovered = wired.engine.recover().await?;
        tracing::info!(recovered, planned = %listing.planned, "a listing begins");
    }
    let mut total = Intake::default();
    for bucket in wired.engine.pipeline().watched_buckets() {
        let after = listing.after.as_ref();
        let source = match after.map(|after| (after.bucket.as_str().cmp(bucket), after)) {
            Some((Ordering::Greater, _)) => continue,
            Some((Ordering::Equal, after)) => wired.rest(bucket, &after.key),
            Some((Ordering::Less, _)) | None => wired.once(bucket, ""),
        };
        let mut source =
            source.ok_or_else(|| Error::new(ErrorKind::Bug, format!("bucket `{bucket}` has no source")))?;
        loop {
            let objects: Vec<ObjectVersion> =
                source.next().await?.into_iter().map(|sighting| sighting.object).collect();
            let Some(last) = objects.last().map(|object| object.key.clone()) else { break };
            total += wired.engine.admit(objects).await?;
            if until(deadline) < TO_END {
                let after = Some(Listed { bucket: bucket.to_owned(), key: last });
                tracing::info!(bucket, "the listing goes on in another call");
                tell(total, 0);
                return desk.intake.send(&ReconcileMessage { after, ..listing }).await;
            }
        }
    }
    tell(total, 0);
    Ok(())
}

/// A run that its queue gave up.
async fn give_up(desk: Desk<'_>, message: RunMessage, record: &Record) -> Result<()> {
    let RunMessage { run, function, group } = message;
    let waits = desk.queue.must_wait(&function, &group).await?;
    let item = Item { run, function: function.clone(), group, due: record.sent_at() };
    if waits {
        tracing::warn!(%run, function, "had waited for its turn too long, and waits again");
        return desk.queue.enqueue(vec![item]).await;
    }
    match desk.wired.engine.take_dead_letter(item, record.sent_at()).await? {
        Resolved::Nothing => tracing::info!(%run, function, "a dead letter of a run that is settled"),
        Resolved::Enqueued => tracing::warn!(%run, function, "had waited for its turn too long, and waits again"),
        // The observer has told of it.
        Resolved::Failed => {}
    }
    Ok(())
}

async fn unreadable(desk: Desk<'_>, record: &Record, failure: Failure) -> Result<()> {
    tracing::warn!(settled = "unrouted", sqs_message = record.message_id, %failure, "a message that cannot be read");
    desk.wired.engine.note_unreadable(INTAKE, &record.message_id, failure).await
}
