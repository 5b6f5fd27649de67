//! Soundings of crowd-sourced bathymetry (hop 6): when and where a depth was measured, from a logger's counter and from what
//! its devices said. IHO publication B-12, edition 3, says what they must hold.
//!
//! A logger stamps whatever it hears with the milliseconds since it started. [`elapsed`] makes one time line of that counter,
//! [`clock`] ties it to UTC, [`track`] to places; [`source`] chooses between devices that say the same. What is not covered
//! by them gets no time and no place: nothing is invented.
//!
//! [`mod@reference`] is what the WIBL project's `wibl-python` 1.2.0 does instead, to the bit, for the rule set of that name.

pub mod clock;
pub mod elapsed;
pub mod reference;
pub mod source;
pub mod track;

/// Depth below the transducer, m, that could be one: not 0 (sounders say it when they have lost the bottom), and no deeper
/// than the deepest sea.
pub fn is_depth(depth: f64) -> bool {
    const DEEPEST: f64 = 11_000.0;
    depth > 0.0 && depth <= DEEPEST
}

/// A position that could be one, degrees: on the globe, and not exactly 0 north 0 east, which receivers say without a fix.
pub fn is_position(latitude: f64, longitude: f64) -> bool {
    latitude.abs() <= 90.0 && longitude.abs() <= 180.0 && (latitude != 0.0 || longitude != 0.0)
}

/// Keeps the first of equal depths in a row, in the order of `depths`; says which are kept.
pub fn distinct(depths: impl Iterator<Item = f64>) -> Vec<bool> {
    let mut current = 0.0;
    depths
        .map(|depth| {
            // Not equal, as a double: a NaN never is.
            #[expect(clippy::float_cmp, reason = "only the very same number is a repetition")]
            let is_new = depth != current;
            current = depth;
            is_new
        })
        .collect()
}

/// Total vertical uncertainty of a depth, m, as IHO S-44 models it: a fixed part and one that grows with the depth.
pub fn vertical_uncertainty(fixed: f64, of_depth: f64, depth: f64) -> f64 {
    fixed.hypot(of_depth * depth)
}
