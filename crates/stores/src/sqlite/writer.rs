//! Group commit: one thread owns the writing connection, and everything that is asked while a commit is under way
//! goes into the next one, so that many callers share one flush of the disk.
//!
//! Look-ups of a few rows are answered here too, between two commits: the cache of this connection is warm, while that
//! of any other is thrown away by each commit.

use std::iter;
use std::sync::mpsc;
use std::thread;

use rusqlite::Connection;
use tidegate_model::ErrorKind;
use tokio::sync::oneshot;

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
    /// Starts the thread on `connection`.
    pub(super) fn start(connection: Connection) -> Result<Self> {
        let (requests, inbox) = mpsc::channel::<Box<dyn Request>>();
        thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || serve(&connection, &inbox))
            .map_err(|error| Error::caused(ErrorKind::Unavailable, "the writing thread could not be started", error))?;
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

fn serve(connection: &Connection, inbox: &mpsc::Receiver<Box<dyn Request>>) {
    while let Ok(first) = inbox.recv() {
        let asked = iter::once(first).chain(inbox.try_iter()).take(GROUP);
        let (group, look_ups) = asked.partition::<Vec<_>, _>(|request| request.writes());
        look_up(connection, look_ups);
        if !group.is_empty() {
            commit(connection, group, inbox);
        }
    }
}

/// Answers all of them from one snapshot, which costs the locks of one.
fn look_up(connection: &Connection, look_ups: Vec<Box<dyn Request>>) {
    if look_ups.is_empty() {
        return;
    }
    let began = control(connection, "BEGIN");
    for mut request in look_ups {
        request.run(connection);
        request.answer(None);
    }
    // Without the snapshot each look-up was a transaction of its own, or has told its error.
    if began.is_ok() {
        let _ = control(connection, "COMMIT");
    }
}

/// `BEGIN`, `COMMIT` or `ROLLBACK`, compiled once.
fn control(connection: &Connection, statement: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}

/// Runs the group, and what is asked meanwhile, in one transaction.
fn commit(connection: &Connection, mut group: Vec<Box<dyn Request>>, inbox: &mpsc::Receiver<Box<dyn Request>>) {
    if let Err(error) = control(connection, "BEGIN IMMEDIATE") {
        return answer_all(group, Some(error));
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
        let committed = control(connection, "COMMIT");
        if committed.is_err() {
            roll_back(connection);
        }
        answer_all(group, committed.err());
    } else {
        // One request failed: none of its group may suffer for it, so each is run again on its own.
        roll_back(connection);
        for request in group {
            run_alone(connection, request);
        }
    }
    look_up(connection, look_ups);
}

fn run_alone(connection: &Connection, mut request: Box<dyn Request>) {
    if let Err(error) = control(connection, "BEGIN IMMEDIATE") {
        return request.answer(Some(error.into()));
    }
    if request.run(connection) {
        let committed = control(connection, "COMMIT");
        if committed.is_err() {
            roll_back(connection);
        }
        request.answer(committed.err().map(Error::from));
    } else {
        roll_back(connection);
        request.answer(None);
    }
}

fn roll_back(connection: &Connection) {
    // After some errors SQLite has rolled back by itself, and says so here.
    if !connection.is_autocommit() {
        let _ = control(connection, "ROLLBACK");
    }
}

fn answer_all(group: Vec<Box<dyn Request>>, error: Option<rusqlite::Error>) {
    let text = error.as_ref().map(ToString::to_string);
    let kind = error.map(|error| Error::from(error).kind);
    for request in group {
        let error = kind
            .zip(text.as_ref())
            .map(|(kind, text)| Error::new(kind, format!("the state database could not be written: {text}")));
        request.answer(error);
    }
}
