//! The private file of a deployment after CF-1.8 and ACDD-1.3: every value, every flag of every test, and what is known of
//! sensor and vessel.

use std::io::Write;

use jiff::Timestamp;
use tidegate_formats::Error as FormatError;
use tidegate_formats::netcdf::cf::{self, Area, Column, Content, Position, Rows, Trajectory, Variable, Vertical};
use tidegate_formats::netcdf::{Attribute, Source};
use tidegate_ocean::check::Checked;
use tidegate_ocean::flag::{Flags, NOT_EVALUATED, Scheme};
use tidegate_ocean::leg::phases;

use super::describe::{self, SUMMARIES};

/// Where a deployment is of which no row has a position.
pub(crate) const GLOBE: Area = Area { south: -90.0, north: 90.0, west: -180.0, east: 180.0 };

/// Writes the file. All rows stay where they are: columns are gone through one after the other.
pub(super) fn write<W: Write>(
    output: W,
    checked: &Checked,
    scheme: Scheme,
    told: &[(String, String)],
    now: Timestamp,
) -> Result<W, FormatError> {
    let rows = &checked.rows;
    let len = rows.len();
    let unknown = Flags::new(NOT_EVALUATED, len);
    let mut variables = describe::quantities().to_vec();
    let mut columns = vec![
        Column::Quantity(Source::new(len, || rows.temperature.iter())),
        Column::Quantity(Source::new(len, || rows.pressure.iter())),
    ];
    variables.extend(classes());
    columns.push(Column::Flags(Source::new(len, || phases(rows).map(|phase| u8::from(phase == 'P')))));
    columns.push(Column::Flags(Source::new(len, || checked.legs.iter().map(|leg| leg as u8))));
    columns.push(Column::Labels(Source::new(len, || {
        rows.line.iter().map(|line| i32::try_from(line).unwrap_or(i32::MAX))
    })));
    let summary = |variable| match (&checked.flags, variable) {
        (None, _) => &unknown,
        (Some(flags), None) => &flags.overall,
        (Some(flags), Some(variable)) => flags.of_variable(variable).unwrap_or(&unknown),
    };
    for (name, of, variable, judges) in SUMMARIES {
        variables.push(describe::summary_flags(name, of, judges, scheme));
        columns.push(flag_column(summary(variable), scheme));
    }
    for test in &checked.tests {
        for column in &test.columns {
            variables.push(test_variable(test, column, scheme));
            columns.push(flag_column(&column.flags, scheme));
        }
    }
    let trajectory = Trajectory {
        id: id(&checked.name),
        attributes: attributes(checked, told),
        history: history(checked, now),
        vertical: Vertical::Depth,
        position_resolution: 1e-6,
        vertical_resolution: 0.1,
        platform: platform(checked),
        instrument: instrument(checked),
        variables,
    };
    let rows = Rows {
        time: Source::new(len, || rows.time.iter().map(seconds)),
        position: match rows.latitude.extent() {
            // Somewhere, and its flags say that nobody knows where.
            None => Position::Area(GLOBE),
            Some(_) => Position::Track {
                latitude: Source::new(len, || rows.latitude.iter()),
                longitude: Source::new(len, || rows.longitude.iter()),
            },
        },
        vertical: Source::new(len, || checked.depths()),
        columns,
    };
    cf::write(output, &trajectory, &rows, now)
}

/// Seconds since 1970 of microseconds.
#[expect(clippy::cast_precision_loss, reason = "a double counts microseconds exactly for 285 years")]
pub(super) fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

fn flag_column(flags: &Flags, scheme: Scheme) -> Column<'_> {
    Column::Flags(Source::new(flags.len(), move || flags.iter().map(move |flag| scheme.write(flag))))
}

fn classes() -> [Variable; 3] {
    let class = |name: &str, long_name: &str, words: &[&str]| Variable {
        name: name.to_owned(),
        long_name: long_name.to_owned(),
        content: Content::Class((0_i8..).zip(words.iter().map(|word| (*word).to_owned())).collect()),
        attributes: Vec::new(),
    };
    let line = Variable {
        name: "SOURCE_LINE".to_owned(),
        long_name: "line of the sensor's file, from 1".to_owned(),
        content: Content::Label,
        attributes: Vec::new(),
    };
    [
        class("PHASE", "a step of 4 minutes or more since the row before means deployed", &["deployed", "profile"]),
        class("LEG", "part of the haul", &["surface", "down", "bottom", "up"]),
        line,
    ]
}

fn test_variable(
    test: &tidegate_ocean::qc::TestResult,
    column: &tidegate_ocean::qc::Column,
    scheme: Scheme,
) -> Variable {
    let name = if column.name.starts_with("flag_") { column.name.clone() } else { format!("flag_{}", column.name) };
    let long_name = format!("quality flag of the test {}", test.test.replace('_', " "));
    let mut variable = describe::flags(&name, &long_name, describe::judged(column.variable), scheme, false);
    if let Some(reason) = &test.not_run {
        variable.attributes.push(Attribute::new("not_run", reason.clone()));
    }
    if !test.notes.is_empty() {
        variable.attributes.push(Attribute::new("comment", test.notes.join("; ")));
    }
    variable
}

/// The last part of the key, without its ending.
pub(super) fn id(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let stem = super::stem(file);
    let id: String = stem.chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect();
    if id.is_empty() { "deployment".to_owned() } else { id }
}

fn attributes(checked: &Checked, told: &[(String, String)]) -> Vec<Attribute> {
    let text = |name: &str| checked.attributes.text(name).unwrap_or_default().to_owned();
    let known =
        [("program", text("programme_name")), ("title", text("title")), ("instrument", model(checked).to_owned())];
    let mut attributes = describe::told(told, &known);
    for attribute in describe::native(&checked.attributes) {
        if !attributes.iter().any(|known| known.name == attribute.name) {
            attributes.push(attribute);
        }
    }
    attributes
}

/// The model by the depth that the sensor has been to: those up to 200 m are built for no more.
fn model(checked: &Checked) -> &'static str {
    let depth = |name: &str| checked.attributes.text(name)?.split(' ').next()?.parse::<f64>().ok();
    match depth("depth_rating").or_else(|| depth("max_lifetime_depth")) {
        Some(depth) if depth > 200.0 => "Moana TD1000",
        Some(_) => "Moana TD200",
        None => "Moana temperature and depth sensor",
    }
}

fn history(checked: &Checked, now: Timestamp) -> Vec<(Timestamp, String)> {
    let mut history = Vec::new();
    if let Some(download) = checked.sensor.download.and_then(|micros| Timestamp::from_microsecond(micros).ok()) {
        history.push((download, "read out from the sensor".to_owned()));
    }
    let (ran, not_run) = checked.tests_by_fate();
    let mut control = format!("quality controlled with the rule set {}: {}", checked.rules, ran.join(", "));
    for (name, why) in not_run {
        control.push_str(&format!("; {name} not run: {why}"));
    }
    history.push((now, control));
    for (reason, count) in &checked.screening.counts {
        history.push((now, format!("{count} rows left out: {}", reason.name())));
    }
    history.extend(checked.history.iter().map(|line| (now, line.replace('\n', " "))));
    history
}

fn platform(checked: &Checked) -> Vec<Attribute> {
    let mut platform = Vec::new();
    for (name, attribute) in [
        ("platform_name", "vessel_name"),
        ("platform_code", "platform_code"),
        ("gear_class", "gear_class"),
        ("wigos_id", "wigos_id"),
    ] {
        if let Some(text) = checked.attributes.text(attribute).filter(|text| !text.is_empty() && *text != "nan") {
            platform.push(Attribute::new(name, text.to_owned()));
        }
    }
    platform
}

fn instrument(checked: &Checked) -> Vec<Attribute> {
    let mut instrument = vec![Attribute::new("make_model", model(checked))];
    for (name, attribute) in [
        ("serial_number", "moana_serial_number"),
        ("firmware", "moana_firmware"),
        ("calibration_date", "moana_calibration_date"),
    ] {
        if let Some(text) = checked.attributes.text(attribute).filter(|text| !text.is_empty()) {
            instrument.push(Attribute::new(name, text.to_owned()));
        }
    }
    instrument
}
