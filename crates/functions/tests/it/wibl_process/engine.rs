//! Through the engine: a logger's file in one bucket, its GeoJSON in the other, and the verdict on it.

use tidegate_model::{Output, RunState};

use crate::harness::House;

use super::*;

const PIPELINE: &str = "[pipeline]\nname = \"t\"\n[bucket.incoming]\n[bucket.staging]\n[function.process]\n\
    on = { created = \"incoming\" }\nrun = \"wibl-process\"\ninto = \"staging\"\nwith = { provider = \"UNHJHC\" }\n\
    [function.validate]\non = { created = \"staging\" }\nrun = \"b12-validate\"\n";

#[tokio::test]
async fn a_file_is_converted_and_checked_and_a_bad_one_stops_no_other() {
    let Some(files) = files() else { return };
    let house = House::new(PIPELINE);
    for (name, path) in
        files.iter().filter(|(name, _)| ["n2k-systime", "no-real-time", "unknown-id-42"].contains(&name.as_str()))
    {
        house.write(&format!("buckets/incoming/a/{name}.wibl"), fs::read(path).expect("a file"));
    }
    house.write("buckets/incoming/empty.wibl", "");
    let runs = house.run_once().await;
    let of = |function: &str, name: &str| {
        runs.iter().find(|run| run.function == function && run.event.name().contains(name)).expect("the run")
    };
    let run = of("process", "n2k-systime");
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.failure);
    assert!(
        run.note.as_deref().is_some_and(|note| note.contains("soundings of 120 depths by Depth")),
        "{:?}",
        run.note
    );
    assert!(matches!(&run.outputs[0], Output::Object { key, .. } if key == "a/n2k-systime.json"));
    let text = fs::read_to_string(house.path("buckets/staging/a/n2k-systime.json")).expect("the output");
    assert!(text.starts_with("{\"type\": \"FeatureCollection\""));
    assert_eq!(of("process", "unknown-id-42").rejected, 1, "the packet");
    assert_eq!(of("process", "no-real-time").failure.as_ref().expect("a failure").code, "R0503");
    assert_eq!(of("process", "empty").failure.as_ref().expect("a failure").code, "R0502");
    for name in ["n2k-systime", "unknown-id-42"] {
        let run = of("validate", name);
        assert_eq!(run.state, RunState::Succeeded, "{:?}", run.failure);
        assert!(run.note.as_deref().is_some_and(|note| note.contains("UNHJHC-e8c469f8")), "{:?}", run.note);
    }
}
