//! Writers of a table go before its readers.

use tidegate_model::RunState;

use crate::harness::House;

fn function(name: &str, bucket: &str, rest: &str) -> String {
    format!("[function.{name}]\non = {{ created = \"{bucket}\" }}\nrun = \"test\"\n{rest}\n")
}

fn names(house: &House) -> Vec<String> {
    house.probe.begun().into_iter().map(|(function, _, _)| function).collect()
}

#[tokio::test(start_paused = true)]
async fn what_writes_a_table_is_called_before_what_reads_it() {
    let sections = "[bucket.a]\n[bucket.z]\n[table.t]\n".to_owned()
        + &function("reader", "a", "reads = \"t\"")
        + &function("writer", "z", "into = \"t\"");
    let house = House::new(&sections).await;
    for number in 0..20 {
        house.put("a", &format!("{number}"), "x").await;
        house.put("z", &format!("{number}"), "x").await;
    }
    house.run_once(&house.engine()).await;
    let names = names(&house);
    assert_eq!(names.len(), 40);
    assert!(names[..20].iter().all(|name| name == "writer") && names[20..].iter().all(|name| name == "reader"));
}

#[tokio::test(start_paused = true)]
async fn functions_that_would_wait_for_each_other_do_not() {
    let sections = "[bucket.a]\n[table.s]\n[table.t]\n".to_owned()
        + &function("one", "a", "reads = \"s\"\ninto = \"t\"")
        + &function("two", "a", "reads = \"t\"\ninto = \"s\"")
        + &function("three", "a", "reads = [\"s\", \"t\"]");
    let house = House::new(&sections).await;
    house.put("a", "x", "x").await;
    house.run_once(&house.engine()).await;
    assert_eq!(names(&house), ["two", "one", "three"]);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_about_to_be_tried_again_is_waited_for() {
    let sections = "[bucket.a]\n[table.t]\n".to_owned()
        + &function("reader", "a", "reads = \"t\"")
        + &function("writer", "a", "into = \"t\"\nwith = { does = \"fail\", times = 2 }");
    let house = House::new(&sections).await;
    house.put("a", "x", "x").await;
    house.run_once(&house.engine()).await;
    assert_eq!(names(&house), ["writer", "writer", "writer", "reader"]);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_waits_long_for_its_next_attempt_holds_nobody_back() {
    let sections = "[bucket.a]\n[table.t]\n".to_owned()
        + &function("reader", "a", "reads = \"t\"")
        + &function(
            "writer",
            "a",
            "into = \"t\"\nwith = { does = \"fail\", times = 1 }\nretry = { base = \"1h\", max = \"1h\" }",
        );
    let house = House::new(&sections).await;
    house.put("a", "x", "x").await;
    house.run_once(&house.engine()).await;
    assert_eq!(names(&house), ["writer", "reader", "writer"]);
    assert!(house.runs().await.iter().all(|run| run.state == RunState::Succeeded || run.function == "writer"));
}
