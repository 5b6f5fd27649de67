//! When a deployment may be public, and what of it.
//!
//! Nothing is ever evaluated, only compared with known words, and whatever is not known is private.

use serde::{Deserialize, Serialize};

use crate::attribute::{Attributes, Value};
use crate::time::{date, midnight};

/// What may leave the house.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PublicationRule {
    /// What is done to positions.
    pub positions: Positions,
    /// Attributes that may be public, by name; anything else stays private.
    pub attributes: Vec<String>,
    /// Days that must have passed since the last measurement.
    pub delay_days: u32,
}

/// What is done to positions in public data.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Positions {
    /// As measured.
    #[default]
    Exact,
    /// The middle of a square of so many degrees.
    Binned(f64),
    /// None.
    Withheld,
}

/// Attributes without anybody's name, address, serial number or whereabouts.
const PUBLIC_ATTRIBUTES: [&str; 24] = [
    "acknowledgement",
    "author",
    "baseline",
    "contact",
    "conventions",
    "date_quality_controlled",
    "geospatial_lat_max",
    "geospatial_lat_min",
    "geospatial_lon_max",
    "geospatial_lon_min",
    "history",
    "max_lifetime_depth",
    "moana_battery",
    "moana_calibration_date",
    "moana_firmware",
    "programme_name",
    "qc_package_version",
    "qc_tests_applied",
    "qc_tests_failed",
    "quality_control_repository",
    "references",
    "rule_set",
    "start_end_dist_m",
    "title",
];

impl Default for PublicationRule {
    fn default() -> Self {
        Self { positions: Positions::Exact, attributes: PUBLIC_ATTRIBUTES.map(str::to_owned).to_vec(), delay_days: 0 }
    }
}

/// Why a deployment stays private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Private {
    /// Its run failed, or it has no good data.
    Failed,
    /// Its vessel's row does not say yes.
    NotAgreed,
    /// The row's publication date is missing or cannot be read.
    NoDate,
    /// It was measured before that date, or not long enough ago.
    TooEarly,
}

impl Private {
    /// A sentence for people.
    pub fn message(self) -> &'static str {
        match self {
            Self::Failed => "the run failed or found no good data",
            Self::NotAgreed => "`Public` in the vessel table does not say `true` or `yes`",
            Self::NoDate => "`Publication Date` in the vessel table is missing or cannot be read",
            Self::TooEarly => "it begins on or before the publication date, or ended too recently",
        }
    }
}

/// What is known about a deployment that may become public.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'c> {
    /// The run succeeded.
    pub is_delivered: bool,
    /// `Public` of its vessel's row.
    pub public: Option<&'c str>,
    /// `Publication Date` of the row.
    pub publication_date: Option<&'c str>,
    /// Earliest and latest measurement, microseconds since 1970.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// When it is decided, microseconds since 1970.
    pub now: i64,
}

impl PublicationRule {
    /// Whether it may be public.
    ///
    /// # Errors
    /// Why not.
    pub fn decide(&self, candidate: &Candidate) -> Result<(), Private> {
        if !candidate.is_delivered {
            return Err(Private::Failed);
        }
        if !candidate.public.is_some_and(is_yes) {
            return Err(Private::NotAgreed);
        }
        let from = candidate.publication_date.and_then(date).and_then(midnight).ok_or(Private::NoDate)?;
        let delay = i64::from(self.delay_days) * 86_400_000_000;
        let is_old_enough = candidate.last.saturating_add(delay) <= candidate.now || self.delay_days == 0;
        if candidate.first > from && is_old_enough { Ok(()) } else { Err(Private::TooEarly) }
    }

    /// The attributes that may be public.
    pub fn attributes<'a>(&'a self, attributes: &'a Attributes) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let is_place = |name: &str| name.starts_with("geospatial_lat") || name.starts_with("geospatial_lon");
        attributes.iter().filter(move |(name, _)| {
            // Extents are positions too.
            let is_withheld = is_place(name) && self.positions != Positions::Exact;
            !is_withheld && self.attributes.iter().any(|known| known == name)
        })
    }

    /// A position as it may be public; `None` if it is withheld.
    pub fn position(&self, latitude: f64, longitude: f64) -> Option<(f64, f64)> {
        match self.positions {
            Positions::Exact => Some((latitude, longitude)),
            Positions::Withheld => None,
            Positions::Binned(degrees) if degrees > 0.0 => {
                let middle = |value: f64| (value / degrees).floor() * degrees + degrees / 2.0;
                Some((middle(latitude).clamp(-90.0, 90.0), crate::position::wrap(middle(longitude))))
            }
            Positions::Binned(_) => None,
        }
    }
}

fn is_yes(text: &str) -> bool {
    ["true", "yes", "y", "1"].contains(&text.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn candidate<'c>(public: &'c str, date: &'c str) -> Candidate<'c> {
        let first = midnight(jiff::civil::Date::constant(2021, 6, 2)).expect("a date");
        let (public, publication_date) = (Some(public), Some(date));
        Candidate { is_delivered: true, public, publication_date, first, last: first + DAY, now: first + 10 * DAY }
    }

    #[test]
    fn only_known_words_make_public() {
        let rule = PublicationRule::default();
        for public in ["True", "TRUE", " yes", "1"] {
            assert_eq!(rule.decide(&candidate(public, "01/06/2021")), Ok(()), "{public}");
        }
        for public in ["False", "", "nan", "not False", "__import__('os')", "2"] {
            assert_eq!(rule.decide(&candidate(public, "01/06/2021")), Err(Private::NotAgreed), "{public}");
        }
        assert_eq!(rule.decide(&candidate("yes", "")), Err(Private::NoDate));
        assert_eq!(rule.decide(&candidate("yes", "02/06/2021")), Err(Private::TooEarly), "strictly after");
        assert_eq!(rule.decide(&candidate("yes", "2021-06-01")), Ok(()));
        let failed = Candidate { is_delivered: false, ..candidate("yes", "01/06/2021") };
        assert_eq!(rule.decide(&failed), Err(Private::Failed));
        let later = PublicationRule { delay_days: 9, ..rule };
        assert_eq!(later.decide(&candidate("yes", "01/06/2021")), Ok(()));
        let much_later = PublicationRule { delay_days: 10, ..later };
        assert_eq!(much_later.decide(&candidate("yes", "01/06/2021")), Err(Private::TooEarly));
    }

    #[test]
    fn names_and_serial_numbers_are_never_public_by_default() {
        let mut attributes = Attributes::default();
        for name in [
            "vessel_name",
            "vessel_email",
            "moana_serial_number",
            "deck_unit_serial_number",
            "cellular_upload_position",
        ] {
            attributes.set(name, "secret");
        }
        attributes.set("title", "Observations");
        attributes.set("geospatial_lat_min", "-35.1");
        let public =
            |rule: &PublicationRule| rule.attributes(&attributes).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(public(&PublicationRule::default()), ["title", "geospatial_lat_min"]);
        let binned = PublicationRule { positions: Positions::Binned(0.5), ..PublicationRule::default() };
        assert_eq!(public(&binned), ["title"]);
        assert_eq!(binned.position(-35.1, 174.3), Some((-35.25, 174.25)));
        let withheld = PublicationRule { positions: Positions::Withheld, ..PublicationRule::default() };
        assert_eq!(withheld.position(-35.1, 174.3), None);
    }
}
