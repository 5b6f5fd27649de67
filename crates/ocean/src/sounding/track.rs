//! Places along a logger's time line, from fixes.

use crate::position::wrap;

/// The vessel was here at this place of the line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fix {
    /// Place on the line, ms.
    pub at: i64,
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
}

/// Fixes in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    fixes: Vec<Fix>,
    gap: i64,
}

impl Track {
    /// A track that is not known where fixes are more than `gap` ms apart.
    pub fn new(mut fixes: Vec<Fix>, gap: i64) -> Self {
        fixes.sort_by_key(|fix| fix.at);
        // Of several fixes at one moment the last in the file counts.
        fixes.dedup_by(|later, earlier| {
            let is_same = later.at == earlier.at;
            if is_same {
                *earlier = *later;
            }
            is_same
        });
        Self { fixes, gap }
    }

    /// Latitude and longitude at a place of the line, degrees, linear between fixes and the short way round the globe;
    /// `None` before the first fix, after the last, and in a gap.
    pub fn at(&self, at: i64) -> Option<(f64, f64)> {
        let after = self.fixes.partition_point(|fix| fix.at <= at);
        let before = self.fixes.get(after.checked_sub(1)?)?;
        if before.at == at {
            return Some((before.latitude, before.longitude));
        }
        let next = self.fixes.get(after)?;
        if next.at - before.at > self.gap {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a part of a gap")]
        let part = (at - before.at) as f64 / (next.at - before.at) as f64;
        let latitude = before.latitude + part * (next.latitude - before.latitude);
        Some((latitude, wrap(before.longitude + part * wrap(next.longitude - before.longitude))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(fixes: &[(i64, f64, f64)]) -> Track {
        let fix =
            |(at, latitude, longitude): &(i64, f64, f64)| Fix { at: *at, latitude: *latitude, longitude: *longitude };
        Track::new(fixes.iter().map(fix).collect(), 60_000)
    }

    #[test]
    fn places_are_interpolated_inside_and_not_across_gaps() {
        let track = track(&[(1_000, 10.0, 20.0), (0, 9.0, 19.0), (100_000, 11.0, 21.0)]);
        assert_eq!(track.at(500), Some((9.5, 19.5)));
        assert_eq!([-1, 50_000, 100_001].map(|at| track.at(at)), [None; 3]);
        assert_eq!(track.at(100_000), Some((11.0, 21.0)));
    }

    #[test]
    fn the_antimeridian_is_crossed_the_short_way() {
        let (latitude, longitude) = track(&[(0, -17.0, 179.5), (1_000, -17.0, -179.5)]).at(750).expect("a place");
        assert_eq!(latitude, -17.0);
        assert!((longitude - -179.75).abs() < 1e-9, "{longitude}");
        let (_, back) = track(&[(0, 0.5, -179.5), (1_000, 0.5, 179.5)]).at(750).expect("a place");
        assert!((back - 179.75).abs() < 1e-9, "{back}");
    }
}
