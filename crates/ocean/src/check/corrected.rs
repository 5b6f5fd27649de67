//! The corrected conduct: what ops_qc does, with its faults mended.

use super::failure::{Code, Failure};
use super::{Aggregates, Checked, Details, Setting};
use crate::deployment::{Deployment, Variable};
use crate::depth::PressureToDepth;
use crate::flag::{GOOD, PROBABLY_BAD, PROBABLY_GOOD};
use crate::gear::GearClass;
use crate::position::{longitude_extent, mean_longitude};
use crate::rules::SeveralVessels;
use crate::screen;
use crate::sensor::Sensor;
use crate::series::{Series, extent_of};
use crate::time::{START_OF_2010, iso};
use crate::vessel::Vessel;

pub(super) fn check(deployment: Deployment, setting: &Setting) -> Checked {
    let (name, header) = (deployment.name.clone(), deployment.header.clone());
    let (rows, screening) = screen::corrected(deployment, &Sensor::of(&header));
    let mut checked = Checked::new(name, &header, rows, screening, setting);
    checked.attributes.set("date_quality_controlled", iso(setting.now_micros()));
    checked.attributes.set("raw_data_filename", checked.name.clone());
    checked.attributes.set("rule_set", checked.rules.clone());
    match find_vessel(&mut checked, setting) {
        Err(failure) => checked.fail(failure),
        Ok(()) => test(checked, setting),
    }
}

fn find_vessel(checked: &mut Checked, setting: &Setting) -> Result<(), Failure> {
    let Some((first, last)) = plausible_extent(checked, setting) else {
        let reasons = checked.screening.counts.iter().map(|(reason, count)| format!("{count} {}", reason.name()));
        let reasons: Vec<String> = reasons.collect();
        let dropped = if reasons.is_empty() { "there are none".to_owned() } else { reasons.join(", ") };
        return Err(Failure::new(Code::NoRows, format!("no row can be used: {dropped}")));
    };
    let Some(sensor) = checked.sensor.serial else {
        return Err(Failure::new(Code::NoSerial, "the header has no serial number of the sensor that can be read"));
    };
    let when = format!("{} to {}", iso(first), iso(last));
    let matches = setting.vessels.find(sensor, first, last, setting.today());
    let vessel: &Vessel = match (matches.as_slice(), setting.rules.several_vessels) {
        ([], _) => {
            let message = format!("no row of the vessel table has sensor {sensor} from {when}");
            return Err(Failure::new(Code::NoVessel, message));
        }
        ([vessel], _) => vessel,
        (several, SeveralVessels::Fail) => {
            let message = format!("{} rows of the vessel table have sensor {sensor} from {when}", several.len());
            return Err(Failure::new(Code::SeveralVessels, message));
        }
        ([first, rest @ ..], SeveralVessels::LatestSupplied) => {
            let latest = rest.iter().fold(
                first,
                |latest, vessel| {
                    if vessel.supplied > latest.supplied { vessel } else { latest }
                },
            );
            let count = matches.len();
            checked.history.push(format!("of {count} rows of the vessel table the one supplied last was taken"));
            latest
        }
    };
    let gear = setting.rules.gear.class(&vessel.fishing_method);
    checked.set_vessel(vessel, gear);
    if let Some(code) = checked.platform_code() {
        checked.attributes.set("platform_code", code);
    }
    match (vessel.deck_unit, checked.sensor.deck_unit) {
        (None, _) => Err(Failure::new(Code::DeckUnitUnknown, "the vessel's row has no deck unit")),
        (_, None) => Err(Failure::new(Code::DeckUnitUnknown, "the header has no deck unit that can be read")),
        (Some(expected), Some(found)) if expected != found => {
            let message = format!("deck unit {found} read the sensor out, but {expected} is expected");
            Err(Failure::new(Code::DeckUnitDiffers, message))
        }
        _ if gear.is_none() => {
            let method = &vessel.fishing_method;
            Err(Failure::new(Code::GearUnknown, format!("the fishing method `{method}` has no gear class")))
        }
        _ => Ok(()),
    }
}

/// Earliest and latest time, without those that cannot be: a few rows of 1970 say nothing about whose sensor it was.
/// (ops_qc finds no vessel then.)
fn plausible_extent(checked: &Checked, setting: &Setting) -> Option<(i64, i64)> {
    let is_plausible = |time: &i64| *time > START_OF_2010 && *time <= setting.now_micros();
    let plausible = checked.rows.time.iter().filter(is_plausible);
    let extent = plausible.fold(None, |extent, time| match extent {
        None => Some((time, time)),
        Some((first, last)) => Some((time.min(first), time.max(last))),
    });
    extent.or_else(|| checked.time_extent())
}

fn test(mut checked: Checked, setting: &Setting) -> Checked {
    let (len, details) = (checked.rows.len(), Details::default());
    checked.run_tests(setting, false, &details);
    checked.flags = Some(Aggregates::of(&checked.tests, len));
    checked.start_end_distance = checked.measure_start_end();
    checked.run_tests(setting, true, &details);
    checked.flags = Some(Aggregates::of(&checked.tests, len));
    set_positions(&mut checked);
    checked.apply_overrides(setting);
    set_attributes(&mut checked);
    let latitude = mean_good_latitude(&checked).unwrap_or(setting.rules.default_latitude);
    checked.depth = Some(PressureToDepth::at(latitude));
    for result in &checked.tests {
        checked.history.extend(result.notes.iter().map(|note| format!("{}: {note}", result.test)));
    }
    let is_usable = |flag: u8| (GOOD..=PROBABLY_BAD).contains(&flag) || flag == crate::flag::CHANGED;
    if checked.flags.as_ref().is_none_or(|flags| !flags.overall.iter().any(is_usable)) {
        return checked.fail(Failure::new(Code::NoGoodData, format!("all of the {len} rows are bad")));
    }
    checked.is_delivered = true;
    checked
}

/// Stationary gear gets one position: half way from its first to its last good one, the short way round. Rows keep what
/// they have if there is none.
fn set_positions(checked: &mut Checked) {
    if !checked.rows.is_empty() && checked.rows.latitude.extent().is_none() {
        checked.history.push("no row has a position".to_owned());
    }
    if checked.gear != Some(GearClass::Stationary) {
        return;
    }
    let ends = checked.usable_ends(PROBABLY_GOOD).or_else(|| checked.usable_ends(PROBABLY_BAD));
    let Some((first, last)) = ends else {
        checked.history.push("no row has a good time and position: the position of the gear is not known".to_owned());
        return;
    };
    let (first, last, len) = (checked.place(first), checked.place(last), checked.rows.len());
    checked.rows.latitude = Series::constant((first.0 + last.0) / 2.0, len);
    checked.rows.longitude = Series::constant(mean_longitude(first.1, last.1), len);
}

fn mean_good_latitude(checked: &Checked) -> Option<f64> {
    let good = good_values(checked, &checked.rows.latitude);
    let (sum, count) = good.fold((0.0, 0.0), |(sum, count), latitude| (sum + latitude, count + 1.0));
    let mean: f64 = sum / count;
    mean.is_finite().then_some(mean)
}

/// The values of rows whose position is not bad.
fn good_values<'c>(checked: &'c Checked, series: &'c Series) -> impl Iterator<Item = f64> + 'c {
    let flags = checked.flags.as_ref().and_then(|flags| flags.of_variable(Variable::Position));
    let flags = flags.into_iter().flat_map(|flags| flags.iter());
    let good = series.iter().zip(flags).filter(|(_, flag)| (GOOD..=PROBABLY_BAD).contains(flag));
    good.map(|(value, _)| value)
}

fn set_attributes(checked: &mut Checked) {
    let latitude = extent_of(good_values(checked, &checked.rows.latitude));
    let longitude = longitude_extent(good_values(checked, &checked.rows.longitude));
    checked.set_extents(latitude, longitude);
    if let Some(distance) = checked.start_end_distance {
        checked.attributes.set("start_end_dist_m", format!("{distance:.2}"));
    }
    let (ran, not_run) = checked.tests_by_fate();
    let ran = ran.join(", ");
    let not_run: Vec<String> = not_run.into_iter().map(|(name, why)| format!("{name} ({why})")).collect();
    checked.attributes.set("qc_tests_applied", ran);
    checked.attributes.set("qc_tests_failed", not_run.join(", "));
}
