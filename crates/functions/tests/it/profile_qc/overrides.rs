//! Decisions of people about flags: applied after the tests, again each time, and told in the file.

use tidegate_engine::{Backfill, Until};
use tidegate_stores::{Ledger, Page, RunFilter};
use tokio_util::sync::CancellationToken;

use super::{NetCdf, VESSELS, deployment, pipeline, run_of, runs_of, succeeded, vessel};
use crate::harness::House;

const OVERRIDES: &str = "override,deployment,lines,variable,flag,author,reason\n\
    1,MOANA_0101_1,9-11,temperature,4,A. Person,on deck\n2,other,all,temperature,4,B. Person,other\n";

fn house() -> House {
    let house = House::new(&pipeline("", ""));
    let table = format!("{VESSELS}{}", vessel("1", "Bottom trawl", 101, 5101, "True"));
    house.write("buckets/participation/vessels.csv", table);
    house.write("buckets/raw/0101/MOANA_0101_1.csv", deployment(101, 5101));
    house
}

#[tokio::test]
async fn decisions_are_applied_after_the_tests_and_told_in_the_file() {
    let house = house();
    house.write("buckets/participation/overrides.csv", OVERRIDES);
    let runs = house.run_once().await;
    succeeded(&run_of(&runs, "qc", "0101/MOANA_0101_1.csv"));
    let mut file = NetCdf::open(&house, "buckets/private/0101/MOANA_0101_1_qc.nc");
    assert_eq!(file.numbers("TEMPERATURE_QC")[..5], [4.0, 4.0, 4.0, 1.0, 1.0]);
    assert_eq!(file.numbers("QC_FLAG")[..5], [4.0, 4.0, 4.0, 1.0, 1.0]);
    let history = file.attribute("history").expect("a history");
    assert!(history.contains("lines 9-11 set to 4 by A. Person (3 rows): on deck"), "{history}");
    assert!(!history.contains("B. Person"), "{history}");
}

#[tokio::test]
async fn a_decision_reaches_what_is_there_already_and_survives_processing_again() {
    let house = house();
    house.run_once().await;
    house.write("buckets/participation/overrides.csv", OVERRIDES);
    house.run_once().await;
    let flags = || NetCdf::open(&house, "buckets/private/0101/MOANA_0101_1_qc.nc").numbers("QC_FLAG");
    assert_eq!(flags()[0], 1.0, "a decision alone processes nothing");
    for _ in 0..2 {
        let runs = house.state.runs(RunFilter::default(), Page::first(100)).await.expect("runs");
        let event = run_of(&runs, "qc", "0101/MOANA_0101_1.csv").event;
        let objects = vec![Ok(event.object().expect("an object").clone())];
        let objects = Box::pin(futures::stream::iter(objects));
        let again = Backfill { again: true, ..Backfill::default() };
        house.engine.backfill("qc", objects, again, async |_| {}).await.expect("a backfill");
        house.engine.work(Until::Drained, CancellationToken::new()).await.expect("the end");
        assert_eq!(flags()[..4], [4.0, 4.0, 4.0, 1.0]);
    }
    let runs = house.run_once().await;
    assert_eq!(runs.iter().filter(|run| run.function == "qc").count(), 3);
    runs.iter().for_each(succeeded);
    assert_eq!(super::objects(&house, "public").len(), 1, "the public file took the place of the older one");
}

#[tokio::test]
async fn a_decision_that_cannot_be_read_is_not_passed_over() {
    let house = house();
    house.write("buckets/participation/overrides.csv", OVERRIDES.replace("on deck", ""));
    let runs = house.run_once().await;
    let run = runs_of(&runs, "qc").remove("0101/MOANA_0101_1.csv").expect("a run");
    assert_eq!(run.failure.expect("a failure").code, "R0303");
}
