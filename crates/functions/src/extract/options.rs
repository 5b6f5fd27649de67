//! What a pipeline file says under `with` of `extract`: which tables, and which columns are stamps.

use serde_json::{Map, Value};
use tidegate_model::{ErrorKind, Failure, KeyGlobs, OptionSpec, OptionType};
use tidegate_stores::database::SourceTable;

const fn names(name: &'static str, default: Option<&'static str>, doc: &'static str) -> OptionSpec {
    OptionSpec { name, takes: OptionType::TextOrList, default, required: false, doc }
}

pub(super) const OPTIONS: &[OptionSpec] = &[
    names(
        "tables",
        None,
        "Names of tables or globs: only these. Without it all tables, and those that are added later.",
    ),
    names("exclude", Some("[\"_prisma*\"]"), "Names of tables or globs: none of these."),
    names(
        "stamp",
        Some("[\"last_updated\", \"updated_at\", \"modified_at\"]"),
        "Columns that say when a row was last changed; the first that a table has is named in the manifest. Changes are \
         found without it.",
    ),
    OptionSpec {
        name: "anew",
        takes: OptionType::Text,
        default: None,
        required: false,
        doc: "Any text, such as today's date. When it is another than at the last run, everything is written in full once, and \
              what follows begins anew with it, whatever has failed before.",
    },
    OptionSpec {
        name: "preview",
        takes: OptionType::Bool,
        default: Some("false"),
        required: false,
        doc: "Only tell, in the run's note, how many rows of which tables would be written.",
    },
];

/// Tables of our own are never extracted.
const OURS: &str = "_tidegate";

/// The options as types.
pub(super) struct Options {
    tables: KeyGlobs,
    exclude: KeyGlobs,
    /// Names of columns that are stamps, the best first.
    pub(super) stamps: Vec<String>,
    /// With another text than at the last run everything is written in full.
    pub(super) anew: Option<String>,
    /// True if nothing is to be written.
    pub(super) preview: bool,
}

impl Options {
    pub(super) fn read(options: &Map<String, Value>) -> Result<Self, Failure> {
        let texts = |name: &str| -> Vec<String> {
            let list = options.get(name).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let globs = |name: &str| {
            KeyGlobs::new(texts(name)).map_err(|(at, why)| {
                let reason = format!("number {} of `{name}` is no glob: {why}", at + 1);
                Failure::new("R0904", ErrorKind::Invalid, reason)
                    .expected("names of tables, or globs such as `sales_*`")
            })
        };
        let anew = options.get("anew").and_then(Value::as_str).map(str::to_owned);
        let preview = options.get("preview").and_then(Value::as_bool).unwrap_or_default();
        Ok(Self { tables: globs("tables")?, exclude: globs("exclude")?, stamps: texts("stamp"), anew, preview })
    }

    /// The tables that are meant, of those there are.
    pub(super) fn choose(&self, there: Vec<SourceTable>, database: &str) -> Result<Vec<SourceTable>, Failure> {
        for pattern in self.tables.patterns().iter().filter(|pattern| !pattern.starts_with('!')) {
            let glob = KeyGlobs::new(vec![pattern.clone()]).unwrap_or_else(|_| KeyGlobs::none());
            if !there.iter().any(|table| glob.matches(&table.name)) {
                let reason = format!("`{database}` has no table `{}`", pattern.escape_default());
                return Err(Failure::new("R0904", ErrorKind::NotFound, reason)
                    .help("see how the table is written, and that the user of the database may see it"));
            }
        }
        let is_meant = |table: &SourceTable| {
            let name = &table.name;
            !name.starts_with(OURS)
                && (self.tables.is_empty() || self.tables.matches(name))
                && !self.exclude.matches(name)
        };
        let chosen: Vec<SourceTable> = there.into_iter().filter(is_meant).collect();
        if chosen.is_empty() {
            let reason = format!("`{database}` has no table to extract");
            return Err(Failure::new("R0904", ErrorKind::NotFound, reason)
                .expected("at least one table that `tables` and `exclude` leave over")
                .help("see that the `url` names the right database, and that its user may see the tables"));
        }
        Ok(chosen)
    }
}
