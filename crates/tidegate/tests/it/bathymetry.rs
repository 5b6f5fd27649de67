//! The bathymetry pipeline as its template and its demo show it.

use crate::place::Place;

#[test]
fn the_template_is_right_as_it_is_and_sends_nothing_before_it_is_told_to() {
    let place = Place::empty();
    place.run(&["new", "bathymetry", "node"]).ends(0).shows(&["node/tidegate.toml"]);
    let check = place.run(&["-C", "node", "check"]).ends(0);
    check.shows(&["is right", "wibl-process", "b12-validate", "http-submit", "submissions, staging"]);
    // Fresh trips, without the demo's archive.
    place.run(&["demo", "--keep", "demo"]).ends(0);
    std::fs::copy(
        place.path("demo/bathymetry/buckets/incoming/harbour.wibl"),
        place.path("node/buckets/incoming/harbour.wibl"),
    )
    .unwrap();
    place.run(&["-C", "node", "run", "--once"]).ends(0).shows(&["3 runs succeeded"]);
    let text = place.read("node/buckets/staging/harbour.json");
    assert!(text.starts_with("{\"type\": \"FeatureCollection\""));
    assert_eq!(place.json(&["-C", "node", "failures"])["failures"].as_array().map(Vec::len), Some(0));
    let runs = place.json(&["-C", "node", "runs"]).to_string();
    assert!(runs.contains("preview, nothing sent"), "{runs}");
}

#[test]
fn the_demo_sends_what_is_valid_and_tells_what_was_refused() {
    let place = Place::empty();
    let shown = place.json(&["demo", "--keep", "demo"]);
    let shown = shown.as_array().unwrap().iter().find(|shown| shown["pipeline"] == "bathymetry").unwrap();
    assert_eq!(
        (&shown["objects"], &shown["runs"]["succeeded"], &shown["runs"]["failed"]),
        (&5.into(), &11.into(), &2.into())
    );
    let codes: Vec<_> =
        shown["failures"].as_array().unwrap().iter().map(|one| one["failure"]["code"].clone()).collect();
    assert!(codes.contains(&"R0503".into()) && codes.contains(&"R0545".into()), "{codes:?}");
    let table = place.run(&["-C", "demo/bathymetry", "table", "export", "submissions", "--format", "csv"]).ends(0).out;
    assert_eq!((table.matches(",accepted,").count(), table.matches(",refused,").count()), (3, 1), "{table}");
    assert!(place.read("demo/bathymetry/buckets/staging/evening.json.reply").contains("DEMO-"));
    place.run(&["-C", "demo/bathymetry", "trace", "incoming/damaged-card.wibl"]).ends(0).shows(&["process succeeded"]);
}
