//! One parameter of a content: how many values, how they spread, and what their flags say.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::decimal::Decimal;
use super::moments::Moments;

/// Different texts of a column that are told apart.
const MAX_TEXTS: usize = 10_000;

/// Different flags that are no digits.
const MAX_FLAGS: usize = 32;

/// How often a flag stands, and what it stands beside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlagCount {
    /// In all.
    pub count: u64,
    /// Beside a fill value.
    pub fill: u64,
    /// Beside a value.
    pub value: u64,
}

/// Which flags a parameter has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// By digit.
    pub digits: [FlagCount; 10],
    /// Whatever else stands in a flag column, as it stands.
    pub other: BTreeMap<String, FlagCount>,
}

impl Flags {
    /// The count of a flag that is no digit; of further ones, once there are many, together.
    pub(crate) fn other(&mut self, text: &[u8]) -> &mut FlagCount {
        let text: String = String::from_utf8_lossy(text).chars().take(16).collect();
        let is_known = self.other.contains_key(&text) || self.other.len() < MAX_FLAGS;
        self.other.entry(if is_known { text } else { "others".to_owned() }).or_default()
    }

    fn merge(&mut self, other: &Self) {
        let add = |ours: &mut FlagCount, theirs: &FlagCount| {
            ours.count += theirs.count;
            ours.fill += theirs.fill;
            ours.value += theirs.value;
        };
        for (ours, theirs) in self.digits.iter_mut().zip(&other.digits) {
            add(ours, theirs);
        }
        for (text, theirs) in &other.other {
            add(self.other(text.as_bytes()), theirs);
        }
    }

    /// Flags that stand at all, in order, with their counts.
    pub fn all(&self) -> impl Iterator<Item = (String, FlagCount)> {
        let digits = self.digits.iter().enumerate().map(|(digit, count)| (digit.to_string(), *count));
        digits.chain(self.other.iter().map(|(text, count)| (text.clone(), *count))).filter(|(_, count)| count.count > 0)
    }
}

/// What the values of one parameter come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameter {
    /// Its name, as it stands.
    pub name: String,
    /// Its unit, as it stands; empty if it has none.
    pub unit: String,
    /// Rows in which it could stand.
    pub count: u64,
    /// Fill values.
    pub missing: u64,
    /// Empty fields.
    pub blank: u64,
    /// Values that are no numbers.
    pub texts: u64,
    /// The numbers.
    pub moments: Moments,
    /// Its flags, if it has any.
    pub flags: Option<Flags>,
    different: HashSet<Box<[u8]>>,
    last: Box<[u8]>,
}

impl Parameter {
    /// A parameter without values so far.
    pub fn new(name: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { name: name.into(), unit: unit.into(), ..Self::default() }
    }

    /// `NAME [UNIT]`, or the name alone.
    pub fn title(&self) -> String {
        if self.unit.is_empty() { self.name.clone() } else { format!("{} [{}]", self.name, self.unit) }
    }

    /// Values: numbers and texts.
    pub fn values(&self) -> u64 {
        self.texts + self.moments.count()
    }

    /// Whether more different texts were seen than are told apart.
    pub fn has_more_texts(&self) -> bool {
        self.different.len() >= MAX_TEXTS
    }

    #[inline]
    pub(crate) fn take_number(&mut self, number: Decimal) {
        self.moments.push(number);
    }

    pub(crate) fn take_text(&mut self, text: &[u8]) {
        self.texts += 1;
        if *self.last == *text || self.different.contains(text) {
            return;
        }
        if self.different.len() < MAX_TEXTS {
            self.different.insert(text.into());
        }
        self.last = text.into();
    }

    /// Takes all that the same parameter of another part has.
    pub(crate) fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.missing += other.missing;
        self.blank += other.blank;
        self.texts += other.texts;
        self.moments.merge(&other.moments);
        match (&mut self.flags, other.flags) {
            (Some(ours), Some(theirs)) => ours.merge(&theirs),
            (ours @ None, Some(theirs)) => *ours = Some(theirs),
            (_, None) => {}
        }
        for text in other.different {
            if self.different.len() < MAX_TEXTS {
                self.different.insert(text);
            }
        }
    }

    /// Counts, extremes, mean and spread, and what the flags say.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        let mut set = |name: &str, value: Value| object.insert(name.to_owned(), value);
        set("count", json!(self.count));
        set("missing_fill", json!(self.missing));
        set("blank", json!(self.blank));
        set("values", json!(self.values()));
        if self.texts > 0 {
            set("text_values", json!(self.texts));
            set("distinct_text", json!(self.different.len()));
        }
        if let (Some(min), Some(max)) = (self.moments.min(), self.moments.max()) {
            set("min", json!(min));
            set("max", json!(max));
            set("mean", json!(self.moments.mean()));
            set("std_pop", json!(self.moments.deviation()));
            set("decimals", json!(self.moments.decimals()));
        }
        if let Some(flags) = &self.flags {
            let counts = |of: fn(&FlagCount) -> u64| {
                let counts = flags.all().map(|(flag, count)| (flag, of(&count))).filter(|(_, count)| *count > 0);
                Value::Object(counts.map(|(flag, count)| (flag, json!(count))).collect())
            };
            set("flags", counts(|count| count.count));
            set("fill_by_flag", counts(|count| count.fill));
            set("value_by_flag", counts(|count| count.value));
        }
        Value::Object(object)
    }
}
