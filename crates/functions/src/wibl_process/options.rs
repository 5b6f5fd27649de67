//! What a pipeline file says under `with` of `wibl-process`, as types.

use serde_json::{Map, Value};
use tidegate_model::{ErrorKind, Failure, OptionSpec, OptionType, parse_duration};

const fn option(name: &'static str, takes: OptionType, default: Option<&'static str>, doc: &'static str) -> OptionSpec {
    OptionSpec { name, takes, default, required: false, doc }
}

pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "provider",
        takes: OptionType::Text,
        default: None,
        required: true,
        doc: "The Trusted Node's letters, as the archive knows it: what stands before each vessel's identifier.",
    },
    option(
        "rules",
        OptionType::OneOf(&["corrected", "wibl-1.2.0"]),
        Some("\"corrected\""),
        "`corrected`, or exactly what the Python lambda of that version does, its faults included.",
    ),
    option(
        "organization",
        OptionType::Text,
        None,
        "The Trusted Node's name, for files whose metadata do not say it; else `provider`. Of no use to `wibl-1.2.0`.",
    ),
    option(
        "email",
        OptionType::Text,
        None,
        "Where questions about the data go, for files whose metadata do not say it. Of no use to `wibl-1.2.0`.",
    ),
    option("vessel", OptionType::Text, None, "The vessel's identifier, a UUID, for files that hold none."),
    option(
        "time_source",
        OptionType::OneOf(&["auto", "system-time", "gnss", "zda", "rmc"]),
        Some("\"auto\""),
        "What tells UTC. `auto`: the first of them, in this order, among those that cover nearly as much as the best.",
    ),
    option(
        "position_source",
        OptionType::OneOf(&["auto", "gnss", "gga", "gll"]),
        Some("\"auto\""),
        "What tells the position; `auto` as for time.",
    ),
    option(
        "depth_source",
        OptionType::OneOf(&["auto", "depth", "dbt", "dpt"]),
        Some("\"auto\""),
        "What tells the depth (`depth` is NMEA 2000's); `auto` as for time.",
    ),
    option(
        "bad_talkers",
        OptionType::TextList,
        Some("[]"),
        "Who is not listened to: a talker (`\"II\"`), a sentence (`\"DPT\"`), a talker's sentence (`\"IIDPT\"`); in files that \
         tell who sent a message of NMEA 2000 (YDVR), an address (`\"35\"`), or an address and a message (`\"35/GNSS\"`).",
    ),
    option(
        "preferred_talkers",
        OptionType::TextList,
        Some("[]"),
        "Who is listened to first, before the order of the sources: as `bad_talkers`. Not if it covers less than nine tenths.",
    ),
    option(
        "algorithms",
        OptionType::TextList,
        Some("[]"),
        "Algorithms for every file, beside those that it requests itself: `nodatareject`, `deduplicate`.",
    ),
    option(
        "unknown_algorithm",
        OptionType::OneOf(&["skip", "reject"]),
        Some("\"skip\""),
        "What becomes of a file that requests an algorithm that nobody knows: it is converted without, or refused.",
    ),
    option(
        "time_gap",
        OptionType::Duration,
        Some("\"10s\""),
        "Soundings between two times that lie further apart get none, and are left out.",
    ),
    option(
        "position_gap",
        OptionType::Duration,
        Some("\"60s\""),
        "Soundings between two fixes that lie further apart get no position, and are left out.",
    ),
    option(
        "map",
        OptionType::OneOf(&["none", "svg", "png"]),
        Some("\"none\""),
        "A map of each file's track, beside its GeoJSON: `a.json` and `a.svg`.",
    ),
    option(
        "uncertainty",
        OptionType::TextMap,
        None,
        "Uncertainty of each sounding, in metres: `{ horizontal = \"10\", fixed = \"0.5\", of_depth = \"0.02\" }`; the \
         vertical one is the root of `fixed` squared plus `of_depth` times the depth squared (IHO S-44).",
    ),
];

/// Whose rules are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Ours.
    Corrected,
    /// Those of `wibl-python` 1.2.0.
    Wibl120,
}

/// What a map of the track is, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapFormat {
    /// There is none.
    None,
    /// SVG.
    Svg,
    /// PNG.
    Png,
}

/// An uncertainty model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uncertainty {
    /// East-west and north-south, m.
    pub horizontal: f64,
    /// Fixed part of the vertical one, m.
    pub fixed: f64,
    /// Part of the depth.
    pub of_depth: f64,
}

/// The options of one `wibl-process` function.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The Trusted Node's letters.
    pub provider: String,
    /// Whose rules are followed.
    pub rules: Rules,
    /// The Trusted Node's name.
    pub organization: Option<String>,
    /// Its mail address.
    pub email: Option<String>,
    /// Identifier of a vessel whose files have none.
    pub vessel: Option<String>,
    /// `None`: automatic.
    pub time_source: Option<String>,
    /// `None`: automatic.
    pub position_source: Option<String>,
    /// `None`: automatic.
    pub depth_source: Option<String>,
    /// Upper case.
    pub bad_talkers: Vec<String>,
    /// Upper case, the first first.
    pub preferred_talkers: Vec<String>,
    /// Algorithms for every file.
    pub algorithms: Vec<String>,
    /// Whether an unknown algorithm refuses the file.
    pub reject_unknown: bool,
    /// Milliseconds.
    pub time_gap: i64,
    /// Milliseconds.
    pub position_gap: i64,
    /// A map of the track.
    pub map: MapFormat,
    /// Uncertainty of each sounding.
    pub uncertainty: Option<Uncertainty>,
}

impl Options {
    /// Reads the checked options of a function.
    ///
    /// # Errors
    /// `R0501` for what only this kind can judge.
    pub fn read(values: &Map<String, Value>) -> Result<Self, Failure> {
        let text = |name: &str| values.get(name).and_then(Value::as_str).map(str::to_owned);
        let source = |name: &str| text(name).filter(|word| word != "auto");
        let texts = |name: &str| -> Vec<String> {
            let list = values.get(name).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let gap = |name: &str, default: i64| {
            let duration = text(name).and_then(|text| parse_duration(&text).ok());
            duration.map_or(default, |duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
        };
        let options = Self {
            provider: text("provider").unwrap_or_default(),
            rules: if text("rules").as_deref() == Some("wibl-1.2.0") { Rules::Wibl120 } else { Rules::Corrected },
            organization: text("organization"),
            email: text("email"),
            vessel: text("vessel"),
            time_source: source("time_source"),
            position_source: source("position_source"),
            depth_source: source("depth_source"),
            bad_talkers: texts("bad_talkers").iter().map(|talker| talker.to_ascii_uppercase()).collect(),
            preferred_talkers: texts("preferred_talkers").iter().map(|talker| talker.to_ascii_uppercase()).collect(),
            algorithms: texts("algorithms"),
            reject_unknown: text("unknown_algorithm").as_deref() == Some("reject"),
            time_gap: gap("time_gap", 10_000),
            position_gap: gap("position_gap", 60_000),
            map: match text("map").as_deref() {
                Some("svg") => MapFormat::Svg,
                Some("png") => MapFormat::Png,
                _ => MapFormat::None,
            },
            uncertainty: values.get("uncertainty").and_then(Value::as_object).map(uncertainty).transpose()?,
        };
        match options.rules {
            Rules::Corrected => options.check()?,
            Rules::Wibl120 => options.check_reference()?,
        }
        Ok(options)
    }

    fn check(&self) -> Result<(), Failure> {
        let letters = self.provider.as_bytes();
        if !letters.first().is_some_and(u8::is_ascii_alphabetic) || !letters.iter().all(u8::is_ascii_alphanumeric) {
            return Err(wrong("provider", &self.provider).expected("a letter, and letters and digits behind it"));
        }
        let lists = [("bad_talkers", &self.bad_talkers), ("preferred_talkers", &self.preferred_talkers)];
        for (option, talkers) in lists {
            if let Some(talker) = talkers.iter().find(|talker| !is_talker(talker)) {
                return Err(wrong(option, talker).expected(
                    "two, three or five letters, as `II`, `DPT`, `IIDPT`, or an address of NMEA 2000, as `35`, `35/GNSS`",
                ));
            }
        }
        for name in &self.algorithms {
            if !super::document::ALGORITHMS.contains(&name.as_str()) {
                return Err(wrong("algorithms", name).expected("`nodatareject` or `deduplicate`"));
            }
        }
        if let Some(vessel) = self.vessel.as_deref().filter(|vessel| super::vessel::uuid_in(vessel).is_none()) {
            return Err(wrong("vessel", vessel).expected("a UUID, as `e8c469f8-df38-11e5-b86d-9a79f06e9478`"));
        }
        Ok(())
    }

    fn check_reference(&self) -> Result<(), Failure> {
        let unused = [
            ("vessel", self.vessel.is_some()),
            ("time_source", self.time_source.is_some()),
            ("position_source", self.position_source.is_some()),
            ("depth_source", self.depth_source.is_some()),
            ("bad_talkers", !self.bad_talkers.is_empty()),
            ("preferred_talkers", !self.preferred_talkers.is_empty()),
            ("algorithms", !self.algorithms.is_empty()),
            ("uncertainty", self.uncertainty.is_some()),
        ];
        match unused.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((name, _)) => {
                let reason = format!("`{name}` has no meaning under the reference rules, which fix it");
                Err(Failure::new("R0501", ErrorKind::Invalid, reason)
                    .help("leave it out, or set `rules = \"corrected\"`"))
            }
        }
    }
}

/// Whether it can name a device: 252 and above are no addresses of one.
fn is_talker(text: &str) -> bool {
    let is_address = |text: &str| text.parse::<u8>().is_ok_and(|address| address < 252);
    match text.split_once('/') {
        Some((address, message)) => is_address(address) && ["SYSTEMTIME", "GNSS", "DEPTH"].contains(&message),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => is_address(text),
        None => matches!(text.len(), 2 | 3 | 5) && text.bytes().all(|byte| byte.is_ascii_alphanumeric()),
    }
}

fn uncertainty(values: &Map<String, Value>) -> Result<Uncertainty, Failure> {
    let names = ["horizontal", "fixed", "of_depth"];
    if let Some(name) = values.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(wrong("uncertainty", name).expected("`horizontal`, `fixed` and `of_depth`"));
    }
    let number = |name: &str| {
        let text = values.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
        number.ok_or_else(|| wrong("uncertainty", text).expected(format!("a number of 0 or more for `{name}`")))
    };
    Ok(Uncertainty { horizontal: number("horizontal")?, fixed: number("fixed")?, of_depth: number("of_depth")? })
}

fn wrong(option: &str, value: &str) -> Failure {
    Failure::new("R0501", ErrorKind::Invalid, format!("`{option}` cannot be `{value}`"))
}
