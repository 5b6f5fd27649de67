//! A made-up deployment with everything that a delivered file has.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tidegate_formats::netcdf::cf::{
    Area, Column, Content, Flags, Position, Rows, Trajectory, Variable, Vertical, missing, write,
};
use tidegate_formats::netcdf::{Attribute, Source};

/// When the files are written.
pub(super) const NOW: &str = "2026-03-01T10:20:30Z";

/// A deployment with everything that a delivered file has.
pub(super) struct Sample {
    pub(super) trajectory: Trajectory,
    pub(super) time: Vec<f64>,
    pub(super) latitude: Vec<f64>,
    pub(super) longitude: Vec<f64>,
    pub(super) depth: Vec<f64>,
    pub(super) pressure: Vec<f64>,
    pub(super) temperature: Vec<f64>,
    pub(super) flags: Vec<u8>,
    pub(super) lines: Vec<i32>,
    pub(super) area: Option<Area>,
}

pub(super) fn now() -> Timestamp {
    NOW.parse().expect("a time")
}

fn meanings() -> Vec<(i8, String)> {
    let words = ["no_qc_applied", "good", "probably_good", "probably_bad", "bad", "overwritten"];
    (0..).zip(words).map(|(value, word)| (value, word.to_owned())).collect()
}

pub(super) fn flags(name: &str, judges: &[&str], is_aggregate: bool) -> Variable {
    let judges = judges.iter().map(|judged| (*judged).to_owned()).collect();
    Variable {
        name: name.to_owned(),
        long_name: format!("quality of {name}"),
        content: Content::Flags(Flags { judges, meanings: meanings(), is_aggregate }),
        attributes: Vec::new(),
    }
}

pub(super) fn quantity(name: &str, standard_name: &str, units: &str, valid: [f32; 2]) -> Variable {
    Variable {
        name: name.to_owned(),
        long_name: name.to_lowercase(),
        content: Content::Quantity {
            standard_name: standard_name.to_owned(),
            units: units.to_owned(),
            valid: Some(valid),
        },
        attributes: Vec::new(),
    }
}

pub(super) fn trajectory() -> Trajectory {
    let text = |name: &str| match name {
        "creator_type" | "publisher_type" => "institution".to_owned(),
        name if name.ends_with("_url") || name == "metadata_link" => "https://example.org/".to_owned(),
        name if name.ends_with("_email") => "data@example.org".to_owned(),
        name => format!("what is said of {name}"),
    };
    let attributes = missing(&Trajectory::default()).into_iter().map(|name| Attribute::new(name, text(name)));
    let class = Variable {
        name: "PHASE".to_owned(),
        long_name: "phase of the deployment".to_owned(),
        content: Content::Class(vec![(0, "deployed".to_owned()), (1, "profile".to_owned())]),
        attributes: Vec::new(),
    };
    let number = Variable {
        name: "SOURCE_LINE".to_owned(),
        long_name: "line of the source file".to_owned(),
        content: Content::Label,
        attributes: Vec::new(),
    };
    Trajectory {
        id: "MOANA_0101_1".to_owned(),
        attributes: attributes.collect(),
        history: vec![("2026-02-01T00:00:00Z".parse().expect("a time"), "read out".to_owned())],
        vertical: Vertical::Depth,
        position_resolution: 1e-6,
        vertical_resolution: 0.1,
        platform: vec![Attribute::new("platform_code", "vid7")],
        instrument: vec![Attribute::new("make_model", "Moana TD200"), Attribute::new("serial_number", "101")],
        variables: vec![
            quantity("TEMPERATURE", "sea_water_temperature", "degree_Celsius", [-2.0, 40.0]),
            quantity("PRESSURE", "sea_water_pressure_due_to_sea_water", "dbar", [-5.0, 3000.0]),
            class,
            number,
            flags("TIME_QC", &["TIME"], true),
            flags("POSITION_QC", &["LATITUDE", "LONGITUDE"], true),
            flags("DEPTH_QC", &["DEPTH"], true),
            flags("TEMPERATURE_QC", &["TEMPERATURE"], true),
            flags("PRESSURE_QC", &["PRESSURE"], true),
            flags("QC_FLAG", &["TEMPERATURE", "PRESSURE"], true),
            flags("flag_spike_temp", &["TEMPERATURE"], false),
            flags("flag_global_range_pres", &["PRESSURE"], false),
        ],
    }
}

impl Sample {
    pub(super) fn new(count: usize) -> Self {
        let row = |scale: f64, offset: f64| (0..count).map(|row| offset + scale * row as f64).collect::<Vec<_>>();
        Self {
            trajectory: trajectory(),
            time: row(5.0, 1_624_507_268.0),
            latitude: row(1e-6, -35.146706),
            longitude: row(-1e-6, 174.338045),
            depth: (0..count).map(|row| (row % 100) as f64 * 0.993).collect(),
            pressure: (0..count).map(|row| (row % 100) as f64).collect(),
            temperature: (0..count).map(|row| 18.0 - (row % 100) as f64 * 0.03).collect(),
            flags: (0..count).map(|row| (row % 5) as u8).collect(),
            lines: (1..=count as i32).collect(),
            area: None,
        }
    }

    pub(super) fn rows(&self) -> Rows<'_> {
        let track =
            Position::Track { latitude: Source::from(&self.latitude), longitude: Source::from(&self.longitude) };
        let column = |variable: &Variable| match (&variable.content, variable.name.as_str()) {
            (Content::Quantity { .. }, "TEMPERATURE") => Column::Quantity(Source::from(&self.temperature)),
            (Content::Quantity { .. }, _) => Column::Quantity(Source::from(&self.pressure)),
            (Content::Class(_), _) => {
                Column::Flags(Source::new(self.flags.len(), || self.flags.iter().map(|flag| flag % 2)))
            }
            (Content::Flags(_), _) => Column::Flags(Source::from(&self.flags)),
            (Content::Label, _) => Column::Labels(Source::from(&self.lines)),
        };
        Rows {
            time: Source::from(&self.time),
            position: self.area.map_or(track, Position::Area),
            vertical: Source::from(&self.depth),
            columns: self.trajectory.variables.iter().map(column).collect(),
        }
    }

    pub(super) fn write(&self, directory: &Path, name: &str) -> PathBuf {
        let path = directory.join(format!("{name}.nc"));
        let bytes = write(Vec::new(), &self.trajectory, &self.rows(), now()).expect("a file");
        std::fs::write(&path, bytes).expect("space");
        path
    }
}
