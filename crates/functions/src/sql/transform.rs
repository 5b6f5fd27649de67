//! One run: from a manifest of the extract to a manifest of star tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use tidegate_engine::{Context, Outcome};
use tidegate_formats::SqlColumn;
use tidegate_formats::csv::schema_of;
use tidegate_formats::manifest::{Manifest, ObjectEntry, Role, TableEntry, VERSION, schema_hash};
use tidegate_model::{ErrorKind, Failure};
use tidegate_sql::{Input, Limits, Session, Statement};

use super::Options;
use super::contract;
use super::convert::Converter;
use super::objects::Checks;
use super::sources::{Needed, Origin, Source, load_manifest, unreadable};
use super::state::{KeptOutput, KeptPart, KeptTable, State, is_crowded};
use super::statements::{Named, OutputTable};
use super::tables::{Refused, Rejects, empty};
use super::write::{self, Target};
use crate::extract::in_key;
use crate::predecessor;

/// Outputs that are made at the same time: one keeps more than one core busy, but not two.
const TOGETHER: usize = 2;

/// One run under way.
pub(super) struct Transform<'a> {
    context: &'a Context,
    options: &'a Options,
    outputs: &'a [OutputTable],
    key: String,
    manifest: Manifest,
    /// The state before this manifest; the first has none.
    before: Option<State>,
    /// Folder of what this run makes.
    folder: String,
    origin_bucket: String,
    rejects: Rejects,
}

impl<'a> Transform<'a> {
    /// Reads the manifest and finds its place in the chain.
    ///
    /// # Errors
    /// `R1010` for a manifest that cannot be used, `R1013` if its predecessor was not transformed yet.
    pub(super) async fn begin(
        context: &'a Context,
        options: &'a Options,
        outputs: &'a [OutputTable],
        bytes: &[u8],
    ) -> Result<Self, Failure> {
        let object = context.object()?;
        let manifest = Manifest::parse(bytes).map_err(|error| unreadable(&object.key, error))?;
        let processed = context.bucket(&options.bucket)?;
        let before = match State::load(processed.as_ref(), &manifest.of, manifest.sequence - 1).await? {
            None if manifest.anew => State::newest(processed.as_ref(), &manifest.of, manifest.sequence).await?,
            None if manifest.sequence > 1 => return Err(too_early(context, &manifest).await?),
            before => before,
        };
        let is_other = |before: &&State| manifest.previous.as_ref() != Some(&before.manifest) && !manifest.anew;
        if let Some(before) = before.as_ref().filter(is_other) {
            let reason =
                format!("it follows another manifest than `{}`, which the state was made from", before.manifest);
            return Err(Failure::new("R1010", ErrorKind::Corrupt, reason)
                .expected("one chain of manifests for each database")
                .help("two extracts write the same database: give each its own bucket"));
        }
        let mut parts: Vec<&str> = object.key.trim_end_matches("/manifest.json").rsplit('/').take(2).collect();
        parts.reverse();
        let folder = format!("{}/{}", manifest.of, parts.join("/"));
        let (key, origin_bucket) = (object.key.clone(), object.bucket.clone());
        Ok(Self {
            context,
            options,
            outputs,
            key,
            manifest,
            before,
            folder,
            origin_bucket,
            rejects: Rejects::default(),
        })
    }

    /// Makes everything, and hands it to the engine: objects, then the state, then the manifest.
    pub(super) async fn run(mut self) -> Result<Outcome, Failure> {
        let processed = self.context.bucket(&self.options.bucket)?;
        let statements = self.statements_hash();
        let there = match load_manifest(processed.as_ref(), &format!("{}/manifest.json", self.folder)).await {
            Ok(there) => Some(there),
            Err(failure) if failure.kind == ErrorKind::NotFound => None,
            Err(failure) => return Err(failure),
        };
        if let Some(there) = there {
            let made_with = there.state.as_ref().and_then(|state| state.get("statements")?.as_str().map(str::to_owned));
            if made_with.as_deref() == Some(&statements) {
                return Ok(Outcome { note: Some("it was transformed already".to_owned()), ..Outcome::default() });
            }
            // Objects are never overwritten: other statements give another folder.
            self.folder = format!("{}-{}", self.folder, &statements[..8]);
        }
        let origin = Origin {
            ingestion: self.context.bucket(&self.origin_bucket)?,
            processed: Arc::clone(&processed),
            manifest: &self.manifest,
            rejects: self.rejects.clone(),
            checks: Checks::default(),
        };
        let made = origin.checks.hold(self.make(&origin).await).await?;
        self.finish(made, &statements)
    }

    /// Makes the tables, and what has to be kept for the next manifest.
    async fn make(&self, origin: &Origin<'_>) -> Result<Vec<TableEntry>, Failure> {
        let sources = self.sources(origin).await?;
        let outputs: Vec<_> = self.outputs.iter().map(|output| self.make_one(output, &sources, origin)).collect();
        let outputs: Vec<_> = stream::iter(outputs).buffered(TOGETHER).try_collect().await?;
        let (kept, made): (Vec<_>, Vec<_>) = outputs.into_iter().unzip();
        let made = made.into_iter().flatten().collect();
        match State::load(origin.processed.as_ref(), &self.manifest.of, self.manifest.sequence).await? {
            Some(after) if after.manifest != self.key => Err(forked(&self.manifest, &after)),
            Some(_) => Ok(made),
            None => self.keep(&sources, kept).await.map(|()| made),
        }
    }

    /// Makes an output, if it is due, and tells what has to be kept of it.
    async fn make_one(
        &self,
        output: &'a OutputTable,
        sources: &BTreeMap<String, Source>,
        origin: &Origin<'_>,
    ) -> Result<(KeptOutput, Option<TableEntry>), Failure> {
        let is_due = self.is_due(output, sources);
        let entry = if is_due { self.output(output, sources, origin).await? } else { None };
        Ok((self.kept_output(output, is_due, entry.as_ref()), entry))
    }

    /// Every source table that is named, and every one that the manifest or the state knows.
    async fn sources(&self, origin: &Origin<'_>) -> Result<BTreeMap<String, Source>, Failure> {
        let mut needed = Needed::new();
        for output in self.outputs {
            for named in output.names().into_values() {
                match named {
                    Named::Full(name) => *needed.entry(name).or_default() = true,
                    Named::Changed(name) | Named::Deleted(name) => *needed.entry(name).or_default() |= false,
                    Named::Itself => {}
                }
            }
            if let Some(name) = &output.rows_of {
                needed.entry(name.clone()).or_default();
            }
        }
        let mut sources = BTreeMap::new();
        for (name, is_whole) in needed {
            let before = self.before.as_ref().and_then(|state| state.table(&name));
            if let (Some(before), Some(now)) = (before, self.manifest.table(&name)) {
                contract::check(&before.columns, now, &self.options.accept)?;
            }
            if let Some(source) = origin.source(&name, before, is_whole).await? {
                sources.insert(name, source);
            }
        }
        Ok(sources)
    }

    /// Whether what an output is made from has changed, or its statement has.
    fn is_due(&self, output: &OutputTable, sources: &BTreeMap<String, Source>) -> bool {
        let is_touched = |name: &String| sources.get(name).is_some_and(|source| source.is_touched);
        let changed = output.names().into_values().any(|named| match named {
            Named::Full(name) | Named::Changed(name) | Named::Deleted(name) => is_touched(&name),
            Named::Itself => false,
        });
        let last = self.before.as_ref().and_then(|state| state.output(&output.name));
        changed
            || output.rows_of.as_ref().is_some_and(is_touched)
            || (output.is_full() && last.is_none_or(|last| last.statement != output.sha256))
    }

    /// Runs a statement, and writes its rows and the keys of those that are gone.
    async fn output(
        &self,
        output: &'a OutputTable,
        sources: &BTreeMap<String, Source>,
        origin: &Origin<'_>,
    ) -> Result<Option<TableEntry>, Failure> {
        let session = self.session()?;
        for (name, named) in output.names() {
            let input = match &named {
                Named::Full(table) => sources.get(table).and_then(|source| Some(source.full.as_ref()?.rows.clone())),
                Named::Changed(table) => sources.get(table).map(|source| source.changed.clone()),
                Named::Deleted(table) => sources.get(table).map(|source| source.deleted.clone()),
                Named::Itself => Some(self.itself(output, origin).await?),
            };
            if let Some(input) = input {
                session.register(&name, input)?;
            }
        }
        let rows = session.run(&output.statement).await?;
        let converter = Converter::new(output.statement.name(), &output.columns, &rows.schema())?;
        let rows = write::rows(&self.target(output, ""), rows, converter).await?;
        let deleted = self.gone(output, sources).await?;
        let is_full = self.is_whole(output);
        // Facts of which none is left are told, too: as a whole without rows.
        let is_empty_whole = is_full && output.role == Role::Fact;
        if rows.is_none() && deleted.is_none() && !is_empty_whole {
            return Ok(None);
        }
        Ok(Some(TableEntry {
            name: output.name.clone(),
            role: output.role,
            is_full,
            key: output.key.clone(),
            stamp: output.stamp.clone(),
            surrogate: output.surrogate.clone(),
            columns: output.entries.clone(),
            references: output.references.clone(),
            objects: rows.into_iter().collect(),
            deleted: deleted.into_iter().collect(),
            schema: schema_hash(&output.entries),
        }))
    }

    /// Whether what an output has now is all that there is, so that what is not among it is gone: changed rows of a table that
    /// came in full are all of it. With a row left out nothing can be said of facts: that row is not gone.
    fn is_whole(&self, output: &OutputTable) -> bool {
        let is_whole = output.names().into_values().all(|named| match named {
            Named::Full(_) => true,
            Named::Changed(name) => self.manifest.table(&name).is_some_and(|table| table.is_full),
            Named::Deleted(_) | Named::Itself => false,
        });
        is_whole && !(output.role == Role::Fact && self.rejects.is_any())
    }

    /// Keys of rows that are gone: those of the source table that `rows of` names, as the output's own key.
    async fn gone(
        &self,
        output: &'a OutputTable,
        sources: &BTreeMap<String, Source>,
    ) -> Result<Option<ObjectEntry>, Failure> {
        let Some(source) = output.rows_of.as_ref().and_then(|name| sources.get(name)) else { return Ok(None) };
        if source.key.len() != output.key.len() {
            let (shown, table) = (output.statement.name(), output.rows_of.as_deref().unwrap_or_default());
            let reason =
                format!("{shown}: `key` has {} columns, and that of `{table}` {}", output.key.len(), source.key.len());
            return Err(Failure::new("R1006", ErrorKind::Invalid, reason)
                .expected("a `key` that matches the key of the table of `rows of`, column by column"));
        }
        let quoted = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
        let columns: Vec<String> = source
            .key
            .iter()
            .zip(&output.key)
            .map(|(from, to)| format!("{} AS {}", quoted(from), quoted(to)))
            .collect();
        let text = format!("SELECT {} FROM deleted", columns.join(", "));
        let statement = Statement::parse(output.statement.name(), &text)?;
        let session = self.session()?;
        session.register("deleted", source.deleted.clone())?;
        let rows = session.run(&statement).await?;
        let is_key = |column: &&SqlColumn| output.key.contains(&column.name);
        let keys: Vec<SqlColumn> = output.columns.iter().filter(is_key).cloned().collect();
        let converter = Converter::new(output.statement.name(), &keys, &rows.schema())?;
        write::rows(&self.target(output, ".deleted"), rows, converter).await
    }

    /// An output as its last run left it.
    async fn itself(&self, output: &OutputTable, origin: &Origin<'_>) -> Result<Input, Failure> {
        let last = self.before.as_ref().and_then(|state| state.output(&output.name)?.rows.clone());
        match last {
            Some(object) => Ok(super::tables::adapted(origin.of_parquet(&object).await?, &output.columns)),
            None => Ok(empty(Arc::new(schema_of(&output.columns)))),
        }
    }

    fn session(&self) -> Result<Session, Failure> {
        Session::new(&Limits { memory: self.options.memory, scratch: self.context.scratch()?.to_owned() })
    }

    fn target(&self, output: &'a OutputTable, part: &str) -> Target<'a> {
        let table = output.name.as_str();
        Target {
            context: self.context,
            bucket: &self.options.bucket,
            key: format!("{}/{table}{part}.parquet", self.folder),
            letters: format!("{}/{table}{part}.rejected.csv", self.folder),
            table,
            row_key: &output.key,
            rejects: self.rejects.clone(),
        }
    }

    fn kept_output(&self, output: &OutputTable, is_due: bool, entry: Option<&TableEntry>) -> KeptOutput {
        let last = self.before.as_ref().and_then(|state| state.output(&output.name));
        let names_itself = output.names().values().any(|named| *named == Named::Itself);
        let rows = entry.and_then(|entry| entry.objects.first().cloned());
        let rows = rows.or_else(|| last.and_then(|last| last.rows.clone())).filter(|_| names_itself);
        let statement = match last {
            Some(last) if !is_due => last.statement.clone(),
            _ => output.sha256.clone(),
        };
        KeptOutput { name: output.name.clone(), statement, rows }
    }

    /// Writes what has to be kept for the next manifest, under a key that only one run can take.
    async fn keep(&self, sources: &BTreeMap<String, Source>, outputs: Vec<KeptOutput>) -> Result<(), Failure> {
        let manifest = &self.manifest;
        let output = format!("{}/manifest.json", self.folder);
        let mut state = State::new(&manifest.of, manifest.sequence, &self.key, &output);
        state.anew =
            if manifest.anew { manifest.sequence } else { self.before.as_ref().map_or(0, |before| before.anew) };
        // Another run may be at the same manifest, here or elsewhere: what it writes stands below its own name.
        let (run, attempt) = (self.context.run(), self.context.attempt());
        let folder = format!("{}/{run}-{attempt}", State::folder(&manifest.of, manifest.sequence));
        let bucket = &self.options.bucket;
        for (name, source) in sources {
            let mut kept =
                KeptTable { name: name.clone(), key: source.key.clone(), columns: source.entries.clone(), parts: None };
            if let Some(full) = &source.full {
                let name = in_key(name);
                let parts = match full.before.clone() {
                    Some(parts) if !source.is_touched => parts,
                    Some(mut parts) if !is_crowded(&parts) => {
                        let key = format!("{folder}/{name}.parquet");
                        let rows = write::table(self.context, bucket, &key, source.changed.clone()).await?;
                        let key = format!("{folder}/{name}.deleted.parquet");
                        let deleted = write::table(self.context, bucket, &key, source.deleted.clone()).await?;
                        parts.push(KeptPart { rows, deleted });
                        parts
                    }
                    _ => {
                        let key = format!("{folder}/{name}.base.parquet");
                        let rows = write::table(self.context, bucket, &key, full.rows.clone()).await?;
                        vec![KeptPart { rows, deleted: None }]
                    }
                };
                kept.parts = Some(parts);
            }
            state.tables.push(kept);
        }
        // Of tables that no statement names the columns are kept: one may name them later.
        for table in manifest.tables.iter().filter(|table| !sources.contains_key(&table.name)) {
            let (name, key, columns) = (table.name.clone(), table.key.clone(), table.columns.clone());
            state.tables.push(KeptTable { name, key, columns, parts: None });
        }
        for table in self.before.iter().flat_map(|before| &before.tables) {
            if state.table(&table.name).is_none() {
                state.tables.push(KeptTable { parts: None, ..table.clone() });
            }
        }
        state.outputs = outputs;
        let file = self.context.create_once(bucket, &State::key(&manifest.of, manifest.sequence))?;
        write::bytes(self.context, file, &state.to_json()?)
    }

    /// Writes the manifest, last of all, and tells what was done.
    fn finish(self, tables: Vec<TableEntry>, statements: &str) -> Result<Outcome, Failure> {
        let rows: u64 = tables.iter().map(TableEntry::rows).sum();
        let gone: u64 = tables.iter().map(TableEntry::deleted_rows).sum();
        let Refused { count: rejected, first: rejects, letters: left_out } = self.rejects.take();
        let mut note = format!("manifest {}: {} tables, {rows} rows", self.manifest.sequence, tables.len());
        if gone > 0 {
            note.push_str(&format!(", {gone} gone"));
        }
        for table in &self.manifest.gone {
            note.push_str(&format!("; table `{table}` is gone from the source, its rows stay"));
        }
        if rejected > 0 {
            note.push_str(&format!("; {rejected} left out"));
        }
        let manifest = Manifest {
            manifest: VERSION,
            of: self.manifest.of.clone(),
            run: self.context.run().to_string(),
            sequence: self.manifest.sequence,
            previous: self.before.map(|before| before.output),
            from: Some(self.key),
            snapshot: self.manifest.snapshot.clone(),
            anew: self.manifest.anew,
            tables,
            gone: self.manifest.gone.clone(),
            left_out,
            state: Some(serde_json::json!({ "statements": statements })),
        };
        let bug = |error: tidegate_formats::Error| Failure::new("R1010", ErrorKind::Bug, error.message);
        let file = self.context.create(&self.options.bucket, &format!("{}/manifest.json", self.folder))?;
        write::bytes(self.context, file, &manifest.to_json().map_err(bug)?)?;
        Ok(Outcome { note: Some(note), rejects, rejected })
    }

    /// One hash over all statements.
    fn statements_hash(&self) -> String {
        use sha2::{Digest, Sha256};
        let mut hasher = Sha256::new();
        for output in self.outputs {
            hasher.update(&output.name);
            hasher.update(&output.sha256);
        }
        super::objects::hex(&hasher.finalize())
    }
}

/// Why a manifest cannot be transformed before the one before it.
async fn too_early(context: &Context, manifest: &Manifest) -> Result<Failure, Failure> {
    let number = manifest.sequence;
    let waits = format!("manifest {number} of `{}` has come before manifest {}", manifest.of, number - 1);
    match predecessor::that_failed(context, manifest, "R1013").await? {
        Some(failed) => Ok(failed.told("R1013", &waits)),
        None => Ok(Failure::new("R1013", ErrorKind::Unavailable, waits)
            .expected("the manifests of a database one after the other")
            .help("it is tried again; nothing is to be done if the one before is under way")),
    }
}

/// Two extracts have written at once, and the other one's manifest was transformed first.
fn forked(manifest: &Manifest, after: &State) -> Failure {
    let reason =
        format!("`{}`, another manifest with number {}, was transformed before", after.manifest, manifest.sequence);
    Failure::new("R1010", ErrorKind::Corrupt, reason)
        .expected("one chain of manifests for each database")
        .help("the next extract writes everything in full; then `tidegate failures retry` puts this one aside")
}
