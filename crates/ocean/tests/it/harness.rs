//! Reads a deployment, a vessel table and a table of reference flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tidegate_formats::{csv, moana};
use tidegate_ocean::attribute::Attributes;
use tidegate_ocean::deployment::{Builder, Deployment, Row, Variable};
use tidegate_ocean::vessel::{Vessel, Vessels};

/// Reference data, if they are at hand.
pub(crate) fn shared(part: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(part);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no reference data in {}", path.display());
    None
}

/// A deployment as either conduct sees it.
pub(crate) fn deployment(bytes: &[u8], name: &str, is_ops_qc: bool) -> (Deployment, moana::Account) {
    let mut reader = moana::Reader::new(bytes, &moana::Options::default()).expect("memory");
    let (mut builder, mut rows) = (Builder::default(), moana::Rows::default());
    while reader.read(&mut rows).expect("memory") {
        for index in 0..rows.len() {
            builder.push(Row {
                line: rows.line[index],
                time: rows.time[index],
                latitude: rows.latitude[index],
                longitude: rows.longitude[index],
                pressure: rows.pressure[index],
                temperature: rows.temperature[index],
                is_cut: rows.is_short[index],
            });
        }
    }
    let (header, account) = reader.into_parts();
    let pairs = if is_ops_qc { moana::ops_qc::attributes(&header, &account) } else { header.attributes() };
    let mut deployment = builder.finish(name, Attributes::from_iter(pairs));
    if is_ops_qc {
        let failure = moana::ops_qc::failure(&header, &account);
        deployment.ops_qc_failure = failure.map(|failure| (failure.mode, failure.detail));
        let variable = |column| if column == moana::Column::Pressure { Variable::Pressure } else { Variable::Position };
        let words = moana::ops_qc::words(&account).into_iter();
        deployment.words = words.map(|(line, column)| (line, variable(column))).collect();
    }
    (deployment, account)
}

/// The rows of a CSV as maps from column name to text.
pub(crate) fn table(path: &Path) -> (Vec<String>, Vec<BTreeMap<String, String>>) {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut reader = csv::Reader::new(bytes.as_slice(), &csv::Options::default()).expect("a CSV");
    let names: Vec<String> = reader.read().expect("a CSV").expect("a header").iter().map(str::to_owned).collect();
    let mut rows = Vec::new();
    while let Some(record) = reader.read().expect("a CSV") {
        rows.push(names.iter().cloned().zip(record.iter().map(str::to_owned)).collect());
    }
    (names, rows)
}

pub(crate) fn vessels(path: &Path) -> Vessels {
    let (_, rows) = table(path);
    Vessels(rows.iter().map(|row| Vessel::read(|name| row.get(name).map(String::as_str))).collect())
}
