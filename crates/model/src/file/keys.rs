//! Every section and key of the pipeline file, once: reading, the JSON Schema and the reference all follow this table.

use crate::{OptionType, ValueType};

/// What stands behind a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Takes {
    /// A value, as for an option of a kind.
    Value(OptionType),
    /// A text, or `{ secret = "name" }`.
    Setting,
    /// One or several globs over keys.
    Globs,
    /// Names of buckets, tables and databases, one or several.
    Targets,
    /// An inline table with keys of its own.
    Section(&'static [KeySpec]),
    /// The word of a function kind.
    Kind,
    /// The options of the function's kind.
    Options,
}

/// One key of a section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeySpec {
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    pub(crate) required: bool,
    /// What holds when the key is absent, as the reference says it.
    pub(crate) default: &'static str,
    /// True if it says where something is, so that an environment may override it.
    pub(crate) is_place: bool,
    pub(crate) doc: &'static str,
}

/// One section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SectionSpec {
    pub(crate) name: &'static str,
    /// True if the section has names below it: `[bucket.NAME]`.
    pub(crate) is_named: bool,
    pub(crate) keys: &'static [KeySpec],
    pub(crate) doc: &'static str,
}

const fn key(name: &'static str, takes: Takes, default: &'static str, doc: &'static str) -> KeySpec {
    KeySpec { name, takes, required: false, default, is_place: false, doc }
}

const fn required(name: &'static str, takes: Takes, doc: &'static str) -> KeySpec {
    KeySpec { name, takes, required: true, default: "", is_place: false, doc }
}

const fn place(name: &'static str, takes: Takes, default: &'static str, doc: &'static str) -> KeySpec {
    KeySpec { name, takes, required: false, default, is_place: true, doc }
}

const TEXT: Takes = Takes::Value(OptionType::Text);
const DURATION: Takes = Takes::Value(OptionType::Duration);

/// Words of the types that a key column can have.
pub(crate) const KEY_TYPES: &[&str] = &[ValueType::String.as_str(), ValueType::Integer.as_str()];

/// Words of the types that a column can have.
pub(crate) const COLUMN_TYPES: &[&str] = &{
    let mut words = [""; ValueType::ALL.len()];
    let mut index = 0;
    while index < words.len() {
        words[index] = ValueType::ALL[index].as_str();
        index += 1;
    }
    words
};

/// Runs of a pipeline that may be under way at once, when the file does not say.
pub(crate) const PIPELINE_CONCURRENCY: usize = 4;
/// Runs of a function that objects start, when the file does not say.
pub(crate) const FUNCTION_CONCURRENCY: usize = 2;
/// Time for one attempt, when the file does not say.
pub(crate) const TIMEOUT_SECS: u64 = 600;
/// The most runs at once that can be asked for.
const MOST_AT_ONCE: i64 = 1024;

/// `[pipeline]`
pub(crate) const PIPELINE: &[KeySpec] = &[
    required("name", TEXT, "What the pipeline is called in lists and on AWS. Lower-case letters, digits, `-` and `_`."),
    key(
        "concurrency",
        Takes::Value(OptionType::Integer(1, MOST_AT_ONCE)),
        "4",
        "How many runs may be under way at once in one worker, over all functions.",
    ),
];

/// `[bucket.NAME]`
pub(crate) const BUCKET: &[KeySpec] = &[
    place(
        "url",
        TEXT,
        "the directory `buckets/NAME` beside the file",
        "Where the objects are: a directory (relative to the file), `file:///…`, `memory://` or `s3://bucket/prefix`.",
    ),
    place("endpoint", Takes::Setting, "AWS", "For `s3://`: the endpoint of another S3 service, `https://…`."),
    place("region", Takes::Setting, "`us-east-1`", "For `s3://`: the region."),
    place("access_key_id", Takes::Setting, "the environment's", "For `s3://`: the access key."),
    place(
        "secret_access_key",
        Takes::Setting,
        "the environment's",
        "For `s3://`: the secret key. Give it as `{ secret = \"name\" }`, never literally.",
    ),
    key(
        "ignore",
        Takes::Globs,
        "none",
        "Objects that are no events: nothing takes them, and nobody is told. For example `\"**/.DS_Store\"`.",
    ),
    key(
        "public",
        Takes::Value(OptionType::Bool),
        "`false`",
        "On AWS: everyone may read its objects by their addresses, without listing them. Elsewhere it has no effect.",
    ),
];

/// `[table.NAME]`
pub(crate) const TABLE: &[KeySpec] = &[
    place(
        "url",
        Takes::Setting,
        "the SQLite database `.tidegate/tables.db`",
        "Where the rows are: `postgres://user@host:5432/name`. A url with a password is given as `{ secret = \"name\" }`.",
    ),
    key(
        "key",
        Takes::Value(OptionType::MapOf(KEY_TYPES)),
        "the first column of the first load",
        "The key columns and their types, in order: `{ participant_id = \"string\" }`.",
    ),
    key(
        "columns",
        Takes::Value(OptionType::MapOf(COLUMN_TYPES)),
        "inferred from the data",
        "Declared columns and their types, in order. Others are added as they appear.",
    ),
    key(
        "max_wcu",
        Takes::Value(OptionType::Integer(1, 1_000_000)),
        "as fast as DynamoDB takes it",
        "In DynamoDB: the most write units a second that one load uses, so that others who use the table have their share. Elsewhere \
         it has no effect.",
    ),
];

/// `[database.NAME]`
pub(crate) const DATABASE: &[KeySpec] = &[place(
    "url",
    Takes::Setting,
    "the SQLite database `NAME.db` beside the file",
    "Where it is: `sqlite:PATH` (relative to the file) or `postgres://user@host:5432/name`. A url with a password is \
     given as `{ secret = \"name\" }`.",
)];

/// `on = { … }` of a function
pub(crate) const ON: &[KeySpec] = &[
    key("created", Takes::Value(OptionType::Bucket), "", "An object appeared in this bucket, or was replaced."),
    key(
        "keys",
        Takes::Globs,
        "every key",
        "With `created`: which keys. `*` stays within a folder, `**/` crosses folders, `{a,b}` and `[0-9]` as usual; `!*.tmp` takes keys out again.",
    ),
    key(
        "format",
        Takes::Value(OptionType::TextOrList),
        "any content",
        "With `created`: what the content must be, one format or one of several, whatever the object is called. It is \
         found by looking into the object.",
    ),
    key("every", DURATION, "", "Every so often, counted from the Unix epoch; at least `\"1s\"`."),
    key("cron", TEXT, "", "A cron expression of five fields: minute, hour, day of month, month, day of week."),
    key("timezone", TEXT, "`UTC`", "With `cron`: the IANA time zone of the clock on the wall, `\"Pacific/Auckland\"`."),
];

/// `retry = { … }` of a function
pub(crate) const RETRY: &[KeySpec] = &[
    key("attempts", Takes::Value(OptionType::Integer(1, 100)), "5", "Attempts in all, the first included."),
    key("base", DURATION, "`\"1s\"`", "Bound of the first wait; it doubles with each attempt."),
    key("max", DURATION, "`\"5m\"`", "Bound of every wait."),
];

/// `aws = { … }` of a function
pub(crate) const NEEDS: &[KeySpec] = &[
    key(
        "memory",
        Takes::Value(OptionType::Integer(128, 10_240)),
        "1024",
        "Memory of one call in MiB; 1769 is one whole processor.",
    ),
    key("disk", Takes::Value(OptionType::Integer(512, 10_240)), "1024", "Room for temporary files of one call in MiB."),
    key(
        "stale_after",
        DURATION,
        "twice the time between two ticks; never, if objects start it",
        "After how long without a success the alarm goes off: whole hours, from `\"1h\"` to `\"7d\"`.",
    ),
];

/// `[function.NAME]`
pub(crate) const FUNCTION: &[KeySpec] = &[
    required(
        "on",
        Takes::Section(ON),
        "What starts it: `{ created = \"bucket\" }`, `{ every = \"5m\" }` or `{ cron = \"0 5 * * *\" }`.",
    ),
    required("run", Takes::Kind, "Its kind: which code it runs."),
    key(
        "into",
        Takes::Targets,
        "none",
        "Buckets, tables and databases it may write to, in the order its kind expects, and `mail` if it may mail. \
         Anything else is refused.",
    ),
    key(
        "reads",
        Takes::Targets,
        "none",
        "Further buckets, tables and databases it may read, and `ledger` if it may read what became of runs. The bucket that starts \
         it needs no mention.",
    ),
    key("with", Takes::Options, "the kind's defaults", "Options of its kind."),
    key(
        "concurrency",
        Takes::Value(OptionType::Integer(1, MOST_AT_ONCE)),
        "2; with a schedule always 1",
        "How many of its runs may be under way at once, over all workers.",
    ),
    key(
        "timeout",
        DURATION,
        "`\"10m\"`",
        "How long one attempt may take; at least `\"1s\"`. AWS Lambda ends at `\"15m\"`.",
    ),
    key("retry", Takes::Section(RETRY), "5 attempts", "How failed attempts are repeated."),
    key("aws", Takes::Section(NEEDS), "see below", "What it needs on AWS; elsewhere it has no effect."),
];

/// `[mail]`
pub(crate) const MAIL: &[KeySpec] = &[
    place(
        "url",
        TEXT,
        "none: each mail is a file in `.tidegate/mail`",
        "The mail server: `smtp://host:587` (it must offer STARTTLS, unless it is on this machine) or `smtps://host:465`.",
    ),
    place("user", Takes::Setting, "no login", "Who logs in at the mail server."),
    place("password", Takes::Setting, "no login", "Its password. Give it as `{ secret = \"name\" }`, never literally."),
    place(
        "ca",
        TEXT,
        "the system's",
        "A file of certificates (PEM), relative to the pipeline file, that are trusted besides the system's: for a \
         server whose certificate your own office has signed.",
    ),
    place(
        "from",
        TEXT,
        "`tidegate@localhost`; with `url` it must be given",
        "Who the mails are from: `\"Tide Office <tide@example.org>\"`.",
    ),
    place(
        "operator",
        Takes::Value(OptionType::TextOrList),
        "nobody",
        "Who gets the mails for operators: one address or several.",
    ),
];

/// The word of `into` for mails.
pub(crate) const MAIL_WORD: &str = "mail";
/// The word of `reads` for the ledger.
pub(crate) const LEDGER_WORD: &str = "ledger";

/// `[aws]`
pub(crate) const AWS: &[KeySpec] = &[
    key(
        "alarms",
        Takes::Value(OptionType::TextOrList),
        "`operator` of `[mail]`; else nobody",
        "Who gets a mail when runs fail, when work waits too long, or when nothing comes any more: one address or several.",
    ),
    key(
        "log_days",
        Takes::Value(OptionType::Integer(1, 3_653)),
        "30",
        "For how many days logs are kept: one of the numbers that CloudWatch takes, such as 7, 30, 90 or 365.",
    ),
];

/// `[secrets]`
pub(crate) const SECRETS: &[KeySpec] = &[key(
    "file",
    TEXT,
    "`.env` beside the file, if there is one",
    "A file of `NAME=value` lines, relative to the pipeline file. The process environment goes before it. For the \
     secret `db-key` either has `db-key` or `DB_KEY`.",
)];

/// Every section, in the order of the reference. `[env.NAME.…]` repeats the `is_place` keys of buckets, tables, databases and mail.
pub(crate) const SECTIONS: &[SectionSpec] = &[
    SectionSpec { name: "pipeline", is_named: false, keys: PIPELINE, doc: "The pipeline as a whole." },
    SectionSpec { name: "bucket", is_named: true, keys: BUCKET, doc: "A named object store." },
    SectionSpec { name: "table", is_named: true, keys: TABLE, doc: "A named row store with a key." },
    SectionSpec {
        name: "database",
        is_named: true,
        keys: DATABASE,
        doc: "A named database with tables of its own: one that is extracted from, or a warehouse. It shares the names of \
              buckets and tables.",
    },
    SectionSpec {
        name: "function",
        is_named: true,
        keys: FUNCTION,
        doc: "A named unit of work: what starts it, which code it runs, where it may write.",
    },
    SectionSpec {
        name: "mail",
        is_named: false,
        keys: MAIL,
        doc: "How mails are sent. A function may mail if `into` has the word `mail`; an empty section is enough to try.",
    },
    SectionSpec {
        name: "aws",
        is_named: false,
        keys: AWS,
        doc: "What holds on AWS alone (`tidegate synth aws`); elsewhere it has no effect.",
    },
    SectionSpec {
        name: "secrets",
        is_named: false,
        keys: SECRETS,
        doc: "Where `{ secret = \"name\" }` is looked up: the process environment, then a file.",
    },
];

/// Names of the sections, `env` among them.
pub(crate) fn section_names() -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().map(|section| section.name).chain(["env"])
}

/// Words that people write for a key of ours, and that key.
pub(crate) const SYNONYMS: &[(&str, &str)] = &[
    ("kind", "run"),
    ("type", "run"),
    ("uses", "run"),
    ("trigger", "on"),
    ("when", "on"),
    ("output", "into"),
    ("outputs", "into"),
    ("to", "into"),
    ("writes", "into"),
    ("inputs", "reads"),
    ("options", "with"),
    ("args", "with"),
    ("retries", "retry"),
    ("path", "url"),
    ("dir", "url"),
    ("directory", "url"),
    ("primary_key", "key"),
    ("bucket", "created"),
    ("glob", "keys"),
    ("pattern", "keys"),
    ("schedule", "cron"),
    ("interval", "every"),
    ("tz", "timezone"),
];
