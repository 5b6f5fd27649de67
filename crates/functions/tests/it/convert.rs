//! `convert`: a file a cruise or a cast, a track or a table, in the format that is asked for.

use tidegate_formats::wibl::{Fix, Packet, Stamp};
use tidegate_model::RunState;

use crate::harness::House;

const BOTTLE: &str = "BOTTLE,20240101TEST\nEXPOCODE,STNNBR,CASTNO,SAMPNO,DATE,TIME,LATITUDE,LONGITUDE,CTDPRS,OXYGEN\n\
    ,,,,,,,,DBAR,UMOL/KG\n99ZZ,1,1,1,20240101,0100,-30.5,179.9,5.5,200.5\n\
    99ZZ,A/2,1,1,20240102,0100,-31.5,-179.9,15.5,-999\nEND_DATA\n";

fn pipeline(with: &str) -> String {
    format!(
        "[pipeline]\nname = \"convert\"\n[bucket.data]\n[bucket.out]\n[function.convert]\n\
         on = {{ created = \"data\" }}\nrun = \"convert\"\ninto = \"out\"\nwith = {{ {with} }}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cruise_becomes_a_file_in_each_format() {
    for (to, begins) in [("netcdf", &b"CDF\x01"[..]), ("parquet", b"PAR1"), ("csv", b"EXPOCODE,STNNBR,")] {
        let house = House::new(&pipeline(&format!("to = \"{to}\"")));
        house.write("buckets/data/sub/a_hy1.csv", BOTTLE);
        let runs = house.run_once().await;
        assert_eq!(runs[0].state, RunState::Succeeded, "{:?}", runs[0].failure);
        let suffix = if to == "netcdf" { "nc" } else { to };
        let bytes = std::fs::read(house.path(&format!("buckets/out/sub/a_hy1.{suffix}"))).expect("an output");
        assert!(bytes.starts_with(begins), "{to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cast_becomes_a_file_whose_name_is_safe() {
    let house = House::new(&pipeline("to = \"csv\", files = \"cast\""));
    house.write("buckets/data/a_hy1.csv", BOTTLE);
    let runs = house.run_once().await;
    assert_eq!(runs[0].note.as_deref(), Some("2 casts in 2 files"));
    let text = std::fs::read_to_string(house.path("buckets/out/a_hy1/99ZZ_A_2_1.csv")).expect("an output");
    assert!(text.lines().nth(1).is_some_and(|row| row.starts_with("99ZZ,A/2,1,20240102,0100,-31.5,-179.9,")), "{text}");
    assert!(house.path("buckets/out/a_hy1/99ZZ_1_1.csv").is_file());
}

/// Profiles in NetCDF-4, as netCDF-C wrote them.
pub(crate) const PROFILES: &[u8] = include_bytes!("../../../formats/tests/it/netcdf/profiles-4.nc");

const MOANA: &str = "Moana Serial Number,38\nDateTime (UTC),Lat,Lon,Depth (dBar),Temperature C\n\
    20210624T040108,-35.146706,+174.338045,1.2,17.559\n20210624T040208,-35.15,+174.34,5.5,17.25\n\
    20210624T040208,-35.15,+174.34,5.5,17.25\nEND7";

/// Two minutes of a logger: a time, a fix and a depth each second.
pub(crate) fn logger() -> Vec<u8> {
    let mut bytes = Vec::new();
    Packet::CURRENT_VERSION.write(&mut bytes);
    for second in 0..120_u32 {
        let time = 43_200.0 + f64::from(second);
        let stamp = Stamp { date: 19_522, time, elapsed: 5_000 + second * 1_000 };
        let fix = Fix {
            date: 19_522,
            time,
            latitude: 43.07 + f64::from(second) / 1e4,
            longitude: -70.71,
            altitude: 12.5,
            receiver: 0,
            method: 2,
            satellites: 12,
            hdop: 0.9,
            pdop: 1.4,
            separation: -32.1,
            stations: 0,
            station_type: 0,
            station: 0,
            correction_age: 0.0,
        };
        Packet::SystemTime { stamp, source: 0 }.write(&mut bytes);
        Packet::Gnss { stamp, fix }.write(&mut bytes);
        Packet::Depth { stamp, depth: 12.5 + f64::from(second) / 8.0, offset: 0.0, range: 200.0 }.write(&mut bytes);
    }
    bytes
}

/// What becomes of one object, and what the run says of it.
async fn converted(with: &str, name: &str, bytes: &[u8], output: &str) -> (Vec<u8>, String) {
    let house = House::new(&pipeline(with));
    house.write(&format!("buckets/data/{name}"), bytes);
    let runs = house.run_once().await;
    assert_eq!(runs[0].state, RunState::Succeeded, "{name}: {:?}", runs[0].failure);
    let bytes = std::fs::read(house.path(&format!("buckets/out/{output}"))).expect("an output");
    (bytes, runs[0].note.clone().unwrap_or_default())
}

async fn as_csv(name: &str, bytes: &[u8], output: &str) -> (Vec<String>, String) {
    let (bytes, note) = converted("to = \"csv\"", name, bytes, output).await;
    let text = String::from_utf8(bytes).expect("text");
    (text.lines().map(str::to_owned).collect(), note)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_keeps_its_values_and_types_on_its_way_to_parquet_and_back() {
    let table = "code,count,depth,when\n007,1,2.5,2024-01-01\n012,,-3,\nshort\n";
    let (parquet, note) = converted("to = \"parquet\"", "sub/a.b.csv", table.as_bytes(), "sub/a.b.parquet").await;
    assert_eq!(note, "2 rows; left out: 1 row of another width than the header");
    let (lines, note) = as_csv("a.parquet", &parquet, "a.csv").await;
    assert_eq!(lines, ["code,count,depth,when", "007,1,2.5,2024-01-01", "012,,-3,"]);
    assert_eq!(note, "2 rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn tracks_and_profiles_become_rows() {
    let (lines, _) = as_csv("m.csv", MOANA.as_bytes(), "m.csv").await;
    assert_eq!(lines[0], "TIME,LATITUDE,LONGITUDE,PRESSURE [dbar],TEMPERATURE [degree_Celsius]");
    assert_eq!((lines[1].as_str(), lines.len()), ("2021-06-24T04:01:08Z,-35.146706,174.338045,1.2,17.559", 4));
    let (lines, _) = as_csv("log.wibl", &logger(), "log.csv").await;
    assert_eq!((lines[1].as_str(), lines.len()), ("2023-06-14T12:00:00Z,43.07,-70.71,12.5", 121));
    let (lines, note) = as_csv("p.nc", PROFILES, "p.csv").await;
    assert_eq!(lines.len(), 76);
    assert_eq!(
        note,
        "75 rows; left out: variables that do not fit the rows: `pairs`; left out: 45 places without a value"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_converted_says_what_it_looks_like() {
    for (to, name, bytes, says) in [
        ("csv", "a.json", &b"{\"a\": 1}"[..], "json"),
        ("netcdf", "a.csv", b"a,b\n1,2\n", "looks like csv"),
        ("parquet", "notes", b"hello", "unknown"),
    ] {
        let house = House::new(&pipeline(&format!("to = \"{to}\"")));
        house.write(&format!("buckets/data/{name}"), bytes);
        let runs = house.run_once().await;
        let failure = runs[0].failure.as_ref().expect("a failure");
        assert_eq!(failure.code, "R0702");
        assert!(failure.reason.contains(says), "{failure}");
    }
}

/// What people would tell of a track.
fn told() -> String {
    let special = [
        ("creator_type", "institution"),
        ("publisher_type", "institution"),
        ("creator_email", "data@example.org"),
        ("publisher_email", "data@example.org"),
        ("creator_url", "https://example.org"),
        ("publisher_url", "https://example.org"),
        ("metadata_link", "https://example.org/track"),
        ("keywords_vocabulary", "GCMD Science Keywords"),
    ];
    let value = |name: &str| special.iter().find(|(special, _)| *special == name).map_or("told", |(_, value)| value);
    let asked = tidegate_formats::netcdf::cf::missing_of(&[]);
    let all: Vec<String> = asked.into_iter().map(|name| format!("{name} = \"{}\"", value(name))).collect();
    format!("attributes = {{ {} }}", all.join(", "))
}

#[tokio::test(flavor = "multi_thread")]
async fn tracks_become_trajectories_that_score_all_points() {
    let without_time = MOANA.replace("20210624T040108", "never");
    let inputs: [(&str, Vec<u8>, &str); 3] = [
        ("m.csv", MOANA.into(), "2 rows; 1 row with the time of another left out"),
        ("log.wibl", logger(), "120 rows"),
        (
            "n.csv",
            without_time.into_bytes(),
            "1 row; 1 row without a time left out; 1 row with the time of another left out",
        ),
    ];
    let house = House::new(&pipeline(&told()));
    for (name, bytes, _) in &inputs {
        house.write(&format!("buckets/data/{name}"), bytes);
    }
    let runs = house.run_once().await;
    for (name, _, note) in &inputs {
        let run = runs.iter().find(|run| run.event.name().ends_with(name)).expect("a run");
        assert_eq!(run.note.as_deref(), Some(*note), "{name}: {:?}", run.failure);
    }
    let Some(programs) = crate::profile_qc::score::programs() else { return };
    let paths: Vec<_> = ["m.nc", "log.nc"].map(|name| house.path(&format!("buckets/out/{name}"))).into();
    crate::profile_qc::score::assert_full_score(&programs, &paths);
}
