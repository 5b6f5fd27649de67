//! `command`: what a program gets, what becomes of what it leaves, how it fails.

use std::time::Duration;

use tidegate_model::{ErrorKind, Output, RunState};

use crate::harness::House;

fn pipeline(options: &str, rest: &str) -> String {
    format!(
        "[pipeline]\nname = \"t\"\n[bucket.raw]\n[bucket.clean]\n[bucket.other]\n[function.f]\n\
         on = {{ created = \"raw\" }}\nrun = \"command\"\n{rest}\nwith = {{ {options} }}\n"
    )
}

#[tokio::test]
async fn a_program_reads_the_object_and_what_it_leaves_becomes_objects() {
    let house = House::new(&pipeline("program = [\"sh\", \"up.sh\"]", "into = \"clean\""));
    house.write(
        "up.sh",
        "set -eu\nmkdir -p \"$TIDEGATE_OUTPUT/deep\"\ntr a-z A-Z < \"$TIDEGATE_OBJECT\" > \"$TIDEGATE_OUTPUT/deep/$TIDEGATE_KEY\"\n\
         cat > \"$TIDEGATE_OUTPUT/event.json\"\nrm \"$TIDEGATE_OBJECT\"\necho first\necho done here\n",
    );
    house.write("buckets/raw/a b.txt", "tide");
    let runs = house.run_once().await;
    assert_eq!(runs[0].state, RunState::Succeeded, "{:?}", runs[0].failure);
    assert_eq!(runs[0].note.as_deref(), Some("done here"));
    assert_eq!(std::fs::read_to_string(house.path("buckets/clean/deep/a b.txt")).expect("the output"), "TIDE");
    let event = std::fs::read_to_string(house.path("buckets/clean/event.json")).expect("the event");
    let event: serde_json::Value = serde_json::from_str(&event).expect("JSON");
    assert_eq!((event["key"].as_str(), event["size"].as_u64()), (Some("a b.txt"), Some(4)));
    assert_eq!(std::fs::read_to_string(house.path("buckets/raw/a b.txt")).expect("the input is still there"), "tide");
    let keys: Vec<_> = runs[0]
        .outputs
        .iter()
        .map(|output| match output {
            Output::Object { key, size, .. } => (key.as_str(), *size),
            Output::Rows { .. } | Output::Mail { .. } => panic!("an object"),
        })
        .collect();
    assert_eq!(keys[0], ("deep/a b.txt", 4));
}

#[tokio::test]
async fn with_several_buckets_the_first_folder_names_the_bucket() {
    let house = House::new(&pipeline("program = [\"sh\", \"s.sh\"]", "into = [\"clean\", \"other\"]"));
    house.write("s.sh", "mkdir -p $TIDEGATE_OUTPUT/clean $TIDEGATE_OUTPUT/other; echo 1 > $TIDEGATE_OUTPUT/clean/x; echo 2 > $TIDEGATE_OUTPUT/other/y");
    house.write("buckets/raw/a", "1");
    assert_eq!(house.run_once().await[0].state, RunState::Succeeded);
    assert!(house.path("buckets/clean/x").is_file() && house.path("buckets/other/y").is_file());

    house.write("s.sh", "echo 1 > $TIDEGATE_OUTPUT/astray");
    house.write("buckets/raw/b", "22");
    let runs = house.run_once().await;
    let failure = runs[0].failure.as_ref().expect("a failure");
    assert_eq!(failure.code, "R0203");
    assert_eq!(failure.place.object.as_deref(), Some("raw/b"));
}

#[tokio::test]
async fn exit_code_and_the_last_lines_of_stderr_become_the_failure() {
    let house = House::new(&pipeline("program = [\"sh\", \"s.sh\"]", "into = \"clean\""));
    house.write("s.sh", "for i in $(seq 100); do echo line $i >&2; done; echo half > $TIDEGATE_OUTPUT/half; exit 3");
    house.write("buckets/raw/a", "1");
    let runs = house.run_once().await;
    let failure = runs[0].failure.as_ref().expect("a failure");
    assert_eq!((failure.code.as_str(), failure.kind, runs[0].attempts), ("R0202", ErrorKind::Invalid, 1));
    assert!(failure.reason.contains("exit code 3") && failure.reason.ends_with("line 100"), "{}", failure.reason);
    assert!(!failure.reason.contains("line 80\n"), "only the last lines are kept: {}", failure.reason);
    assert!(!house.path("buckets/clean/half").exists(), "a failed program's output stays out of the bucket");
}

#[tokio::test]
async fn a_program_that_asks_for_it_is_tried_again() {
    let rest = "into = \"clean\"\nretry = { attempts = 3, base = \"10ms\", max = \"10ms\" }";
    let house = House::new(&pipeline("program = [\"sh\", \"s.sh\"]", rest));
    house.write("s.sh", "[ $TIDEGATE_ATTEMPT -ge 3 ] || exit 75; echo ok > $TIDEGATE_OUTPUT/ok");
    house.write("buckets/raw/a", "1");
    let runs = house.run_once().await;
    assert_eq!((runs[0].state, runs[0].attempts), (RunState::Succeeded, 3), "{:?}", runs[0].failure);
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_killed_with_its_children() {
    let rest = "into = \"clean\"\ntimeout = \"1s\"\nretry = { attempts = 1 }";
    let house = House::new(&pipeline("program = [\"sh\", \"s.sh\"]", rest));
    house.write("s.sh", "sleep 1000 & echo $! > child.pid; wait");
    house.write("buckets/raw/a", "1");
    let runs = house.run_once().await;
    assert_eq!(runs[0].failure.as_ref().expect("a failure").code, "R0012");
    let child = std::fs::read_to_string(house.path("child.pid")).expect("the child's number");
    let stat = format!("/proc/{}/stat", child.trim());
    for _ in 0..200 {
        // Gone, or a zombie that its new parent has not yet reaped.
        match std::fs::read_to_string(&stat) {
            Ok(text) if !text.contains(") Z ") => tokio::time::sleep(Duration::from_millis(10)).await,
            _ => return,
        }
    }
    panic!("the child of the program still runs");
}

#[tokio::test]
async fn a_program_that_is_not_there_and_a_link_it_leaves_are_refused() {
    let house = House::new(&pipeline("program = \"no-such-program-anywhere\"", "into = \"clean\""));
    house.write("buckets/raw/a", "1");
    assert_eq!(house.run_once().await[0].failure.as_ref().expect("a failure").code, "R0201");

    let house = House::new(&pipeline("program = [\"sh\", \"s.sh\"]", "into = \"clean\""));
    house.write("s.sh", "ln -s /etc/hostname $TIDEGATE_OUTPUT/link");
    house.write("buckets/raw/a", "1");
    assert_eq!(house.run_once().await[0].failure.as_ref().expect("a failure").code, "R0203");
}

#[tokio::test]
async fn a_schedule_starts_a_program_without_an_object() {
    let house = House::new(
        "[pipeline]\nname = \"t\"\n[bucket.clean]\n[function.f]\non = { every = \"1h\" }\nrun = \"command\"\n\
         into = \"clean\"\nwith = { program = [\"sh\", \"s.sh\"] }\n",
    );
    house.write("s.sh", "test -z \"${TIDEGATE_OBJECT:-}\" && cat > $TIDEGATE_OUTPUT/tick.json");
    let runs = house.run_once().await;
    assert_eq!(runs[0].state, RunState::Succeeded, "{:?}", runs[0].failure);
    assert!(std::fs::read_to_string(house.path("buckets/clean/tick.json")).expect("the tick").contains("planned_at"));
}
