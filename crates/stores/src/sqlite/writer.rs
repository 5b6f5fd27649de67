//! Group commit: one thread owns the writing connection, and everything that is asked while it writes goes into the next
//! commit; a second thread flushes the log meanwhile, and answers whom a flush was for. So many callers share a flush of the
//! disk, and nobody writes in its shadow.
//!
//! Look-ups of a few rows are answered here too, between two commits: the cache of this connection is warm, while that
//! of any other is thrown away by each commit. What they find is flushed before it is told.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use rusqlite::Connection;
use tidegate_model::ErrorKind;
use tokio::sync::oneshot;

use crate::wal::Wal;
use crate::{Error, Result};

/// Most requests that share a transaction: bounds how long the first of them waits.
const GROUP: usize = 1024;

/// Handle of the writing thread; the thread ends when the last handle goes.
#[derive(Clone)]
pub(super) struct Writer {
    requests: mpsc::Sender<Box<dyn Request>>,
}

/// Something to be done on the connection: a write, within a transaction that others may share, or a look-up, outside.
trait Request: Send {
    /// True for a write.
    fn writes(&self) -> bool;
    /// Does it; may be called again after a rollback. False if it failed.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Tells the caller; `Some` if the commit failed.
    fn answer(self: Box<Self>, commit_error: Option<Error>);
}

struct Job<T, F> {
    writes: bool,
    work: F,
    result: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnMut(&Connection) -> Result<T> + Send> Request for Job<T, F> {
    fn writes(&self) -> bool {
        self.writes
    }

    fn run(&mut self, connection: &Connection) -> bool {
        let result = (self.work)(connection);
        let done = result.is_ok();
        self.result = Some(result);
        done
    }

    fn answer(self: Box<Self>, commit_error: Option<Error>) {
        let result = match commit_error {
            Some(error) => Err(error),
            None => self.result.unwrap_or_else(|| Err(Error::new(ErrorKind::Bug, "a request was never run"))),
        };
        // A caller that no longer waits does not want to know.
        let _ = self.caller.send(result);
    }
}

impl Writer {
    /// Starts the threads on `connection`.
    pub(super) fn start(connection: Connection) -> Result<Self> {
        let wal = Wal::of(&connection)?;
        Self::start_with(connection, wal)
    }

    fn start_with(connection: Connection, wal: Option<Wal>) -> Result<Self> {
        let (requests, inbox) = mpsc::channel::<Box<dyn Request>>();
        let answers = wal.map_or(Ok(Answers::AtOnce), Answers::behind)?;
        start("state-writer", move || serve(&connection, &inbox, &answers))?;
        Ok(Self { requests })
    }

    /// Runs `work` in a transaction. Once this completes with `Ok`, what it wrote survives a power cut.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T> + Send + 'static,
    {
        self.request(true, work).await
    }

    /// Runs `work`, which reads what is committed and takes no time worth speaking of.
    pub(super) async fn look_up<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T> + Send + 'static,
    {
        self.request(false, work).await
    }

    async fn request<T, F>(&self, writes: bool, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let stopped = || Error::new(ErrorKind::Unavailable, "the state database is closed");
        self.requests.send(Box::new(Job { writes, work, result: None, caller })).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(work);
    started.map(drop).map_err(|error| {
        Error::caused(ErrorKind::Unavailable, "a thread of the state database could not be started", error)
    })
}

/// Requests whose work is done.
type Done = Vec<Box<dyn Request>>;

/// When callers are told.
enum Answers {
    /// In memory there is nothing to wait for.
    AtOnce,
    /// Once everything that was committed before is on the disk.
    Flushed {
        done: mpsc::SyncSender<Done>,
        /// What was handed over and is not flushed yet.
        waiting: Arc<AtomicUsize>,
    },
}

impl Answers {
    /// Starts the thread that flushes and answers.
    fn behind(wal: Wal) -> Result<Self> {
        // Room for one: while that waits for the flush under way, what comes later gathers into one commit.
        let (done, handed_over) = mpsc::sync_channel::<Done>(1);
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&waiting);
        start("state-flusher", move || {
            while let Ok(first) = handed_over.recv() {
                let all: Vec<Done> = iter::once(first).chain(handed_over.try_iter()).collect();
                let flushed = wal.flush();
                counted.fetch_sub(all.len(), Ordering::SeqCst);
                answer_all(all.into_iter().flatten(), flushed.err());
            }
        })?;
        Ok(Self::Flushed { done, waiting })
    }

    /// Tells those who wrote, once that is flushed.
    fn committed(&self, requests: Done) {
        match self {
            Self::AtOnce => answer_all(requests.into_iter(), None),
            Self::Flushed { done, waiting } => {
                waiting.fetch_add(1, Ordering::SeqCst);
                // It is received as long as this exists.
                let _ = done.send(requests);
            }
        }
    }

    /// Tells those who have looked something up; not before what they saw is flushed.
    fn found(&self, requests: Done) {
        match self {
            Self::Flushed { waiting, .. } if waiting.load(Ordering::SeqCst) > 0 => self.committed(requests),
            _ => answer_all(requests.into_iter(), None),
        }
    }
}

fn serve(connection: &Connection, inbox: &mpsc::Receiver<Box<dyn Request>>, answers: &Answers) {
    while let Ok(first) = inbox.recv() {
        let asked = iter::once(first).chain(inbox.try_iter()).take(GROUP);
        let (group, look_ups) = asked.partition::<Vec<_>, _>(|request| request.writes());
        look_up(connection, look_ups, answers);
        if !group.is_empty() {
            commit(connection, group, inbox, answers);
        }
    }
}

/// Answers all of them from one snapshot, which costs the locks of one.
fn look_up(connection: &Connection, mut look_ups: Done, answers: &Answers) {
    if look_ups.is_empty() {
        return;
    }
    let began = control(connection, "BEGIN");
    for request in &mut look_ups {
        request.run(connection);
    }
    // Without the snapshot each look-up was a transaction of its own, or has told its error.
    if began.is_ok() {
        let _ = control(connection, "COMMIT");
    }
    answers.found(look_ups);
}

/// `BEGIN`, `COMMIT` or `ROLLBACK`, compiled once.
fn control(connection: &Connection, statement: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}

/// Runs the group, and what is asked meanwhile, in one transaction.
fn commit(
    connection: &Connection,
    mut group: Vec<Box<dyn Request>>,
    inbox: &mpsc::Receiver<Box<dyn Request>>,
    answers: &Answers,
) {
    if let Err(error) = control(connection, "BEGIN IMMEDIATE") {
        return answer_all(group.into_iter(), Some(error.into()));
    }
    let mut all_done = group.iter_mut().all(|request| request.run(connection));
    let mut look_ups = Vec::new();
    while all_done && group.len() + look_ups.len() < GROUP {
        let Ok(mut next) = inbox.try_recv() else { break };
        if next.writes() {
            all_done = next.run(connection);
            group.push(next);
        } else {
            look_ups.push(next);
        }
    }
    if all_done {
        match control(connection, "COMMIT") {
            Ok(()) => answers.committed(group),
            Err(error) => {
                roll_back(connection);
                answer_all(group.into_iter(), Some(error.into()));
            }
        }
    } else {
        // One request failed: none of its group may suffer for it, so each is run again on its own.
        roll_back(connection);
        for request in group {
            run_alone(connection, request, answers);
        }
    }
    look_up(connection, look_ups, answers);
}

fn run_alone(connection: &Connection, mut request: Box<dyn Request>, answers: &Answers) {
    if let Err(error) = control(connection, "BEGIN IMMEDIATE") {
        return request.answer(Some(error.into()));
    }
    if !request.run(connection) {
        roll_back(connection);
        return answers.found(vec![request]);
    }
    match control(connection, "COMMIT") {
        Ok(()) => answers.committed(vec![request]),
        Err(error) => {
            roll_back(connection);
            request.answer(Some(error.into()));
        }
    }
}

fn roll_back(connection: &Connection) {
    // After some errors SQLite has rolled back by itself, and says so here.
    if !connection.is_autocommit() {
        let _ = control(connection, "ROLLBACK");
    }
}

fn answer_all(requests: impl Iterator<Item = Box<dyn Request>>, error: Option<Error>) {
    let told = error.map(|error| (error.kind, format!("the state database could not be written: {error}")));
    for request in requests {
        request.answer(told.as_ref().map(|(kind, text)| Error::new(*kind, text.clone())));
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_disk_did_not_take_is_no_success() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        let writer = Writer::start_with(connection, Some(Wal::broken())).unwrap();
        for _ in 0..2 {
            let insert = |connection: &Connection| Ok(connection.execute("INSERT INTO t VALUES (1)", [])?);
            assert_eq!(writer.write(insert).await.unwrap_err().kind, ErrorKind::Unavailable);
        }
    }
}
