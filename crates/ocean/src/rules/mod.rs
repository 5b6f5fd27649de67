//! Rule sets: which tests with which thresholds, and how a deployment is treated beside them. A rule set is data.
//!
//! Four are built in (see [`RuleSet::NAMES`]); a pipeline file names one, changes one with a [`RuleChange`], or writes its
//! own. All fields have the defaults of `corrected`.

mod sets;

use serde::{Deserialize, Serialize};

use crate::depth::DEFAULT_LATITUDE;
use crate::flag::Scheme;
use crate::gear::GearClasses;
use crate::qc::Test;

/// How a deployment is treated beside the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conduct {
    /// Rows are kept for what they have; longitudes are in -180 to 180; a mean position is taken the short way round; a
    /// deployment without a good position is flagged, not failed.
    #[default]
    Corrected,
    /// As ops_qc 0.6.0, down to the texts of its failures.
    OpsQc,
}

/// What happens when several rows of the vessel table fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeveralVessels {
    /// The deployment fails: nobody knows whose data they are. (ops_qc marks it failed, takes the last, and saves it.)
    #[default]
    Fail,
    /// The row with the latest supply date is taken, and told.
    LatestSupplied,
}

/// A rule set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleSet {
    /// What it is called in histories.
    pub name: String,
    /// How a deployment is treated beside the tests.
    pub conduct: Conduct,
    /// How flags are written.
    pub scheme: Scheme,
    /// Tests, in the order in which they run.
    pub tests: Vec<Test>,
    /// Fishing methods to gear classes.
    pub gear: GearClasses,
    /// Degrees north, for the depth of deployments without positions.
    pub default_latitude: f64,
    /// What happens when several rows of the vessel table fit.
    pub several_vessels: SeveralVessels,
}

impl Default for RuleSet {
    fn default() -> Self {
        Self {
            name: "corrected".to_owned(),
            conduct: Conduct::Corrected,
            scheme: Scheme::Iode,
            tests: sets::corrected(),
            gear: GearClasses::default(),
            default_latitude: DEFAULT_LATITUDE,
            several_vessels: SeveralVessels::Fail,
        }
    }
}

/// Changes to a rule set that is built in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleChange {
    /// The rule set that is changed.
    pub base: String,
    /// What the changed one is called; `<base>-changed` without.
    #[serde(default)]
    pub name: Option<String>,
    /// Tests with other thresholds: each takes the place of the test of the same name, or comes last.
    #[serde(default)]
    pub with: Vec<Test>,
    /// Names of tests that are left out.
    #[serde(default)]
    pub without: Vec<String>,
    /// Fishing methods with another class, or new ones.
    #[serde(default)]
    pub gear: Option<GearClasses>,
    /// As in [`RuleSet`].
    #[serde(default)]
    pub scheme: Option<Scheme>,
    /// As in [`RuleSet`].
    #[serde(default)]
    pub default_latitude: Option<f64>,
    /// As in [`RuleSet`].
    #[serde(default)]
    pub several_vessels: Option<SeveralVessels>,
}

impl RuleSet {
    /// The rule sets that are built in.
    pub const NAMES: &[&str] = &["corrected", "ops_qc-0.6.0", "qartod", "argo", "gtspp"];

    /// A rule set that is built in.
    ///
    /// # Errors
    /// The known names, if it is not one.
    pub fn named(name: &str) -> Result<Self, String> {
        let set = |conduct, scheme, tests| Self { name: name.to_owned(), conduct, scheme, tests, ..Self::default() };
        match name {
            "corrected" => Ok(Self::default()),
            "ops_qc-0.6.0" => Ok(set(Conduct::OpsQc, Scheme::Iode, sets::ops_qc())),
            "qartod" => Ok(set(Conduct::Corrected, Scheme::Qartod, sets::qartod())),
            "argo" => Ok(set(Conduct::Corrected, Scheme::Iode, sets::argo())),
            "gtspp" => Ok(set(Conduct::Corrected, Scheme::Iode, sets::gtspp())),
            _ => Err(format!("no rule set is called `{name}`; there are `{}`", Self::NAMES.join("`, `"))),
        }
    }

    /// The names of its tests, each once: a second test of the same name has a number behind it.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::with_capacity(self.tests.len());
        for test in &self.tests {
            let name = test.name();
            let again = names.iter().filter(|known| **known == name || known.starts_with(&format!("{name}__"))).count();
            names.push(if again == 0 { name } else { format!("{name}__{}", again + 1) });
        }
        names
    }
}

impl RuleChange {
    /// The changed rule set.
    ///
    /// # Errors
    /// What does not fit: a base or a test that is not there.
    pub fn apply(&self) -> Result<RuleSet, String> {
        let mut rules = RuleSet::named(&self.base)?;
        rules.name = self.name.clone().unwrap_or_else(|| format!("{}-changed", self.base));
        for name in &self.without {
            let before = rules.tests.len();
            rules.tests.retain(|test| test.name() != *name);
            if rules.tests.len() == before {
                let names = rules.names().join("`, `");
                return Err(format!("`{}` has no test `{name}`; it has `{names}`", self.base));
            }
        }
        for test in &self.with {
            match rules.tests.iter_mut().find(|known| known.name() == test.name()) {
                Some(known) => *known = test.clone(),
                None => rules.tests.push(test.clone()),
            }
        }
        if let Some(gear) = &self.gear {
            rules.gear.0.extend(gear.0.iter().map(|(method, class)| (method.clone(), *class)));
        }
        rules.scheme = self.scheme.unwrap_or(rules.scheme);
        rules.default_latitude = self.default_latitude.unwrap_or(rules.default_latitude);
        rules.several_vessels = self.several_vessels.unwrap_or(rules.several_vessels);
        Ok(rules)
    }
}
