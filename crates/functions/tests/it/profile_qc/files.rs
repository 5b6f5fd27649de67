//! Files that land: what becomes of each, in whatever order and form they come.

use tidegate_model::RunState;
use tidegate_stores::{Ledger, Page};

use super::{NetCdf, VESSELS, deployment, objects, pipeline, run_of, runs_of, succeeded, vessel};
use crate::harness::House;

fn house(qc: &str) -> House {
    let house = House::new(&pipeline(qc, ""));
    let rows: String = (1..=3).map(|id| vessel(&id.to_string(), "Bottom trawl", 100 + id, 5100 + id, "True")).collect();
    house.write("buckets/participation/vessels.csv", format!("{VESSELS}{rows}"));
    house
}

#[tokio::test]
async fn a_deployment_becomes_a_file_with_the_flags_of_every_test() {
    let house = house("");
    house.write("buckets/raw/0101/MOANA_0101_1.csv", deployment(101, 5101));
    let runs = house.run_once().await;
    let run = run_of(&runs, "qc", "0101/MOANA_0101_1.csv");
    succeeded(&run);
    assert_eq!(run.note.as_deref(), Some("61 rows: 61 good; not run: temperature_drift, start_end_distance"));
    let mut file = NetCdf::open(&house, "buckets/private/0101/MOANA_0101_1_qc.nc");
    assert_eq!(file.numbers("QC_FLAG"), vec![1.0; 61]);
    assert_eq!(file.numbers("SOURCE_LINE")[..2], [9.0, 10.0]);
    let spike = file.numbers("flag_spike_temperature");
    assert_eq!((spike[0], spike[30]), (0.0, 1.0), "at its ends the test has no vote, elsewhere it is passed");
    assert_eq!(file.numbers("flag_start_end_distance"), vec![0.0; 61], "not run is not passed");
    assert!(file.attribute_of("flag_start_end_distance", "not_run").is_some_and(|reason| !reason.is_empty()));
    assert_eq!(file.attribute("vessel_name").as_deref(), Some("Kotuku 1"), "the private file says whose it is");
    assert_eq!(file.attribute("institution").as_deref(), Some("not stated"));
    assert_eq!(house.run_once().await.len(), runs.len(), "the same object again is no event");
}

#[tokio::test]
async fn a_vessel_table_that_lands_with_its_deployments_is_loaded_first() {
    // Its bucket is listed last, and no attempt is repeated.
    let text = pipeline("", "").replace("participation", "z-participation");
    let house = House::new(&text);
    let mut rows = VESSELS.to_owned();
    for id in 1..=20 {
        rows.push_str(&vessel(&id.to_string(), "Bottom trawl", 100 + id, 5100 + id, "True"));
        house.write(&format!("buckets/raw/{id}.csv"), deployment(100 + id, 5100 + id));
    }
    house.write("buckets/z-participation/vessels.csv", rows);
    let runs = house.run_once().await;
    runs.iter().for_each(succeeded);
    assert_eq!(runs_of(&runs, "qc").len(), 20);
}

#[tokio::test]
async fn an_unknown_vessel_is_tried_again_and_then_told() {
    let text = pipeline("", "").replace("attempts = 1", "attempts = 2, base = \"10ms\", max = \"10ms\"");
    let house = House::new(&text);
    house.write("buckets/participation/vessels.csv", format!("{VESSELS}{}", vessel("1", "Potting", 7, 8, "True")));
    house.write("buckets/raw/a.csv", deployment(101, 5101));
    let runs = house.run_once().await;
    let run = run_of(&runs, "qc", "a.csv");
    let failure = run.failure.as_ref().expect("a failure");
    assert_eq!((run.state, run.attempts, failure.code.as_str()), (RunState::Failed, 2, "R0310"), "{failure}");
    assert!(failure.reason.contains("sensor 101") && failure.help.is_some());
    assert!(objects(&house, "private").is_empty() && objects(&house, "public").is_empty());
}

#[tokio::test]
async fn each_bad_file_has_a_reason_of_its_own_and_stops_no_other() {
    let house = house("");
    let good = deployment(101, 5101);
    let cases: [(&str, String, &str, Option<u64>); 9] = [
        ("empty", String::new(), "R0304", None),
        ("no-columns", good.replace("DateTime (UTC),Lat", "Time,Lat"), "R0305", Some(9)),
        ("no-temperature", good.replace("Temperature C", "Salinity"), "R0306", Some(8)),
        ("joined", format!("{good}\n{good}"), "R0307", Some(72)),
        ("header-only", good.split("20220624T").next().unwrap_or_default().to_owned(), "R0308", None),
        ("no-serial", good.replace("Moana Serial Number,101\n", ""), "R0309", None),
        ("other-deck-unit", deployment(101, 9), "R0313", None),
        ("too-early", good.replace("20220624T", "20200624T"), "R0310", None),
        ("all-bad", good.replace(",17.", ",99.").replace(",16.", ",99."), "R0316", None),
    ];
    for (name, text, _, _) in &cases {
        house.write(&format!("buckets/raw/{name}.csv"), text);
    }
    house.write("buckets/raw/good.csv", &good);
    let runs = house.run_once().await;
    succeeded(&run_of(&runs, "qc", "good.csv"));
    let mut told = Vec::new();
    for (name, _, code, line) in cases {
        let failure = run_of(&runs, "qc", &format!("{name}.csv")).failure.unwrap_or_else(|| panic!("{name} failed"));
        told.push((name, failure.code.clone(), failure.place.line));
        assert!(failure.help.is_some(), "{failure}");
        assert_eq!(told.last(), Some(&(name, code.to_owned(), line)), "{failure}");
    }
    assert_eq!(objects(&house, "private"), ["good_qc.nc"]);
    assert_eq!(runs_of(&runs, "publish").len(), 1, "nothing is published from a failed run");
}

#[tokio::test]
async fn every_row_that_is_left_out_is_told() {
    let house = house("");
    let good = deployment(101, 5101);
    let mut lines: Vec<String> = good.split('\n').map(str::to_owned).collect();
    lines[10] = "20220624T040006,-35.146706".to_owned();
    lines[11] = format!("{},9", lines[11]);
    lines[12] = lines[12].replace("20220624T", "yesterday");
    lines[13] = lines[14].clone();
    let fields: Vec<&str> = lines[20].split(',').take(3).collect();
    lines[20] = format!("{},ERR,", fields.join(","));
    house.write("buckets/raw/a.csv", lines.join("\n"));
    let runs = house.run_once().await;
    let run = run_of(&runs, "qc", "a.csv");
    succeeded(&run);
    assert_eq!(run.rejected, 5);
    let rejects = house.state.rejects(run.run, Page::first(10)).await.expect("rejects");
    let told: Vec<(&str, Option<u64>)> =
        rejects.iter().map(|reject| (reject.code.as_str(), reject.place.line)).collect();
    let expected =
        [("R0331", Some(11)), ("R0332", Some(12)), ("R0333", Some(13)), ("R0335", Some(15)), ("R0334", Some(21))];
    assert_eq!(told, expected);
    let mut file = NetCdf::open(&house, "buckets/private/a_qc.nc");
    assert_eq!(file.numbers("TIME").len(), 56, "61 rows, 5 of them left out");
}

#[tokio::test]
async fn the_older_text_form_is_read_too() {
    let house = house("");
    let mut text = "Deck unit serial number,5101\nMoana Serial Number,101\nDownload Time,24/06/2022 06:00:00\n\
                    Date,Time,Depth Decibar,Temperature C\n"
        .to_owned();
    for second in 0..40 {
        let pressure = if second < 20 { second } else { 40 - second };
        text.push_str(&format!("24/06/2022,04:01:{second:02},{pressure}.0,15.{second:02}\n"));
    }
    house.write("buckets/raw/old.csv", format!("{text}END"));
    let runs = house.run_once().await;
    succeeded(&run_of(&runs, "qc", "old.csv"));
    let mut file = NetCdf::open(&house, "buckets/private/old_qc.nc");
    assert_eq!(file.numbers("TIME")[0], 1_656_043_260.0);
    assert_eq!(file.numbers("LATITUDE").len(), 1, "no row has a position: the globe is all that is known");
    assert!(file.numbers("POSITION_QC").iter().all(|flag| *flag == 9.0), "missing, not good and not bad");
    assert!(file.numbers("TEMPERATURE_QC").iter().all(|flag| *flag == 1.0));
}

#[tokio::test]
async fn rules_are_data_of_the_pipeline_file() {
    let house = house("rules = \"qartod\", copies = [\"csv\", \"parquet\"]");
    house.write("buckets/raw/a.csv", deployment(101, 5101));
    let runs = house.run_once().await;
    succeeded(&run_of(&runs, "qc", "a.csv"));
    let file = NetCdf::open(&house, "buckets/private/a_qc.nc");
    assert!(file.has("flag_qartod_spike_temperature") && !file.has("flag_spike_temperature"));
    let meanings = file.attribute_of("QC_FLAG", "flag_meanings");
    assert_eq!(meanings.as_deref(), Some("pass not_evaluated suspect fail missing"));
    let text = std::fs::read_to_string(house.path("buckets/private/a_qc.csv")).expect("a CSV");
    let mut lines = text.lines();
    assert!(
        lines
            .next()
            .is_some_and(|line| line.starts_with("time,latitude,longitude,depth,pressure,temperature,phase,leg"))
    );
    assert!(
        lines.next().is_some_and(
            |line| line.starts_with("2022-06-24T04:00:00Z,-35.146706,174.338045,0,0,17.559,profile,surface,9")
        ),
        "{text}"
    );
    assert_eq!(text.lines().count(), 62);
    assert!(std::fs::read(house.path("buckets/private/a_qc.parquet")).expect("Parquet").starts_with(b"PAR1"));

    let own = "rules = \"own\", tests = { global_range_temperature = { suspect = [0, 17], fail = [-2, 40] } }";
    let house = self::house(own);
    house.write("buckets/raw/a.csv", deployment(101, 5101));
    house.run_once().await;
    let mut file = NetCdf::open(&house, "buckets/private/a_qc.nc");
    let flags: Vec<String> = file.variables().into_iter().filter(|name| name.starts_with("flag_")).collect();
    assert_eq!(flags, ["flag_global_range_temperature"]);
    let found = file.numbers("flag_global_range_temperature");
    assert_eq!((found[0], found[30]), (3.0, 1.0));
    assert_eq!(file.numbers("POSITION_QC"), vec![0.0; 61], "no test looked at positions");
}
