//! The row of a deployment in ops_qc's status file.

use super::Checked;

/// Its columns, in order.
pub const OPS_QC_STATUS: [&str; 23] = [
    "filename",
    "baseline",
    "cellular_signal_strength",
    "date_quality_controlled",
    "deck_unit_battery_percent",
    "deck_unit_battery_voltage",
    "download_time",
    "gear_class",
    "max_lifetime_depth",
    "moana_battery",
    "moana_serial_number",
    "moana_calibration_date",
    "qc=1",
    "qc=2",
    "qc=3",
    "qc=4",
    "reset_codes",
    "reset_codes_data",
    "saved",
    "failed",
    "failure_mode",
    "total_obs",
    "detailed_error",
];

/// The row: a text for each of [`OPS_QC_STATUS`], `None` where it is empty.
pub fn ops_qc_status(checked: &Checked) -> [Option<String>; 23] {
    // A missing serial number is found before anything is noted.
    let is_noted = checked.sensor.serial.is_some();
    OPS_QC_STATUS.map(|column| match column {
        "filename" => Some(checked.name.clone()),
        "saved" => checked.is_delivered.then(|| "yes".to_owned()),
        "failed" => checked.failure.as_ref().map(|_| "yes".to_owned()),
        "failure_mode" => checked.failure.as_ref().map(|failure| failure.mode.clone()),
        "detailed_error" => checked.failure.as_ref().and_then(|failure| failure.detail.clone()),
        "total_obs" => checked.is_delivered.then(|| checked.rows.len().to_string()),
        _ => match column.strip_prefix("qc=") {
            Some(flag) => count(checked, flag),
            None => checked.attribute_text(column).filter(|_| is_noted),
        },
    })
}

fn count(checked: &Checked, flag: &str) -> Option<String> {
    let counts = checked.flags.as_ref().filter(|_| checked.is_delivered)?.overall.counts();
    let count = *counts.get(flag.parse::<usize>().ok()?)?;
    (count > 0).then(|| count.to_string())
}
