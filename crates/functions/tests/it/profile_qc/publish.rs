//! What becomes public, and what of it.

use tidegate_model::RunState;

use super::{NetCdf, VESSELS, deployment, objects, pipeline, run_of, succeeded, vessel};
use crate::harness::House;

fn house(qc: &str, publish: &str, public: &str) -> House {
    let house = House::new(&pipeline(qc, publish));
    let table = format!("{VESSELS}{}", vessel("1", "Bottom trawl", 101, 5101, public));
    house.write("buckets/participation/vessels.csv", table);
    house.write("buckets/raw/0101/MOANA_0101_1.csv", deployment(101, 5101));
    house
}

/// Whether any of these words stands anywhere in the only public file, its name included.
fn tells(house: &House, words: &[&str]) -> Option<String> {
    let keys = objects(house, "public");
    let [key] = keys.as_slice() else { panic!("one public file, not {keys:?}") };
    let mut bytes = std::fs::read(house.path(&format!("buckets/public/{key}"))).expect("a file");
    bytes.extend_from_slice(key.as_bytes());
    let found = |word: &&&str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    words.iter().find(found).map(|word| (*word).to_owned())
}

const SECRETS: [&str; 8] = ["Kotuku", "Skipper", "skipper@", "5101", "0101", "vid301", "participation", "vessel_name"];

#[tokio::test]
async fn an_agreed_deployment_becomes_public_without_names_and_numbers() {
    let house = house("", "", "yes");
    let runs = house.run_once().await;
    let run = run_of(&runs, "publish", "0101/MOANA_0101_1_qc.nc");
    succeeded(&run);
    let keys = objects(&house, "public");
    assert!(keys[0].starts_with("MOANA_20220624_040300_") && keys[0].ends_with("_published.nc"), "{keys:?}");
    assert_eq!(tells(&house, &SECRETS), None);
    let mut public = NetCdf::open(&house, &format!("buckets/public/{}", keys[0]));
    let mut private = NetCdf::open(&house, "buckets/private/0101/MOANA_0101_1_qc.nc");
    for name in ["TIME", "LATITUDE", "LONGITUDE", "DEPTH", "PRESSURE", "TEMPERATURE", "QC_FLAG", "POSITION_QC"] {
        assert_eq!(public.values(name), private.values(name), "{name}");
    }
    assert!(!public.variables().iter().any(|name| name.starts_with("flag_") || name == "SOURCE_LINE"));
    assert_eq!(public.attribute("program").as_deref(), Some("Moana"));
}

#[tokio::test]
async fn what_is_not_agreed_stays_private_and_nothing_is_evaluated() {
    for public in ["False", "", "not True", "__import__('os').system('touch evaluated')"] {
        let house = house("", "", &format!("\"{public}\""));
        let runs = house.run_once().await;
        let run = run_of(&runs, "publish", "0101/MOANA_0101_1_qc.nc");
        succeeded(&run);
        assert!(run.note.is_some_and(|note| note.starts_with("stays private: ")));
        assert!(objects(&house, "public").is_empty(), "{public}");
        assert!(!house.path("evaluated").exists());
    }
}

#[tokio::test]
async fn withheld_positions_cannot_be_found_out() {
    let house = house("", "positions = \"withheld\"", "True");
    house.run_once().await;
    let key = objects(&house, "public").remove(0);
    let mut file = NetCdf::open(&house, &format!("buckets/public/{key}"));
    assert_eq!((file.numbers("LATITUDE"), file.numbers("LONGITUDE")), (vec![-35.0], vec![175.0]));
    // Depth of a pressure depends on the latitude.
    let depths = file.numbers("DEPTH");
    let expected = tidegate_ocean::depth::PressureToDepth::at(-35.0).depth(30.0);
    assert_eq!(depths[30] as f32, expected as f32);
    assert_eq!(tells(&house, &["35.1", "174.3"]), None);
}

#[tokio::test]
async fn squares_are_told_by_their_middle() {
    let house = house("", "positions = \"0.5\"", "True");
    house.run_once().await;
    let key = objects(&house, "public").remove(0);
    let mut file = NetCdf::open(&house, &format!("buckets/public/{key}"));
    assert_eq!(file.numbers("LATITUDE"), vec![-35.25; 61]);
    assert_eq!(file.numbers("LONGITUDE"), vec![174.25; 61]);
}

#[tokio::test]
async fn attributes_become_public_only_if_the_file_says_so() {
    let house = house("", "also = [\"vessel_name\"], attributes = { license = \"CC0-1.0\" }", "True");
    house.run_once().await;
    let key = objects(&house, "public").remove(0);
    let file = NetCdf::open(&house, &format!("buckets/public/{key}"));
    assert_eq!(file.attribute("vessel_name").as_deref(), Some("Kotuku 1"));
    assert_eq!(file.attribute("license").as_deref(), Some("CC0-1.0"));
    assert_eq!(file.attribute("vessel_email"), None);
}

#[tokio::test]
async fn what_was_public_and_may_not_be_any_more_is_told() {
    let house = house("", "", "True");
    house.run_once().await;
    let key = objects(&house, "public").remove(0);
    let table = format!("{VESSELS}{}", vessel("1", "Bottom trawl", 101, 5101, "False"));
    house.write("buckets/participation/vessels-2.csv", table);
    house.write("buckets/raw/0101/MOANA_0101_1.csv", format!("{}\n", deployment(101, 5101)));
    let runs = house.run_once().await;
    let failed = runs.iter().find(|run| run.state == RunState::Failed).expect("a failure");
    let failure = failed.failure.as_ref().expect("a failure");
    assert_eq!((failed.function.as_str(), failure.code.as_str()), ("publish", "R0342"));
    assert!(failure.reason.contains(&key), "{failure}");
    assert_eq!(status_of(&house).await, ["no".to_owned(), key.clone()]);

    std::fs::remove_file(house.path(&format!("buckets/public/{key}"))).expect("it was public");
    house.retry("R0342").await;
    let after = house.run_once().await;
    let retried = after.iter().find(|run| run.run == failed.run).expect("the same run");
    let note = retried.note.as_deref().expect("a note");
    assert!(note.starts_with("stays private: "), "{note}");
    assert_eq!(status_of(&house).await, ["no", "-"], "what was deleted is public no more");
}

/// `is_public` and `public_file` of the only deployment.
async fn status_of(house: &House) -> Vec<String> {
    let table = house.table("deployments").await;
    let (columns, _) = table.columns().await.expect("columns").expect("a table");
    let rows = tidegate_stores::testing::table::rows(table.as_ref()).await;
    let place = |name: &str| columns.iter().position(|(known, _)| known == name).expect("a column");
    ["is_public", "public_file"].map(|name| rows[0][place(name)].clone()).to_vec()
}

#[tokio::test]
async fn what_was_public_is_known_without_a_table_of_deployments() {
    let without = |public: &str| {
        let text = pipeline("", "").replace("into = [\"public\", \"deployments\"]", "into = \"public\"");
        assert_ne!(text, pipeline("", ""));
        let table = format!("{VESSELS}{}", vessel("1", "Bottom trawl", 101, 5101, public));
        (text, table)
    };
    let (text, table) = without("True");
    let house = House::new(&text);
    house.write("buckets/participation/vessels.csv", table);
    house.write("buckets/raw/0101/MOANA_0101_1.csv", deployment(101, 5101));
    house.run_once().await;
    let key = objects(&house, "public").remove(0);
    house.write("buckets/participation/vessels-2.csv", without("False").1);
    house.write("buckets/raw/0101/MOANA_0101_1.csv", format!("{}\n", deployment(101, 5101)));
    let runs = house.run_once().await;
    let failed = runs.iter().find(|run| run.state == RunState::Failed).expect("a failure");
    let failure = failed.failure.as_ref().expect("a failure");
    assert!(failure.code == "R0342" && failure.reason.contains(&key), "{failure}");
}

#[tokio::test]
async fn the_layout_of_ops_qc_is_published_by_its_own_rule() {
    let qc = "rules = \"ops_qc-0.6.0\", layout = \"ops_qc\"";
    let house = house(qc, "", "True");
    let runs = house.run_once().await;
    succeeded(&run_of(&runs, "publish", "0101/MOANA_0101_1_qc.nc"));
    assert_eq!(objects(&house, "public"), ["MOANA_20220624_040300_published.nc"]);
    assert_eq!(tells(&house, &SECRETS[..4]), None);
    let file = NetCdf::open(&house, "buckets/public/MOANA_20220624_040300_published.nc");
    let names = ["TIME", "LATITUDE", "LONGITUDE", "TEMP", "DEPTH", "PRESSURE"];
    assert_eq!(file.variables()[..6], names);
    assert_eq!(file.attribute("time_coverage_start").as_deref(), Some("24/06/2022 04:00:00"));
    assert_eq!(file.attribute("instrument").as_deref(), Some("Moana TD1000"));
    for public in ["TRUE", "yes"] {
        let house = self::house(qc, "", public);
        house.run_once().await;
        assert!(objects(&house, "public").is_empty(), "{public}");
    }
}

#[tokio::test]
async fn a_strange_file_is_refused() {
    let house = house("", "", "True");
    house.write("buckets/private/strange_qc.nc", "CDF\x01 but no more");
    let runs = house.run_once().await;
    let failure = run_of(&runs, "publish", "strange_qc.nc").failure.expect("a failure");
    assert_eq!(failure.code, "R0341");
    succeeded(&run_of(&runs, "publish", "0101/MOANA_0101_1_qc.nc"));
}
