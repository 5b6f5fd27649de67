//! The public file after CF-1.8 and ACDD-1.3: values, their summary flags, and nothing that tells whose they are.

use std::io::{Read, Seek, Write};

use jiff::Timestamp;
use tidegate_formats::Error as FormatError;
use tidegate_formats::netcdf::cf::{self, Column, Content, Position, Rows, Trajectory, Vertical};
use tidegate_formats::netcdf::{Attribute, Source};
use tidegate_ocean::flag::Scheme;

use super::options::Options;
use super::place::Place;
use super::source::QcFile;
use crate::profile_qc::describe::{self, SUMMARIES};

/// Writes the file under a name that tells nothing of the sensor.
pub(super) fn write<R: Read + Seek, W: Write>(
    output: W,
    file: &QcFile<R>,
    place: &Place,
    options: &Options,
    name: &str,
    now: Timestamp,
) -> Result<W, FormatError> {
    let len = file.len();
    let depth = |pressure: f64| place.depth.as_ref().map_or(f64::NAN, |depth| depth.depth(pressure));
    let mut variables = describe::quantities().to_vec();
    let mut columns = vec![Column::Quantity(file.source("TEMPERATURE")), Column::Quantity(file.source("PRESSURE"))];
    let meanings = file.meanings();
    for (name, of, _, judges) in SUMMARIES {
        let mut variable = describe::summary_flags(name, of, judges, Scheme::Iode);
        if let (Content::Flags(flags), Some(meanings)) = (&mut variable.content, &meanings) {
            flags.meanings.clone_from(meanings);
        }
        variables.push(variable);
        columns.push(Column::Flags(file.flags(name)));
    }
    let positions = || file.numbers("LATITUDE").zip(file.numbers("LONGITUDE")).map(|(lat, lon)| place.tell(lat, lon));
    let rows = Rows {
        time: Source::new(len, || file.times()),
        position: match place.area {
            Some(area) => Position::Area(area),
            None => Position::Track {
                latitude: Source::new(len, move || positions().map(|(latitude, _)| latitude)),
                longitude: Source::new(len, move || positions().map(|(_, longitude)| longitude)),
            },
        },
        vertical: match place.depth {
            None => file.source("DEPTH"),
            Some(_) => Source::new(len, move || file.numbers("PRESSURE").map(depth)),
        },
        columns,
    };
    let trajectory = Trajectory {
        id: name.to_owned(),
        attributes: attributes(file, place, options),
        history: history(file, place, now),
        vertical: Vertical::Depth,
        position_resolution: match place.rule.positions {
            tidegate_ocean::publication::Positions::Binned(degrees) => degrees,
            _ => 1e-6,
        },
        vertical_resolution: 0.1,
        platform: vec![Attribute::new("comment", "the name of the vessel is withheld")],
        instrument: instrument(file),
        variables,
    };
    cf::write(output, &trajectory, &rows, now)
}

/// What people told for everybody, and what is on the list of attributes that may be public.
fn attributes<R: Read + Seek>(file: &QcFile<R>, place: &Place, options: &Options) -> Vec<Attribute> {
    let mut allowed: Vec<String> = describe::asked().into_iter().map(str::to_owned).collect();
    allowed.extend(place.rule.attributes.iter().cloned());
    allowed.extend(options.also.iter().cloned());
    let found = allowed.into_iter().filter_map(|name| file.attribute(&name).map(|text| (name, text)));
    let all: Vec<(String, String)> = options.attributes.iter().cloned().chain(found).collect();
    describe::told(&all, &[])
}

fn history<R: Read + Seek>(file: &QcFile<R>, place: &Place, now: Timestamp) -> Vec<(Timestamp, String)> {
    let text = |name: &str| file.attribute(name).unwrap_or_default();
    let controlled: Timestamp = text("date_quality_controlled").parse().unwrap_or(now);
    let mut control = "quality controlled".to_owned();
    for (what, name) in
        [("with the rule set", "rule_set"), ("tests:", "qc_tests_applied"), ("not run:", "qc_tests_failed")]
    {
        let said = text(name);
        if !said.is_empty() {
            control.push_str(&format!("; {what} {said}"));
        }
    }
    let mut history = vec![(controlled, control)];
    // Who decided, and why, is told in the private file.
    let decisions = text("history").lines().filter(|line| line.contains(" set to ") && line.contains(" by ")).count();
    if decisions > 0 {
        history.push((controlled, format!("flags changed by people: {decisions} decisions")));
    }
    let positions = match place.rule.positions {
        tidegate_ocean::publication::Positions::Exact => "positions as measured".to_owned(),
        tidegate_ocean::publication::Positions::Withheld => "positions withheld".to_owned(),
        tidegate_ocean::publication::Positions::Binned(degrees) => format!("positions in squares of {degrees} degrees"),
    };
    history.push((now, format!("made public without names and serial numbers; {positions}")));
    history
}

fn instrument<R: Read + Seek>(file: &QcFile<R>) -> Vec<Attribute> {
    let mut instrument = Vec::new();
    for (name, attribute) in
        [("make_model", "instrument"), ("firmware", "moana_firmware"), ("calibration_date", "moana_calibration_date")]
    {
        if let Some(text) = file.attribute(attribute).filter(|text| !text.is_empty()) {
            instrument.push(Attribute::new(name, text));
        }
    }
    instrument
}
