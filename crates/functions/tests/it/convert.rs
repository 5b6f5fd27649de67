//! `convert`: a file a cruise or a cast, in the format that is asked for.

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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_converted_says_what_it_looks_like() {
    let house = House::new(&pipeline("to = \"csv\""));
    house.write("buckets/data/a.csv", "a,b\n1,2\n");
    let runs = house.run_once().await;
    let failure = runs[0].failure.as_ref().expect("a failure");
    assert_eq!(failure.code, "R0702");
    assert!(failure.reason.contains("csv"), "{failure}");
}
