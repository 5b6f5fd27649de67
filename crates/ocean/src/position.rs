//! Distances and means on the globe.

/// Mean radius of the Earth, km.
const RADIUS: f64 = 6371.0;

/// Great-circle distance in km on a sphere; degrees.
pub fn haversine(from: (f64, f64), to: (f64, f64)) -> f64 {
    let [lat1, lon1, lat2, lon2] = [from.0, from.1, to.0, to.1].map(f64::to_radians);
    let (dlat, dlon) = ((lat2 - lat1) / 2.0, (lon2 - lon1) / 2.0);
    let a = dlat.sin().powi(2) + lat1.cos() * lat2.cos() * dlon.sin().powi(2);
    2.0 * RADIUS * a.sqrt().asin()
}

/// Distance in km by plane sailing: good for tens of km, off the poles.
pub fn plane_sailing(from: (f64, f64), to: (f64, f64)) -> f64 {
    let dlat = to.0 - from.0;
    let dlon = wrap(to.1 - from.1);
    let departure = dlon * ((from.0.abs() + to.0.abs()) / 2.0).to_radians().cos();
    60.0 * 1.8520 * (dlat * dlat + departure * departure).sqrt()
}

/// A longitude or a difference of two in -180 to 180; 180 stays 180.
pub fn wrap(degrees: f64) -> f64 {
    if (-180.0..=180.0).contains(&degrees) { degrees } else { (degrees + 180.0).rem_euclid(360.0) - 180.0 }
}

/// The longitude half way between two, the short way round.
pub fn mean_longitude(a: f64, b: f64) -> f64 {
    wrap(a + wrap(b - a) / 2.0)
}

/// Western and eastern end of the shortest stretch of longitudes that holds all; west is the larger number if the stretch
/// crosses the dateline. NaN is left out, longitudes are in -180 to 180.
pub fn longitude_extent(longitudes: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    // A degree each is enough to find the largest gap, and it needs no memory for the track.
    let mut cells: [Option<(f64, f64)>; 360] = [None; 360];
    for longitude in longitudes.filter(|longitude| longitude.is_finite()) {
        let cell = &mut cells[((wrap(longitude) + 180.0) as usize).min(359)];
        let (low, high) = cell.unwrap_or((longitude, longitude));
        *cell = Some((low.min(longitude), high.max(longitude)));
    }
    let used: Vec<(f64, f64)> = cells.into_iter().flatten().collect();
    let (first, last) = (used.first()?, used.last()?);
    let mut extent = (first.0, last.1);
    let mut widest = first.0 + 360.0 - last.1;
    for pair in used.windows(2) {
        let gap = pair[1].0 - pair[0].1;
        if gap > widest {
            (widest, extent) = (gap, (pair[1].0, pair[0].1));
        }
    }
    Some(extent)
}

/// Geodesic distance in m on the WGS 84 ellipsoid, by Vincenty's inverse formula; the sphere's where that does not
/// converge (nearly opposite points).
pub fn geodesic(from: (f64, f64), to: (f64, f64)) -> f64 {
    const A: f64 = 6_378_137.0;
    const F: f64 = 1.0 / 298.257_223_563;
    const B: f64 = A * (1.0 - F);
    if from == to {
        return 0.0;
    }
    if ![from.0, from.1, to.0, to.1].iter().all(|degrees| degrees.is_finite()) {
        return f64::NAN;
    }
    let (u1, u2) = (((1.0 - F) * from.0.to_radians().tan()).atan(), ((1.0 - F) * to.0.to_radians().tan()).atan());
    let l = wrap(to.1 - from.1).to_radians();
    let mut lambda = l;
    for _ in 0..100 {
        let cross = (u2.cos() * lambda.sin()).hypot(u1.cos() * u2.sin() - u1.sin() * u2.cos() * lambda.cos());
        if cross == 0.0 {
            return 0.0;
        }
        let cosine = u1.sin() * u2.sin() + u1.cos() * u2.cos() * lambda.cos();
        let sigma = cross.atan2(cosine);
        let alpha = u1.cos() * u2.cos() * lambda.sin() / cross;
        let cos2_alpha = 1.0 - alpha * alpha;
        let middle = if cos2_alpha == 0.0 { 0.0 } else { cosine - 2.0 * u1.sin() * u2.sin() / cos2_alpha };
        let c = F / 16.0 * cos2_alpha * (4.0 + F * (4.0 - 3.0 * cos2_alpha));
        let term = middle + c * cosine * (2.0 * middle * middle - 1.0);
        let next = l + (1.0 - c) * F * alpha * (sigma + c * cross * term);
        if (next - lambda).abs() < 1e-12 {
            let square = cos2_alpha * (A * A - B * B) / (B * B);
            let big_a = 1.0 + square / 16384.0 * (4096.0 + square * (-768.0 + square * (320.0 - 175.0 * square)));
            let big_b = square / 1024.0 * (256.0 + square * (-128.0 + square * (74.0 - 47.0 * square)));
            let cubic = big_b / 6.0 * middle * (4.0 * cross * cross - 3.0) * (4.0 * middle * middle - 3.0);
            let correction = big_b * cross * (middle + big_b / 4.0 * (cosine * (2.0 * middle * middle - 1.0) - cubic));
            return B * big_a * (sigma - correction);
        }
        lambda = next;
    }
    haversine(from, to) * 1000.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn distances_are_known_ones() {
        // One degree of latitude, and Vincenty's own example of Flinders Peak to Buninyong.
        assert!((haversine((0.0, 0.0), (1.0, 0.0)) - 111.194_926_644_558_74).abs() < 1e-9);
        assert!((plane_sailing((0.0, 179.5), (0.0, -179.5)) - 111.12).abs() < 1e-9);
        let (flinders, buninyong) = ((-37.951_033_41, 144.424_867_88), (-37.652_821_13, 143.926_495_52));
        assert!((geodesic(flinders, buninyong) - 54_972.271).abs() < 0.01);
        assert!((geodesic((0.0, 0.0), (0.2, 179.9)) / 1000.0 - 20_000.0).abs() < 100.0);
    }

    #[test]
    fn the_dateline_is_a_line_like_any_other() {
        assert_eq!(mean_longitude(179.999, -179.999).abs(), 180.0);
        assert!((mean_longitude(179.9, -179.7) + 179.9).abs() < 1e-9);
        assert_eq!(longitude_extent([179.0, -179.0, 178.5].into_iter()), Some((178.5, -179.0)));
        assert_eq!(longitude_extent([10.0, -10.0, f64::NAN].into_iter()), Some((-10.0, 10.0)));
        assert_eq!(longitude_extent([5.0].into_iter()), Some((5.0, 5.0)));
        assert_eq!(longitude_extent(std::iter::empty()), None);
        assert_eq!((wrap(180.0), wrap(-180.0), wrap(359.0), wrap(181.0)), (180.0, -180.0, -1.0, -179.0));
    }

    proptest! {
        #[test]
        fn anything_has_a_distance(a in any::<(f64, f64)>(), b in any::<(f64, f64)>()) {
            haversine(a, b);
            plane_sailing(a, b);
            geodesic(a, b);
        }

        #[test]
        fn sphere_and_ellipsoid_agree_within_a_percent(
            a in (-89.0..89.0, -180.0..180.0), b in (-89.0..89.0, -180.0..180.0)
        ) {
            let (sphere, ellipsoid) = (haversine(a, b) * 1000.0, geodesic(a, b));
            prop_assert!((sphere - ellipsoid).abs() <= 0.01 * sphere + 1.0, "{} {}", sphere, ellipsoid);
        }
    }
}
