//! The conduct of ops_qc 0.6.0, with its failures in its words.

use super::{Checked, Details, Setting, first_time};
use crate::attribute::Value;
use crate::check::Aggregates;
use crate::check::failure::{Code, Failure};
use crate::deployment::{Deployment, Variable};
use crate::depth::PressureToDepth;
use crate::flag::{BAD, PROBABLY_GOOD};
use crate::gear::GearClass;
use crate::qc::HasWords;
use crate::screen;
use crate::series::Series;

/// Attributes that it writes into every file.
const GLOBAL: [(&str, &str); 7] = [
    ("contact", "info@metocean.co.nz"),
    ("author", "MetOcean Solutions (MetService New Zealand) data provider"),
    ("title", "Mangōpare Temperature and Depth Sensor Observations"),
    ("references", "https://www.moanaproject.org/temperature-sensors"),
    ("conventions", "CF-1.9"),
    ("history", "Initial automatic quality control and processing applied."),
    (
        "acknowledgement",
        "This work is a contribution to the Moana Project (www.moanaproject.org) funded by the New Zealand Ministry of \
         Business Innovation and Employment, contract number METO1801.",
    ),
];

const EMPTY_INDEX: &str = " index 0 is out of bounds for axis 0 with size 0";

pub(super) fn check(deployment: Deployment, setting: &Setting) -> Checked {
    if let Some((mode, detail)) = deployment.ops_qc_failure.clone() {
        let nothing =
            Checked::new(deployment.name, &Default::default(), Default::default(), Default::default(), setting);
        return nothing.fail(Failure::ops_qc(Code::Unreadable, mode, Some(&detail)));
    }
    let (name, header) = (deployment.name.clone(), deployment.header.clone());
    let has = |variable| deployment.words.iter().any(|(_, known)| *known == variable);
    let has_words = HasWords { position: has(Variable::Position), pressure: has(Variable::Pressure) };
    let (rows, screening, resets) = screen::ops_qc(deployment);
    let mut checked = Checked::new(name, &header, rows, screening, setting);
    for (name, value) in [
        ("date_quality_controlled", setting.now.strftime("%Y-%m-%dT%H:%M:%S +0000").to_string()),
        ("quality_control_repository", "https://github.com/metocean/moana-qc".to_owned()),
        ("qc_package_version", "0.6.0".to_owned()),
        ("raw_data_filename", checked.name.clone()),
        ("reset_codes_data", resets.codes),
        ("reset_codes_timestamps", resets.timestamps),
        ("reset_codes_index", resets.indices),
        ("gear_class", "unknown".to_owned()),
    ] {
        checked.attributes.set(name, value);
    }
    let details = Details { has_words, ops_qc_reset: resets.first };
    match find_vessel(&mut checked, setting) {
        Err(failure) => checked.fail(failure),
        Ok(()) => test(checked, setting, details),
    }
}

/// Matches the vessel table; several matches are a failure that stops nothing.
fn find_vessel(checked: &mut Checked, setting: &Setting) -> Result<(), Failure> {
    let len = checked.rows.len();
    let cannot = |detail: String| {
        let mode = format!("Could not calculate time range or sn data, len(DATETIME)={len} ");
        Failure::ops_qc(Code::NoRows, mode, Some(&format!(" {detail}")))
    };
    let Some(serial) = checked.attributes.text("moana_serial_number").map(str::to_owned) else {
        // The exception is one of those whose text is quoted.
        let mode = format!("\"Could not calculate time range or sn data, len(DATETIME)={len} ");
        return Err(Failure::ops_qc(Code::NoSerial, mode, Some(" 'moana_serial_number'\"")));
    };
    let Ok(sensor) = serial.trim().parse() else {
        let failure = cannot(format!("invalid literal for int() with base 10: '{serial}'"));
        return Err(Failure { code: Code::NoSerial, ..failure });
    };
    let Some((first, last)) = checked.time_extent() else {
        return Err(cannot("zero-size array to reduction operation minimum which has no identity".to_owned()));
    };
    let matches = setting.vessels.find(sensor, first, last, setting.today());
    for vessel in &matches {
        checked.set_vessel(vessel, setting.rules.gear.class(&vessel.fishing_method));
    }
    if checked.gear.is_some() {
        if let Some(code) = checked.platform_code() {
            checked.attributes.set("platform_code", code);
        }
        for (name, value) in GLOBAL {
            checked.attributes.set(name, value);
        }
    }
    let stop = |code, mode: &str| Err(Failure::ops_qc(code, mode, None));
    let exception = |code, mode: String| Err(Failure::ops_qc(code, mode, Some("NA")));
    match matches.len() {
        0 => return stop(Code::NoVessel, "No valid time range in fisher metadata."),
        1 => {}
        _ => {
            let mode = "Multiple entries in fisher metadata for this SN and time range.";
            checked.failure = Some(Failure::ops_qc(Code::SeveralVessels, mode, None));
        }
    }
    let Some(deck_unit) = checked.attributes.text("deck_unit_serial_number") else {
        return exception(Code::DeckUnitUnknown, "'deck_unit_serial_number'".to_owned());
    };
    let Ok(deck_unit) = deck_unit.trim().parse::<i64>() else {
        let mode = format!("invalid literal for int() with base 10: '{deck_unit}'");
        return exception(Code::DeckUnitUnknown, mode);
    };
    let expected = checked.vessel.as_ref().and_then(|vessel| vessel.deck_unit);
    match (expected, checked.gear) {
        (None, _) => exception(Code::DeckUnitUnknown, "cannot convert float NaN to integer".to_owned()),
        (Some(expected), _) if expected != deck_unit => stop(Code::DeckUnitDiffers, "Deck units do not match!"),
        (_, None) => stop(Code::GearUnknown, "Gear Class Unknown"),
        _ => Ok(()),
    }
}

fn test(mut checked: Checked, setting: &Setting, details: Details) -> Checked {
    let len = checked.rows.len();
    checked.run_tests(setting, false, &details);
    checked.flags = Some(Aggregates::of(&checked.tests, len));
    set_tests(&mut checked);
    let (latitude, longitude) = (checked.rows.latitude.extent(), checked.rows.longitude.extent());
    checked.set_extents(latitude, longitude);
    checked.start_end_distance = checked.measure_start_end();
    let Some(distance) = checked.start_end_distance else {
        let mode = "Position attrs or start_end_dist not assigned ";
        return checked.fail(Failure::ops_qc(Code::NoPosition, mode, Some(EMPTY_INDEX)));
    };
    let text = if distance.is_nan() { "nan".to_owned() } else { format!("{distance:.2}") };
    // It reads its attribute back.
    checked.start_end_distance = text.parse().ok();
    checked.attributes.set("start_end_dist_m", text);
    if !set_positions(&mut checked) {
        let mode = format!("Could not calculate stationary positions (len={len}) ");
        return checked.fail(Failure::ops_qc(Code::NoPosition, mode, Some(EMPTY_INDEX)));
    }
    if checked.gear == Some(GearClass::Stationary) {
        checked.run_tests(setting, true, &details);
        checked.flags = Some(Aggregates::of(&checked.tests, len));
        set_tests(&mut checked);
    }
    let latitude = checked.rows.latitude.mean();
    let latitude = if latitude.is_nan() { setting.rules.default_latitude } else { latitude };
    checked.depth = Some(PressureToDepth::at(latitude));
    checked.apply_overrides(setting);
    let is_any_good = checked.flags.as_ref().is_some_and(|flags| flags.overall.iter().any(|flag| flag < BAD));
    if !is_any_good {
        return checked.fail(Failure::ops_qc(Code::NoGoodData, "No Good Data (all QC Flags = 4)", None));
    }
    checked.is_delivered = true;
    checked
}

/// Lists of tests, as it prints them.
fn set_tests(checked: &mut Checked) {
    let list = |names: Vec<&str>| {
        let names: Vec<String> = names.iter().map(|name| format!("'{}'", name.trim_start_matches("ops_qc_"))).collect();
        format!("[{}]", names.join(", "))
    };
    let (ran, not_run) = checked.tests_by_fate();
    let (ran, not_run) = (list(ran), list(not_run.into_iter().map(|(name, _)| name).collect()));
    checked.attributes.set("qc_tests_applied", ran);
    checked.attributes.set("qc_tests_failed", not_run);
}

/// Longitudes to 0..360; stationary gear to the mean of its first and last good position. `false` if there is none.
fn set_positions(checked: &mut Checked) -> bool {
    if checked.gear == Some(GearClass::Mobile) {
        checked.rows.longitude = checked.rows.longitude.map(|longitude| longitude.rem_euclid(360.0));
        return true;
    }
    let Some((first, last)) = checked.usable_ends(PROBABLY_GOOD) else { return false };
    let (first, last, len) = (checked.place(first), checked.place(last), checked.rows.len());
    checked.rows.latitude = Series::constant((first.0 + last.0) / 2.0, len);
    checked.rows.longitude = Series::constant(((first.1 + last.1) / 2.0).rem_euclid(360.0), len);
    true
}

/// The name of the public file, if its rule makes the deployment public: `True`, a day-first date, and a first row after it.
/// (It evaluates the attribute as a program; here only the word counts.)
pub fn published_name(checked: &Checked) -> Option<String> {
    if !checked.is_delivered || checked.attributes.text("public") != Some("True") {
        return None;
    }
    let date = jiff::civil::Date::strptime("%d/%m/%Y", checked.attributes.text("publication_date")?).ok()?;
    if first_time(&checked.rows)? <= crate::time::midnight(date)? {
        return None;
    }
    let file = checked.name.rsplit('/').next()?;
    let last = checked.rows.time.get(checked.rows.len().checked_sub(1)?);
    let last = jiff::Timestamp::from_microsecond(last).ok()?;
    Some(format!("{}_{}_published.nc", file.split('_').next()?, last.strftime("%Y%m%d_%H%M%S")))
}

impl Checked {
    /// Attributes that ops_qc's status file shows.
    pub(super) fn attribute_text(&self, name: &str) -> Option<String> {
        self.attributes.get(name).map(Value::to_string)
    }
}
