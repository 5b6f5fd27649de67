//! Functions that start each other: in a line, and in a loop.

use tidegate_engine::Intake;
use tidegate_model::{RunState, Trigger};
use tidegate_stores::Ledger;

use crate::harness::{House, failure};

#[tokio::test(start_paused = true)]
async fn the_output_of_one_function_starts_the_next_and_once_runs_them_all() {
    let step = |name: &str, from: &str, to: &str| {
        format!(
            "[function.{name}]\non = {{ created = \"{from}\" }}\nrun = \"test\"\ninto = \"{to}\"\nwith = {{ suffix = \".{name}\" }}\n"
        )
    };
    let buckets = "[bucket.a]\n[bucket.b]\n[bucket.c]\n[bucket.d]\n";
    let house =
        House::new(&(buckets.to_owned() + &step("one", "a", "b") + &step("two", "b", "c") + &step("three", "c", "d")))
            .await;
    house.put("a", "x", "tide").await;
    let engine = house.engine();
    assert_eq!(house.run_once(&engine).await, Intake { admitted: 1, ..Intake::default() });
    assert_eq!(house.objects("d").await["x.one.two.three"], "tide");
    assert_eq!(house.probe.begun().len(), 3, "each once");
    let runs = house.runs().await;
    let verdicts = house.ledger.trace("c", "x.one.two").await.expect("a trace");
    assert_eq!(verdicts[0].parent, Some(runs[1].run), "each object knows the run that made it");
    assert_eq!(house.run_once(&engine).await, Intake { known: 3, ..Intake::default() }, "nothing is left to do");
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_functions_ends() {
    let mut house = House::new(
        "[bucket.a]\n[bucket.b]\n\
         [function.there]\non = { created = \"a\" }\nrun = \"test\"\ninto = \"b\"\nwith = { suffix = \".\" }\n\
         [function.back]\non = { created = \"b\" }\nrun = \"test\"\n",
    )
    .await;
    // A pipeline file with a loop is refused; this one stands for a loop that only shows at run time.
    house.pipeline.functions[1].grants.write_buckets.insert("a".to_owned());
    house.put("a", "x", "tide").await;
    house.run_once(&house.engine()).await;
    let runs = house.runs().await;
    let failed: Vec<_> = runs.iter().filter(|run| run.state == RunState::Failed).collect();
    assert_eq!(failed.len(), 1, "{runs:#?}");
    assert_eq!(failure(failed[0]).code, "R0010");
    assert_eq!(house.probe.begun().len(), 17, "sixteen hops, and the first");
    assert!(matches!(house.pipeline.functions[1].trigger, Trigger::Created { .. }));
}
