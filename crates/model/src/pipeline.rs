//! The checked pipeline: what [`crate::Pipeline`] says is true, nothing above this floor judges it again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Address, Aws, Grants, Needs, Revision};

/// A pipeline file that passed every check, with one environment's overrides applied.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pipeline {
    /// `[pipeline] name`.
    pub name: String,
    /// The environment whose overrides are in force.
    pub env: Option<String>,
    /// `[bucket.*]` by name.
    pub buckets: BTreeMap<String, Bucket>,
    /// `[table.*]` by name.
    pub tables: BTreeMap<String, Table>,
    /// `[database.*]` by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub databases: BTreeMap<String, Database>,
    /// `[function.*]` in the order of the file.
    pub functions: Vec<Function>,
    /// `[mail]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<Mail>,
    /// How many runs may be under way at once, over all functions; `[pipeline] concurrency`.
    pub concurrency: usize,
    /// `[aws]`.
    #[serde(skip_serializing_if = "Aws::is_default")]
    pub aws: Aws,
    /// `[secrets] file`: a file of `NAME=value` lines, relative to the pipeline file; `None`: `.env`, if there is one.
    pub secrets_file: Option<String>,
}

impl Pipeline {
    /// The function of this name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// Names of the buckets that some function is triggered by, sorted.
    pub fn watched_buckets(&self) -> BTreeSet<&str> {
        self.functions.iter().filter_map(|function| function.trigger.bucket()).collect()
    }
}

/// A value that may be a secret kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Setting {
    /// It stands in the file.
    Plain(String),
    /// `{ secret = "name" }`: resolved when it is used, never stored or printed.
    Secret(String),
}

/// A named object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Where it is: `None` is the directory `buckets/<name>` beside the pipeline file; else a path,
    /// `file://…`, `memory://` or `s3://bucket/prefix`.
    pub url: Option<String>,
    /// Further settings of the store: `endpoint`, `region`, `access_key_id`, `secret_access_key`.
    pub settings: BTreeMap<String, Setting>,
    /// Keys that are never events (glob), for example `**/.DS_Store`.
    pub ignore: KeyGlobs,
    /// On AWS: everyone may read its objects.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub public: bool,
}

/// A named row store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Where it is: `None` is the SQLite database `.tidegate/tables.db`; else `postgres://…`.
    pub url: Option<Setting>,
    /// Its key columns, in order; empty: the first column of the first load is the key, under its own name.
    pub key: Vec<TableKey>,
    /// Declared columns; others are added as they appear.
    pub columns: Columns,
    /// In DynamoDB: the most write units a second that one load uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_wcu: Option<u32>,
}

/// A named database with tables of its own: one that is extracted from, or a warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Where it is: `None` is the SQLite database `<name>.db` beside the pipeline file; else `sqlite:PATH` or
    /// `postgres://…`.
    pub url: Option<Setting>,
}

/// How mails are sent, and who gets those for the operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// The mail server: `smtp://host:port` or `smtps://host:port`; `None`: each mail is a file in `.tidegate/mail`.
    pub url: Option<String>,
    /// A file of certificates (PEM) that are trusted besides the usual ones, relative to the pipeline file.
    pub ca: Option<String>,
    /// Who logs in at the server, and with what.
    #[serde(skip)]
    pub login: Option<(Setting, Setting)>,
    /// Who the mails are from.
    #[serde(skip)]
    pub from: Address,
    /// Who gets mails for the operators.
    #[serde(skip)]
    pub operator: Vec<Address>,
}

impl Mail {
    /// Who mails are from when the file does not say: then they only become files.
    pub const NOBODY: &str = "tidegate@localhost";
}

/// Declared columns of a table, in the order of the file.
pub type Columns = Vec<(String, ValueType)>;

/// One key column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableKey {
    /// Column name.
    pub name: String,
    /// Its type: `string` or `integer`.
    pub value: ValueType,
}

/// The types a table column can be declared to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// UTF-8 text, byte for byte as it came.
    String,
    /// 64-bit signed integer.
    Integer,
    /// Decimal number of up to 38 digits, kept exactly as text.
    Decimal,
    /// IEEE 754 double.
    Real,
    /// `true`/`false`.
    Boolean,
    /// Calendar date, `YYYY-MM-DD`.
    Date,
    /// Moment in time, RFC 3339.
    Timestamp,
}

impl ValueType {
    /// Every type, in the order of the reference.
    pub const ALL: [Self; 7] =
        [Self::String, Self::Integer, Self::Decimal, Self::Real, Self::Boolean, Self::Date, Self::Timestamp];

    /// The word of the pipeline file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Real => "real",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }

    /// The type whose word this is.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == word)
    }
}

/// A named unit of work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What starts it.
    pub trigger: Trigger,
    /// Its kind, the word after `run =`.
    pub kind: String,
    /// Its options with defaults filled in, each of the type its [`crate::OptionSpec`] says; durations as texts.
    pub options: Map<String, Value>,
    /// `into` as written: buckets, tables, databases and `mail`, in order.
    pub into: Vec<String>,
    /// What it may touch.
    pub grants: Grants,
    /// How many of its runs may be under way at once, over all workers.
    pub concurrency: usize,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How failed attempts are repeated.
    pub retry: Retry,
    /// What it needs on AWS.
    #[serde(skip_serializing_if = "Needs::is_default")]
    pub aws: Needs,
    /// Identity of its rules.
    pub revision: Revision,
}

/// What starts a function.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// An object version appeared in `bucket`, its key matches `keys`, its content is one of `format`.
    Created {
        /// Name of the bucket.
        bucket: String,
        /// Which keys; empty takes all.
        keys: KeyGlobs,
        /// What the content must be (names of `tidegate_formats::sniff`), whatever the object is called; empty takes all.
        format: Vec<String>,
    },
    /// Every so often, counted from the Unix epoch, so that all workers agree on the moments.
    Every(Duration),
    /// A cron expression in a time zone.
    Cron(Cron),
}

impl Trigger {
    /// The bucket whose objects start the function.
    pub fn bucket(&self) -> Option<&str> {
        match self {
            Self::Created { bucket, .. } => Some(bucket),
            Self::Every(_) | Self::Cron(_) => None,
        }
    }
}

/// How failed attempts are repeated: exponential backoff with full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Retry {
    /// Attempts in all, the first included; after the last the run has failed.
    pub attempts: u32,
    /// Bound of the first wait.
    pub base: Duration,
    /// Bound of every wait.
    pub max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, base: Duration::from_secs(1), max: Duration::from_secs(300) }
    }
}

impl Retry {
    /// How long to wait after attempt number `attempt` (from 1) failed; `chance` in 0..1 spreads waiters between half
    /// the bound and the bound, so that they do not return together.
    pub fn wait(&self, attempt: u32, chance: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(32);
        let bound = self.base.saturating_mul(2u32.saturating_pow(doublings)).min(self.max);
        bound.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
    }
}

/// A list of glob patterns over keys, compiled. `*` stays within a segment, `**` crosses them; `{a,b}` and `[x]` as usual.
/// A pattern that begins with `!` takes keys out again, wherever it stands in the list; a list of such patterns alone
/// takes every other key.
#[derive(Debug, Clone)]
pub struct KeyGlobs {
    patterns: Vec<String>,
    set: globset::GlobSet,
    except: globset::GlobSet,
}

impl KeyGlobs {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// The index of the first bad pattern, and what is wrong with it.
    pub fn new(patterns: Vec<String>) -> Result<Self, (usize, String)> {
        let (mut set, mut except) = (globset::GlobSetBuilder::new(), globset::GlobSetBuilder::new());
        for (index, pattern) in patterns.iter().enumerate() {
            let (into, pattern) = match pattern.strip_prefix('!') {
                Some(excepted) => (&mut except, excepted),
                None => (&mut set, pattern.as_str()),
            };
            let glob = globset::GlobBuilder::new(pattern)
                .literal_separator(true)
                .build()
                .map_err(|error| (index, error.kind().to_string()))?;
            into.add(glob);
        }
        let set = set.build().map_err(|error| (0, error.to_string()))?;
        let except = except.build().map_err(|error| (0, error.to_string()))?;
        Ok(Self { patterns, set, except })
    }

    /// No pattern.
    pub fn none() -> Self {
        Self { patterns: Vec::new(), set: globset::GlobSet::empty(), except: globset::GlobSet::empty() }
    }

    /// True if there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// True if one of the patterns matches `key` and none takes it out again.
    pub fn matches(&self, key: &str) -> bool {
        let is_in = self.set.is_match(key) || (self.set.is_empty() && !self.except.is_empty());
        is_in && !self.except.is_match(key)
    }

    /// The patterns as written.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }
}

impl PartialEq for KeyGlobs {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}

impl Eq for KeyGlobs {}

impl Serialize for KeyGlobs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.patterns.serialize(serializer)
    }
}

/// A five-field cron expression in a time zone.
#[derive(Debug, Clone)]
pub struct Cron {
    expression: String,
    timezone: String,
    crontab: cronexpr::Crontab,
}

impl Cron {
    /// Parses `expression` (minute, hour, day of month, month, day of week) for an IANA time zone.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn new(expression: &str, timezone: &str) -> Result<Self, String> {
        let crontab =
            cronexpr::parse_crontab(&format!("{expression} {timezone}")).map_err(|error| error.to_string())?;
        Ok(Self { expression: expression.to_owned(), timezone: timezone.to_owned(), crontab })
    }

    /// The first planned moment after `moment`; `None` if there is none within the calendar.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let next = self.crontab.find_next(moment.to_string().as_str()).ok()?;
        Some(next.timestamp())
    }

    /// The expression as written.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The IANA time zone.
    pub fn timezone(&self) -> &str {
        &self.timezone
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression && self.timezone == other.timezone
    }
}

impl Serialize for Cron {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [&self.expression, &self.timezone].serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded() {
        let retry = Retry::default();
        assert_eq!(retry.wait(1, 1.0), Duration::from_secs(1));
        assert_eq!(retry.wait(1, 0.0), Duration::from_millis(500));
        assert_eq!(retry.wait(3, 1.0), Duration::from_secs(4));
        assert_eq!(retry.wait(u32::MAX, 1.0), Duration::from_secs(300));
    }

    #[test]
    fn cron_follows_its_time_zone_over_the_change_of_the_clock() {
        let cron = Cron::new("30 2 * * *", "Australia/Sydney").expect("a cron expression");
        let before: Timestamp = "2024-10-05T20:00:00Z".parse().expect("a timestamp");
        let next = cron.next_after(before).expect("a next moment");
        assert!(next > before);
        assert!(Cron::new("61 * * * *", "UTC").is_err());
        assert!(Cron::new("* * * * *", "Mars/Olympus").is_err());
    }

    #[test]
    fn an_exclamation_mark_takes_keys_out_wherever_it_stands() {
        let globs = |patterns: &[&str]| {
            KeyGlobs::new(patterns.iter().map(|&pattern| pattern.to_owned()).collect()).expect("globs")
        };
        for globs in [globs(&["*.csv", "!vessels*.csv"]), globs(&["!vessels*.csv", "*.csv"])] {
            assert!(globs.matches("v.csv") && !globs.matches("vessels-2.csv") && !globs.matches("a.txt"));
        }
        let others = globs(&["!**/*.tmp"]);
        assert!(others.matches("a/b.csv") && !others.matches("a/b.tmp"));
        assert!(!KeyGlobs::none().matches("a"));
    }

    #[test]
    fn a_star_stays_within_its_segment() {
        let globs = KeyGlobs::new(vec!["*.csv".to_owned()]).expect("a glob");
        assert!(globs.matches("a.csv"));
        assert!(!globs.matches("a/b.csv"));
        let globs = KeyGlobs::new(vec!["**/*.csv".to_owned()]).expect("a glob");
        assert!(globs.matches("a.csv") && globs.matches("a/b.csv"));
    }
}
