//! The coastline: Natural Earth's land at 1:10 million (public domain), thinned to about half a kilometre by
//! `scripts/coastline.py`.
//!
//! `resources/coastline.bin` is `coast1`, the steps of its grid a degree, the number of rings; then each ring: its bounds
//! (west, east, south, north), its number of points, their length in bytes, and the points, each as the difference from
//! the one before. All are LEB128 numbers, those that may be negative zigzag. Longitudes run on over 180 where a ring
//! crosses it; the ring round the South Pole is closed along the pole.

use std::sync::OnceLock;

static BYTES: &[u8] = include_bytes!("../resources/coastline.bin");

/// One closed ring of land or, within another, of water.
pub(crate) struct Ring {
    /// West, east, south, north in degrees.
    pub(crate) bounds: [f64; 4],
    count: u32,
    steps: &'static [u8],
    grid: f64,
}

/// Every ring; the bounds are read once, the points when they are needed.
pub(crate) fn rings() -> &'static [Ring] {
    static RINGS: OnceLock<Vec<Ring>> = OnceLock::new();
    RINGS.get_or_init(|| read(BYTES).unwrap_or_default())
}

fn read(bytes: &'static [u8]) -> Option<Vec<Ring>> {
    let mut bytes = Numbers(bytes.strip_prefix(b"coast1")?);
    let grid = f64::from(bytes.number()?);
    let count = bytes.number()?;
    let mut rings = Vec::new();
    for _ in 0..count {
        let mut bounds = [0.0; 4];
        for bound in &mut bounds {
            *bound = f64::from(bytes.signed()?) / grid;
        }
        let (count, length) = (bytes.number()?, usize::try_from(bytes.number()?).ok()?);
        let (steps, rest) = bytes.0.split_at_checked(length)?;
        bytes.0 = rest;
        rings.push(Ring { bounds, count, steps, grid });
    }
    bytes.0.is_empty().then_some(rings)
}

impl Ring {
    /// Its points, longitude and latitude in degrees; the first is not repeated at the end.
    pub(crate) fn points(&self) -> impl Iterator<Item = [f64; 2]> {
        let mut numbers = Numbers(self.steps);
        let (mut x, mut y) = (0i32, 0i32);
        let grid = self.grid;
        (0..self.count).map_while(move |_| {
            x = x.wrapping_add(numbers.signed()?);
            y = y.wrapping_add(numbers.signed()?);
            Some([f64::from(x) / grid, f64::from(y) / grid])
        })
    }
}

/// Numbers off the front of a slice.
struct Numbers(&'static [u8]);

impl Numbers {
    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in (0..32).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i32> {
        let number = self.number()?;
        let half = i32::try_from(number >> 1).ok()?;
        Some(if number & 1 == 0 { half } else { -half - 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_resource_is_read_and_lies_on_the_globe() {
        let rings = read(BYTES).expect("it is well formed");
        assert!(rings.len() > 3_000, "{}", rings.len());
        let mut points = 0;
        for ring in &rings {
            let [west, east, south, north] = ring.bounds;
            assert!(ring.points().count() >= 3 && ring.points().count() == ring.count as usize);
            for [x, y] in ring.points() {
                assert!((west..=east).contains(&x) && (south..=north).contains(&y));
                points += 1;
            }
            assert!(south >= -90.0 && north <= 90.0 && east - west <= 360.1);
        }
        assert!(points > 150_000, "{points}");
    }

    /// Even-odd test over all rings and their images a turn away.
    fn is_land(longitude: f64, latitude: f64) -> bool {
        let mut inside = false;
        for ring in rings() {
            for turn in [-360.0, 0.0, 360.0] {
                let x = longitude + turn;
                if x < ring.bounds[0] || x > ring.bounds[1] || latitude < ring.bounds[2] || latitude > ring.bounds[3] {
                    continue;
                }
                let points: Vec<[f64; 2]> = ring.points().collect();
                for (index, [ax, ay]) in points.iter().enumerate() {
                    let [bx, by] = points[(index + 1) % points.len()];
                    if (*ay > latitude) != (by > latitude) && x < (bx - ax) * (latitude - ay) / (by - ay) + ax {
                        inside = !inside;
                    }
                }
            }
        }
        inside
    }

    #[test]
    fn known_places_are_where_they_are() {
        for (name, longitude, latitude) in [
            ("Wellington's hills", 175.2, -41.0),
            ("Chukotka, east of 180", -175.0, 66.8),
            ("Chukotka, west of 180", 176.0, 67.0),
            ("South Pole", 10.0, -89.9),
            ("Sahara", 10.0, 24.0),
        ] {
            assert!(is_land(longitude, latitude), "{name}");
        }
        for (name, longitude, latitude) in [
            ("Cook Strait", 174.45, -41.1),
            ("Pacific on 180", 180.0, 0.0),
            ("North Pole", 0.0, 90.0),
            ("Caspian Sea", 51.0, 41.5),
            ("Bering Strait", -168.9, 66.0),
        ] {
            assert!(!is_land(longitude, latitude), "{name}");
        }
    }
}
