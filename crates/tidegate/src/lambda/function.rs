//! Hops 4 to 8 in Lambda: a message is a run; its turn is taken, and then it is worked on as everywhere.

use std::time::Duration;

use tidegate_aws::lambda::{Invocation, Record};
use tidegate_aws::{Message, Received, RunMessage};
use tidegate_model::{ErrorKind, Failure};
use tidegate_stores::Result;
use tokio_util::sync::CancellationToken;

use super::{HOLD, Opened, TO_SETTLE, until};

/// Less time than this is not enough to send mails.
const TO_MAIL: Duration = Duration::from_secs(5);

/// Works on the runs of a call; the ids of the messages that must come again.
pub(super) async fn work(opened: &Opened, function: &str, at_most: usize, invocation: Invocation) -> Vec<String> {
    let mut again = Vec::new();
    for record in invocation.records {
        let is_done = match work_on(opened, function, at_most, &record, invocation.deadline).await {
            Ok(is_done) => is_done,
            Err(error) => {
                tracing::warn!(%error, sqs_message = record.message_id, "a run could not be worked on, and comes again");
                false
            }
        };
        if !is_done {
            again.push(record.message_id);
        }
    }
    again
}

/// Works on one run; true if its message may go.
async fn work_on(
    opened: &Opened,
    function: &str,
    at_most: usize,
    record: &Record,
    deadline: jiff::Timestamp,
) -> Result<bool> {
    let message = match read(&record.body, function) {
        Ok(message) => message,
        Err(failure) => {
            opened.wired.engine.note_unreadable(function, &record.message_id, failure).await?;
            return Ok(true);
        }
    };
    let run = message.run;
    let received = Received { message, receipt: record.receipt_handle.clone(), receives: record.receives() };
    let Some(lease) = opened.queue.adopt(received, at_most, opened.wired.worker(), HOLD).await? else {
        tracing::info!(%run, "its turn has not come");
        return Ok(false);
    };
    let worked = opened.wired.engine.work_on(lease.clone(), HOLD, until(deadline).saturating_sub(TO_SETTLE)).await;
    // After an error it is still held.
    opened.queue.abandon(&lease).await;
    worked?;
    if !opened.queue.is_done(run) {
        return Ok(false);
    }
    send_mails(opened, function, record, deadline).await
}

fn read(body: &str, function: &str) -> Result<RunMessage, Failure> {
    match Message::parse(body)? {
        Message::Run(message) if message.function == function => Ok(message),
        _ => Err(Failure::new("R0015", ErrorKind::Invalid, format!("a message is no run of function `{function}`"))
            .help("see what else sends to the queues of this pipeline")),
    }
}

/// Sends what waits in the outbox. The message of the run that wrote a mail stays until no mail waits: it is what comes again when
/// a mail is to be tried again.
async fn send_mails(opened: &Opened, function: &str, record: &Record, deadline: jiff::Timestamp) -> Result<bool> {
    let engine = &opened.wired.engine;
    let mails = engine.pipeline().function(function).is_some_and(|function| function.grants.mail);
    let Some(outbox) = opened.wired.outbox.as_ref().filter(|_| mails) else { return Ok(true) };
    let left = until(deadline).saturating_sub(TO_SETTLE);
    if left > TO_MAIL {
        // No heartbeat keeps it any more.
        opened.queue.hide(function, &record.receipt_handle, until(deadline)).await?;
        let stop = CancellationToken::new();
        let end = async {
            tokio::time::sleep(left).await;
            stop.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            sent = engine.drain_mails(&stop) => sent?,
            () = end => {}
        }
    }
    let Some(due) = outbox.next_due().await? else { return Ok(true) };
    let wait = until(due).max(Duration::from_secs(1));
    tracing::info!(%due, "mails wait");
    opened.queue.hide(function, &record.receipt_handle, wait).await?;
    Ok(false)
}
