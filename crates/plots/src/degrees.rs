//! Positions as sailors write them: degrees and minutes.

/// Steps of a graticule in minutes of arc.
const STEPS: &[f64] = &[
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_200.0, 1_800.0, 2_700.0,
    3_600.0, 5_400.0,
];

/// The smallest step, in degrees, that is no smaller than `least` degrees.
pub(crate) fn step(least: f64) -> f64 {
    STEPS.iter().copied().find(|step| *step >= least * 60.0).unwrap_or(5_400.0) / 60.0
}

/// Multiples of `step` within `low..=high`, in degrees; not endless, whatever comes.
pub(crate) fn multiples(low: f64, high: f64, step: f64) -> impl Iterator<Item = f64> {
    let first = (low / step - 1e-9).ceil();
    let last = (high / step + 1e-9).floor();
    (0..400u32)
        .map(move |index| first + f64::from(index))
        .take_while(move |index| *index <= last)
        .map(move |index| index * step)
}

/// A longitude as it is written on a graticule of this step.
pub(crate) fn longitude(degrees: f64, step: f64) -> String {
    let turned = turned(degrees);
    // 180 belongs to both halves.
    let half = if turned.abs() > 180.0 - 1e-6 || turned.abs() < 1e-6 {
        ""
    } else if turned < 0.0 {
        "W"
    } else {
        "E"
    };
    format!("{}{half}", angle(turned.abs(), step))
}

/// A latitude as it is written on a graticule of this step.
pub(crate) fn latitude(degrees: f64, step: f64) -> String {
    let half = if degrees.abs() < 1e-6 {
        ""
    } else if degrees < 0.0 {
        "S"
    } else {
        "N"
    };
    format!("{}{half}", angle(degrees.abs(), step))
}

/// The longitude within -180..180.
pub(crate) fn turned(degrees: f64) -> f64 {
    (degrees + 180.0).rem_euclid(360.0) - 180.0
}

fn angle(degrees: f64, step: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "at most 3600 tenths of minutes a degree, 360 degrees")]
    let tenths = (degrees * 600.0).round() as i64;
    let (whole, minutes, tenth) = (tenths / 600, tenths % 600 / 10, tenths % 10);
    let is_whole = (step - step.round()).abs() < 1e-9;
    if is_whole {
        format!("{whole}°")
    } else if step * 60.0 >= 1.0 - 1e-9 {
        format!("{whole}°{minutes:02}′")
    } else {
        format!("{whole}°{minutes:02}.{tenth}′")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_read_as_on_a_chart() {
        assert_eq!(latitude(-36.5, 0.25), "36°30′S");
        assert_eq!(longitude(174.75, 0.25), "174°45′E");
        assert_eq!(longitude(185.0, 5.0), "175°W");
        assert_eq!(longitude(-180.0, 5.0), "180°");
        assert_eq!(longitude(360.0, 5.0), "0°");
        assert_eq!(latitude(0.0, 10.0), "0°");
        assert_eq!(latitude(59.999_999, 0.5), "60°00′N");
        assert_eq!(latitude(-36.508_333, 0.5 / 60.0), "36°30.5′S");
    }

    #[test]
    fn steps_are_those_of_charts() {
        assert!((step(0.04) - 5.0 / 60.0).abs() < 1e-12);
        assert!((step(1e-9) - 0.1 / 60.0).abs() < 1e-12);
        assert!((step(1e9) - 90.0).abs() < 1e-12);
        assert_eq!(multiples(-1.0, 1.0, 0.5).count(), 5);
        assert_eq!(multiples(1.0, -1.0, 0.5).count(), 0);
    }
}
