//! Depth from pressure, by the TEOS-10 equation of state for standard sea water (absolute salinity 35.16504 g/kg, 0 degrees C).
//!
//! Source: Roquet et al. 2015, Ocean Modelling 90, 29-43 (the 75-term polynomial), and the TEOS-10 manual, IOC 2010,
//! section 3.32.

/// Latitude where none is known.
pub const DEFAULT_LATITUDE: f64 = -40.0;

/// Turns pressures at one latitude into depths.
#[derive(Debug, Clone, Copy)]
pub struct PressureToDepth {
    /// Gravity at the surface, m s-2.
    b: f64,
    /// Its change with height.
    a: f64,
}

impl PressureToDepth {
    /// For a latitude in degrees.
    pub fn at(latitude: f64) -> Self {
        let sine = (latitude * (std::f64::consts::PI / 180.0)).sin();
        let square = sine * sine;
        let b = 9.780327 * (1.0 + (5.2792e-3 + (2.32e-5 * square)) * square);
        Self { b, a: -0.5 * 2.26e-7 * b }
    }

    /// Depth in metres, positive down, of a pressure in dbar above that of the surface. NaN stays NaN.
    pub fn depth(&self, pressure: f64) -> f64 {
        let c = enthalpy(pressure);
        2.0 * c / (self.b + (self.b * self.b - 4.0 * self.a * c).sqrt())
    }
}

/// Enthalpy of standard sea water relative to the surface, J/kg.
fn enthalpy(pressure: f64) -> f64 {
    let x = pressure * 1e-4;
    let polynomial = x
        * (9.726_613_854_843_87e-4
            + x * (-2.252956605630465e-5
                + x * (2.376909655387404e-6
                    + x * (-1.664294869986011e-7
                        + x * (-5.988108894465758e-9 + x * (-2.1078768810e-9 + 2.8019291329e-10 * x))))));
    polynomial * 1e4 * 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_are_those_of_teos_10() {
        assert!((PressureToDepth::at(-40.0).depth(1000.0) - 989.9543843105997).abs() < 1e-10);
        assert_eq!(PressureToDepth::at(10.0).depth(0.0), 0.0);
        assert!(PressureToDepth::at(10.0).depth(f64::NAN).is_nan());
        assert!(PressureToDepth::at(10.0).depth(-1.0) < 0.0);
    }
}
