//! Fishing methods to gear classes: does the gear move over the ground, or stand?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How gear behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GearClass {
    /// Towed or drifting: each row has its own position.
    Mobile,
    /// Set and hauled at one place: the deployment has one position.
    Stationary,
}

impl GearClass {
    /// `mobile` or `stationary`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::Stationary => "stationary",
        }
    }
}

/// Which class each fishing method has. Names are compared exactly, blanks around them left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GearClasses(pub BTreeMap<String, GearClass>);

const MOBILE: [&str; 12] = [
    "Bottom trawl",
    "Trawling",
    "Midwater trawl",
    "Bottom trawling",
    "Research",
    "Education",
    "Bottom trawler",
    "Bottom long line",
    "Waka",
    "Dredge",
    "Instrument deployment",
    "Trolling",
];

const STATIONARY: [&str; 8] = [
    "Potting",
    "Long lining",
    "Purse seine netting",
    "Danish seining",
    "Netting",
    "Set netting",
    "Potting, long lining",
    "Diving",
];

impl Default for GearClasses {
    /// The methods of the Moana programme, classed as ops_qc's wrapper does.
    fn default() -> Self {
        let mobile = MOBILE.map(|method| (method.to_owned(), GearClass::Mobile));
        let stationary = STATIONARY.map(|method| (method.to_owned(), GearClass::Stationary));
        Self(mobile.into_iter().chain(stationary).collect())
    }
}

impl GearClasses {
    /// The class of a method; `None` if it is not in the table.
    pub fn class(&self, method: &str) -> Option<GearClass> {
        self.0.get(method.trim()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_classes() {
        let classes = GearClasses::default();
        assert_eq!(classes.0.len(), MOBILE.len() + STATIONARY.len());
        assert_eq!(classes.class(" Potting, long lining "), Some(GearClass::Stationary));
        assert_eq!(classes.class("Research"), Some(GearClass::Mobile));
        assert_eq!(classes.class("Hand lining"), None);
    }
}
