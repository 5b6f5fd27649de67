//! Processes that meet, that are asked to end, and that are killed.
#![cfg(unix)]

use rustix::process::Signal;

use crate::place::Place;

/// A pipeline whose function waits until the file `go` is there.
const WAITS: &str = r#"
[pipeline]
name = "waits"

[bucket.incoming]
[bucket.out]

[function.wait]
on = { created = "incoming" }
run = "command"
into = "out"
concurrency = 1
with = { program = ["sh", "-c", "echo x >> began; while [ ! -e go ]; do sleep 0.05; done; cp \"$TIDEGATE_OBJECT\" \"$TIDEGATE_OUTPUT/\""] }
"#;

fn has_begun(place: &Place) -> bool {
    place.path("began").is_file()
}

#[test]
fn two_workers_share_the_work_and_do_it_once() {
    let place = Place::with(&WAITS.replace("echo x >> began; ", "").replace("concurrency = 1", "concurrency = 4"));
    place.write("go", "");
    let workers = [place.start(&["run"]), place.start(&["run"])];
    for number in 0..40 {
        place.write(&format!("buckets/incoming/{number:02}.txt"), number.to_string());
    }
    place.wait_until("all runs succeeded", |place| place.json(&["status"])["functions"][0]["succeeded"] == 40);
    for worker in workers {
        worker.signal(Signal::TERM);
        worker.end().ends(0).says(&["stopped"]);
    }
    let runs = place.json(&["runs", "--limit", "100"]);
    let runs = runs.as_array().unwrap();
    assert_eq!(runs.len(), 40);
    assert!(runs.iter().all(|run| run["attempts"] == 1), "{runs:?}");
    assert_eq!(place.read("buckets/out/07.txt"), "7");
}

#[test]
fn the_first_signal_lets_runs_end() {
    let place = Place::with(WAITS);
    place.write("buckets/incoming/a.txt", "a");
    place.write("buckets/incoming/b.txt", "b");
    let worker = place.start(&["run"]);
    place.wait_until("the function began", has_begun);
    worker.signal(Signal::INT);
    place.write("go", "");
    let ran = worker.end().ends(0);
    assert!(ran.err.contains("1 run succeeded"), "{ran:?}");
    // The other one was not begun: it waits.
    assert_eq!(place.read("began"), "x\n");
    assert_eq!(place.json(&["status"])["functions"][0]["waiting"], 1);
    place.run(&["run", "--once"]).ends(0).shows(&["1 run succeeded"]);
}

#[test]
fn an_interrupted_run_once_says_what_is_left() {
    let place = Place::with(WAITS);
    place.write("buckets/incoming/a.txt", "a");
    place.write("buckets/incoming/b.txt", "b");
    let worker = place.start(&["run", "--once"]);
    place.wait_until("the function began", has_begun);
    worker.signal(Signal::INT);
    place.write("go", "");
    worker.end().ends(3).says(&["1 run left", "next: tidegate run --once"]);
}

#[test]
fn the_second_signal_ends_at_once_and_nothing_is_lost() {
    let place = Place::with(WAITS);
    place.write("buckets/incoming/a.txt", "a");
    let worker = place.start(&["run"]);
    place.wait_until("the function began", has_begun);
    worker.signal(Signal::INT);
    // A second wish is one that comes a while after the first: it is repeated until it is heard.
    place.wait_until("it has ended", |_| {
        worker.signal(Signal::INT);
        worker.has_ended()
    });
    worker.end().ends(3);
    place.write("go", "");
    place.run(&["run", "--once"]).ends(0).shows(&["1 run succeeded"]);
    assert_eq!(place.read("buckets/out/a.txt"), "a");
}

#[test]
fn after_kill_9_the_next_process_completes_the_run() {
    let place = Place::with(WAITS);
    place.write("buckets/incoming/a.txt", "a");
    let worker = place.start(&["run"]);
    place.wait_until("the function began", has_begun);
    worker.signal(Signal::KILL);
    assert_eq!(worker.end().code, -1);
    assert_eq!(place.json(&["status"])["functions"][0]["running"], 1);
    place.write("go", "");
    place.run(&["run", "--once"]).ends(0).shows(&["1 run succeeded"]);
    let run = &place.json(&["runs"])[0];
    assert_eq!((&run["state"], &run["attempts"]), (&"succeeded".into(), &2.into()));
    assert_eq!(place.read("buckets/out/a.txt"), "a");
}

#[test]
fn put_watches_a_file_and_puts_each_version() {
    let place = Place::with(WAITS);
    place.write("outside/a.txt", "one");
    let watch = place.start(&["put", "outside/a.txt", "incoming", "--watch"]);
    let has = |place: &Place, text: &str| {
        std::fs::read_to_string(place.path("buckets/incoming/a.txt")).is_ok_and(|found| found == text)
    };
    place.wait_until("the first version is put", |place| has(place, "one"));
    place.write("outside/a.txt", "two");
    place.wait_until("the second version is put", |place| has(place, "two"));
    watch.signal(Signal::TERM);
    let ran = watch.end().ends(0);
    assert_eq!(ran.out, "incoming/a.txt  3 B\nincoming/a.txt  3 B\n");
}
