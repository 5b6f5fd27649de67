//! What is particular to the state database: group commit, several processes on one file, and the leases of the dead.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use futures::future::join_all;
use tidegate_model::{ErrorKind, Event};
use tidegate_stores::sqlite::{Alive, State};
use tidegate_stores::testing::{Scope, at};
use tidegate_stores::{Admission, Claim, Joint, Ledger, Page, Queue, RunFilter, Want, WorkerId};

/// Tells a child process which database to write; see [`child`].
const CHILD: &str = "TIDEGATE_TEST_CHILD";

fn event(scope: &Scope, number: usize) -> Event {
    scope.created(&format!("{number}.csv"), "1")
}

/// An event that no database can hold: its size is beyond what SQLite stores.
fn refused(scope: &Scope, number: usize) -> Admission {
    let mut admission = scope.admission(&event(scope, number), &["f"], 0);
    if let Event::Created(object) = &mut admission.event {
        object.size = u64::MAX;
    }
    admission
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_fails_does_not_hurt_its_group() {
    let dir = tempfile::tempdir().expect("a folder");
    let (state, scope) = (State::open(&dir.path().join("state.db")).expect("a database"), Scope::new("t"));
    let results = join_all((0..300).map(|number| {
        let (state, scope) = (state.clone(), scope.clone());
        let task = async move {
            if number % 10 == 3 {
                // Half of it could be written, so this shows too that a failed request leaves nothing.
                let good = scope.admission(&scope.created("never admitted", "1"), &["f"], 0);
                state.admit(vec![good, refused(&scope, number)]).await.map(drop)
            } else {
                let admission = scope.admission(&event(&scope, number), &["f"], 0);
                state.admit(vec![admission]).await.map(drop)
            }
        };
        tokio::spawn(task)
    }))
    .await;
    for (number, result) in results.into_iter().enumerate() {
        assert_eq!(result.expect("a task").is_err(), number % 10 == 3, "request {number}");
    }
    let runs = state.runs(RunFilter::default(), Page::first(1_000)).await.expect("runs");
    assert_eq!(runs.len(), 270);
    assert!(runs.iter().all(|run| run.event.object().is_some_and(|object| object.key != "never admitted")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_handles_on_one_file_share_its_runs() {
    const RUNS: usize = 60;
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("state.db");
    // Opened at the same time, so that one of them makes the schema while the others wait.
    let opening = (0..4).map(|_| {
        let path = path.clone();
        std::thread::spawn(move || State::open(&path))
    });
    let opening: Vec<_> = opening.collect();
    let states: Vec<State> =
        opening.into_iter().map(|thread| thread.join().expect("a thread").expect("a database")).collect();
    let scope = Scope::new("t");
    for number in 0..RUNS {
        states[number % 4].enqueue(vec![scope.item("f", &number.to_string(), 0)]).await.expect("an enqueueing");
    }
    let workers = states.into_iter().enumerate().map(|(number, state)| {
        let scope = scope.clone();
        tokio::spawn(async move {
            let worker = scope.worker(&number.to_string());
            let want = Want { function: scope.name("f"), at_most: 12, take: 3 };
            let mut done = Vec::new();
            loop {
                let leases = state.lease(&worker, vec![want.clone()], 3, at(0), Duration::from_secs(60)).await;
                let leases = leases.expect("leases");
                if leases.is_empty() && state.depth(at(0)).await.expect("depths").is_empty() {
                    return done;
                }
                for lease in leases {
                    done.push(lease.run);
                    Queue::acknowledge(&state, lease).await.expect("an acknowledgement");
                }
            }
        })
    });
    let mut done: Vec<_> = join_all(workers).await.into_iter().flat_map(|task| task.expect("a task")).collect();
    done.sort_unstable();
    assert_eq!(done.len(), RUNS, "every run once");
    done.dedup();
    assert_eq!(done.len(), RUNS, "no run twice");
}

#[tokio::test]
async fn the_leases_of_a_dead_worker_are_free_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let (path, scope) = (dir.path().join("state.db"), Scope::new("t"));
    let locks = State::worker_locks(&path);
    let state = State::open(&path).expect("a database");
    let alive = |name: &str| Alive::announce(&locks, scope.worker(name));
    let (dead, living) = (alive("dead").expect("a lock"), alive("living").expect("a lock"));
    let error = alive("living").err().expect("a worker runs once");
    assert_eq!(error.kind, ErrorKind::Conflict);
    state.enqueue((0..4).map(|n| scope.item("f", &n.to_string(), 0)).collect()).await.expect("an enqueueing");
    let lease = async |name: &str, take| {
        let want = Want { function: scope.name("f"), at_most: 9, take };
        state.lease(&scope.worker(name), vec![want], take, at(0), Duration::from_secs(3_600)).await.expect("leases")
    };
    let (of_the_dead, of_the_living) = (lease("dead", 2).await, lease("living", 1).await);
    let starter = alive("starter").expect("a lock");
    assert_eq!(starter.release_the_dead(&state, at(0)).await.expect("an answer"), 0, "everybody lives");
    drop(dead);
    assert_eq!(starter.release_the_dead(&state, at(0)).await.expect("an answer"), 2);
    assert_eq!(starter.release_the_dead(&state, at(0)).await.expect("an answer"), 0, "once is enough");
    let taken = lease("starter", 9).await;
    let mut again: Vec<_> = taken.iter().filter(|lease| lease.receives == 2).map(|lease| lease.run).collect();
    let mut expected: Vec<_> = of_the_dead.iter().map(|lease| lease.run).collect();
    again.sort_unstable();
    expected.sort_unstable();
    assert_eq!(again, expected, "the attempt that died counts");
    assert!(taken.iter().all(|lease| lease.run != of_the_living[0].run));
    drop(living);
    assert_eq!(alive("another").expect("a lock").release_the_dead(&state, at(0)).await.expect("an answer"), 1);
}

/// Writes until it is killed, and prints the number of every event that it was told is safe.
///
/// Not a test of its own: [`what_was_answered_is_found_after_a_kill`] runs it in a process of its own.
#[test]
fn child() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (state, scope) = (State::open(Path::new(&path)).expect("a database"), Scope::new("t"));
        let writers = (0..32).map(|writer| {
            let (state, scope) = (state.clone(), scope.clone());
            tokio::spawn(async move {
                for number in (writer..).step_by(32) {
                    let event = event(&scope, number);
                    state.admit(vec![scope.admission(&event, &["f"], 0)]).await.expect("an admission");
                    state.enqueue(vec![scope.item("f", &number.to_string(), 0)]).await.expect("an enqueueing");
                    println!("safe {number}");
                }
            })
        });
        join_all(writers).await;
    });
}

#[tokio::test]
async fn what_was_answered_is_found_after_a_kill() {
    let dir = tempfile::tempdir().expect("a folder");
    let (path, scope) = (dir.path().join("state.db"), Scope::new("t"));
    let mut known = 0;
    for round in 1..=4 {
        let safe = kill_after(&path, 150 * round);
        let state = State::open(&path).expect("the database opens after a kill");
        let ids = safe.iter().map(|number| event(&scope, *number).id()).collect();
        let admitted = state.admit(safe.iter().map(|n| scope.admission(&event(&scope, *n), &["f"], 0)).collect()).await;
        let admitted = admitted.expect("admissions");
        assert!(admitted.iter().all(|admitted| !admitted.is_new), "every event that was answered is there");
        Ledger::acknowledge(&state, ids).await.expect("an acknowledgement");
        let want = Want { function: scope.name("f"), at_most: usize::MAX >> 1, take: usize::MAX >> 1 };
        let worker = WorkerId(format!("round {round}"));
        let hold = Duration::from_secs(1);
        let leases = state.lease(&worker, vec![want], usize::MAX >> 1, at(round as i64 * 10), hold).await;
        let leased: Vec<_> = leases.expect("leases").into_iter().map(|lease| lease.run).collect();
        assert!(safe.iter().all(|number| leased.contains(&scope.run(&number.to_string()))), "and so is its item");
        let first = scope.new_run("f", &event(&scope, safe[0])).run;
        assert!(matches!(state.claim(first, &worker, at(0)).await, Ok(Claim::Granted(_))));
        assert!(leased.len() >= known, "nothing is lost by a later kill");
        known = leased.len();
    }
}

/// Runs [`child`] and kills it once it has said so many lines; returns the numbers it called safe, all that were read.
fn kill_after(path: &Path, lines: usize) -> Vec<usize> {
    let this: PathBuf = std::env::current_exe().expect("the test program");
    let mut child = Command::new(this)
        .args(["--exact", "state::child", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut safe = Vec::new();
    let mut said = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    while said.read_line(&mut line).expect("a line") > 0 {
        // The last line may be cut short by the kill; it then says a smaller number, which is safe too, or none.
        if let Some(number) = line.trim_end_matches('\n').strip_prefix("safe ").filter(|_| line.ends_with('\n')) {
            safe.push(number.parse().expect("a number"));
        }
        line.clear();
        if safe.len() == lines {
            child.kill().expect("a kill");
        }
    }
    child.wait().expect("its end");
    assert!(safe.len() >= lines, "the child worked until it was killed");
    safe
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_its_own_run_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let (state, scope) = (State::open(&path).unwrap(), Scope::new("t"));
    let events = [event(&scope, 1), event(&scope, 2)];
    let admissions = events.iter().map(|event| scope.admission(event, &["f"], 0));
    state.admit_and_enqueue(admissions.collect()).await.unwrap();
    let damaged =
        rusqlite::Connection::open(&path).unwrap().execute("UPDATE run SET revision = x'00' WHERE seq = 1", []);
    assert_eq!(damaged.unwrap(), 1);
    let want = Want { function: scope.name("f"), at_most: 9, take: 9 };
    let taken = state.lease_and_claim(&scope.worker("w"), vec![want], 9, at(1), Duration::from_secs(9)).await.unwrap();
    let claims: Vec<_> = taken.iter().map(|(_, claim)| claim.as_ref().map_err(|error| error.kind)).collect();
    assert!(matches!(claims[..], [Err(ErrorKind::Corrupt), Ok(Claim::Granted(_))]), "{claims:?}");
}

#[tokio::test]
async fn a_database_of_version_1_keeps_its_history_and_becomes_like_a_new_one() {
    let columns = |path: &Path| -> Vec<String> {
        let connection = rusqlite::Connection::open(path).unwrap();
        let sql = "SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c ORDER BY 1";
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old.db"), dir.path().join("new.db"));
    let connection = rusqlite::Connection::open(&old).unwrap();
    connection.execute_batch(include_str!("state-1.sql")).unwrap();
    connection
        .execute_batch(
            "INSERT INTO event (id, bucket, key, size, seen_at, hops) VALUES (randomblob(16), 'b', 'k', 1, 0, 0);
             INSERT INTO run (id, event, function, revision, state) VALUES (randomblob(16), 1, 'f', randomblob(8), 'succeeded');
             INSERT INTO run (id, event, function, revision, state) VALUES (randomblob(16), 1, 'g', randomblob(8), 'waiting');
             INSERT INTO queue (run, function, \"group\", due) SELECT id, 'g', 'b/k', 0 FROM run WHERE function = 'g';
             INSERT INTO output (run, ordinal, what, bucket, key, size, sha256) VALUES (1, 0, 'object', 'b', 'o', 1, 'x');
             PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(connection);
    let state = State::open(&old).unwrap();
    let runs = state.runs(RunFilter::default(), Page::first(9)).await.unwrap();
    assert_eq!((runs.len(), runs[0].outputs.len(), runs[1].outputs.len()), (2, 0, 1));
    let want = Want { function: "g".to_owned(), at_most: 9, take: 9 };
    let leases = state.lease(&WorkerId("w".to_owned()), vec![want], 9, at(1), Duration::from_secs(1)).await.unwrap();
    assert_eq!(leases.iter().map(|lease| lease.run).collect::<Vec<_>>(), [runs[0].run]);
    drop((state, State::open(&new).unwrap()));
    assert_eq!(columns(&old), columns(&new));
}
