//! Kind `profile-qc` as a pipeline runs it: files of sensors land in a bucket, and what was measured, with its flags, is in
//! another.

mod files;
mod overrides;
mod publish;
mod reference;
pub(crate) mod score;
mod status;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use tidegate_formats::netcdf::{Reader, Values};
use tidegate_model::RunState;
use tidegate_stores::RunRecord;

use crate::harness::House;

/// A pipeline of all functions; `qc` and `publish` are what stands after their `with =`.
pub(crate) fn pipeline(qc: &str, publish: &str) -> String {
    format!(
        r#"
[pipeline]
name = "profiles"
[bucket.raw]
[bucket.participation]
[bucket.private]
ignore = ["**/*_qc.csv", "**/*_qc.parquet"]
[bucket.public]
[table.vessels]
key = {{ internal_id = "string" }}
[table.overrides]
[table.deployments]
key = {{ deployment = "string" }}
[function.register-vessels]
on = {{ created = "participation", keys = "vessels*.csv" }}
run = "csv-to-table"
into = "vessels"
with = {{ key_from = "internal_id", infer = false }}
[function.register-overrides]
on = {{ created = "participation", keys = "overrides*.csv" }}
run = "csv-to-table"
into = "overrides"
with = {{ infer = false }}
[function.qc]
on = {{ created = "raw", keys = "**/*.csv" }}
run = "profile-qc"
reads = ["vessels", "overrides"]
into = ["private", "deployments"]
retry = {{ attempts = 1 }}
with = {{ {qc} }}
[function.publish]
on = {{ created = "private", keys = "**/*_qc.nc" }}
run = "publish"
into = ["public", "deployments"]
with = {{ {publish} }}
"#
    )
}

/// The header of a table of vessels.
pub(crate) const VESSELS: &str = ",Fishing method,Fisherman name,Vessel name,Vessel id,Fisherman contact phone,Contact email,\
    Mangopare serial number,Deck unit serial number,Date supplied,Date returned,Active/Terminated,Comments,Email Status,\
    Email Frequency,Programme,Public,WIGOS ID,Publication Date\n";

/// A row of it: a vessel with a sensor, a deck unit and a method.
pub(crate) fn vessel(id: &str, method: &str, sensor: u32, deck_unit: u32, public: &str) -> String {
    format!(
        "{id},{method},A. Skipper,Kotuku {id},30{id},,skipper@example.org,{sensor},{deck_unit},01/06/2021,,Active,,Active,Daily,\
         Moana,{public},,01/01/2020\n"
    )
}

/// A deployment of a sensor: one cast to 30 dbar, and back.
pub(crate) fn deployment(sensor: u32, deck_unit: u32) -> String {
    let mut text = format!(
        " Deck unit serial number,{deck_unit}\r\nDeck unit firmware version,4.10\nDownload Time,24/06/2022 06:00:00\r\n\
         Moana Serial Number,{sensor}\nMoana Firmware,MOANA-3.05\nMoana calibration date,16/03/2021\n\
         Max Lifetime Depth (dBar),220.9\nDateTime (UTC),Lat,Lon,Depth (dBar),Temperature C\r\n"
    );
    for index in 0..61_u32 {
        let (minute, second) = (index * 3 / 60, index * 3 % 60);
        let pressure = if index < 31 { f64::from(index) } else { 60.0 - f64::from(index) };
        let longitude = 174.338045 + f64::from(index) * 1e-5;
        let temperature = 17.559 - pressure / 20.0;
        text.push_str(&format!(
            "20220624T04{minute:02}{second:02},-35.146706,+{longitude:.6},{pressure:.1},{temperature:.3}\n"
        ));
    }
    text.push_str("\r\nEND7");
    text
}

/// Reference data, if they are at hand.
#[expect(clippy::print_stderr, reason = "a comparison that is skipped says so")]
pub(crate) fn shared(part: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(part);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no reference data in {}", path.display());
    None
}

/// The runs of a function by the key of their object.
pub(crate) fn runs_of(runs: &[RunRecord], function: &str) -> BTreeMap<String, RunRecord> {
    let of_function = runs.iter().filter(|run| run.function == function);
    of_function.map(|run| (run.event.object().expect("an object").key.clone(), run.clone())).collect()
}

/// The run of a function on a key.
#[track_caller]
pub(crate) fn run_of(runs: &[RunRecord], function: &str, key: &str) -> RunRecord {
    runs_of(runs, function).remove(key).unwrap_or_else(|| panic!("no run of `{function}` on `{key}`"))
}

/// Asserts that a run succeeded.
#[track_caller]
pub(crate) fn succeeded(run: &RunRecord) {
    assert_eq!(run.state, RunState::Succeeded, "{} {:?}", run.event.name(), run.failure);
}

/// A NetCDF file of a house.
pub(crate) struct NetCdf(Reader<File>);

impl NetCdf {
    #[track_caller]
    pub(crate) fn open(house: &House, path: &str) -> Self {
        let path = house.path(path);
        let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(Reader::open(file).expect("a NetCDF file"))
    }

    pub(crate) fn has(&self, variable: &str) -> bool {
        self.0.definition().find(variable).is_some()
    }

    pub(crate) fn variables(&self) -> Vec<String> {
        self.0.definition().variables.iter().map(|variable| variable.name.clone()).collect()
    }

    #[track_caller]
    pub(crate) fn numbers(&mut self, variable: &str) -> Vec<f64> {
        self.values(variable).to_doubles().expect("numbers")
    }

    #[track_caller]
    pub(crate) fn values(&mut self, variable: &str) -> Values<'static> {
        let id = self.0.definition().find(variable).unwrap_or_else(|| panic!("no variable {variable}"));
        self.0.read_all(id).expect("values")
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        self.0.definition().get(name)?.text().map(str::to_owned)
    }

    #[track_caller]
    pub(crate) fn attribute_of(&self, variable: &str, name: &str) -> Option<String> {
        let id = self.0.definition().find(variable).unwrap_or_else(|| panic!("no variable {variable}"));
        self.0.definition()[id].get(name)?.text().map(str::to_owned)
    }
}

/// Every object of a bucket, by key.
pub(crate) fn objects(house: &House, bucket: &str) -> Vec<String> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).expect("below").to_string_lossy().into_owned());
            }
        }
    }
    let root = house.path(&format!("buckets/{bucket}"));
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found.retain(|key| !key.starts_with('.'));
    found.sort();
    found
}
