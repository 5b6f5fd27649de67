//! What a function kind tells about itself, so that a pipeline file can be checked without running anything.

/// What may start a function of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerNeed {
    /// Only an object (`on = { created = … }`).
    Object,
    /// Only a schedule (`on = { every = … }` or `{ cron = … }`).
    Schedule,
    /// Either.
    Any,
}

/// How many targets of one sort a kind writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Targets {
    /// It never writes to one.
    None,
    /// Exactly one.
    One,
    /// None or one.
    Optional,
    /// Any number.
    Any,
}

/// What values an option takes. The text forms are those of the pipeline file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionType {
    /// Any text.
    Text,
    /// Exactly one character.
    Character,
    /// `true` or `false`.
    Bool,
    /// A whole number within the bounds, both included.
    Integer(i64, i64),
    /// A duration such as `"90s"` or `"5m"`.
    Duration,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of texts.
    TextList,
    /// A text or a list of texts; the function is given a list either way.
    TextOrList,
    /// A table from names to one of these words.
    MapOf(&'static [&'static str]),
    /// A table from names to texts.
    TextMap,
    /// A table of any values and tables; what may stand in it only the kind knows, and it says so when it is built.
    Data,
    /// A reference to a secret, `{ secret = "name" }`; the function is given the name, and may ask for the value.
    Secret,
    /// The name of a bucket of the file; it counts as use of that bucket.
    Bucket,
    /// The name of a table of the file; it counts as use of that table.
    Table,
    /// A table from names of tables of the file to texts; each counts as used.
    TableMap,
}

/// One option of a kind, as it stands under `with`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionSpec {
    /// Its name.
    pub name: &'static str,
    /// What values it takes.
    pub takes: OptionType,
    /// What it is when absent, as the pipeline file would say it (quotes around a text may be left out); `None`: absent
    /// means absent.
    pub default: Option<&'static str>,
    /// True if the file must give it.
    pub required: bool,
    /// What it does, for the reference: a sentence or two.
    pub doc: &'static str,
}

/// What a function kind tells about itself: its options, what starts it, where it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindSpec {
    /// The word after `run =`.
    pub name: &'static str,
    /// Raised whenever the same options on the same input give another result; part of the function's revision.
    pub version: u32,
    /// One line for lists.
    pub summary: &'static str,
    /// What may start it.
    pub trigger: TriggerNeed,
    /// Tables it writes to.
    pub tables: Targets,
    /// Buckets it writes to.
    pub buckets: Targets,
    /// Databases it writes to.
    pub databases: Targets,
    /// Whether it mails.
    pub mail: Targets,
    /// Whether it reads, in the buckets that it writes to, what its earlier runs have put there.
    pub looks_back: bool,
    /// Its options.
    pub options: &'static [OptionSpec],
}
