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
use tokio::task::spawn_blocking;

use super::Options;
use super::contract;
use super::convert::Converter;
use super::objects::{Checks, Local};
use super::sources::{Needed, Origin, Source, load_manifest, unreadable};
use super::state::{KeptOutput, KeptPart, KeptTable, State, is_crowded};
use super::statements::{Named, OutputTable};
use super::tables::{Refused, Rejects, empty};
use super::write::{self, Target};
use crate::extract::in_key;
use crate::hash::hex;
use crate::predecessor;
use crate::summarise::joined;

/// Outputs that are made at the same time: one keeps more than one core busy, but not two.
const TOGETHER: usize = 2;

/// What a run has made so far, by the names of the outputs.
type Made = BTreeMap<String, MadeOutput>;

/// What has become of one output.
#[derive(Default)]
struct MadeOutput {
    is_due: bool,
    entry: Option<TableEntry>,
    /// Its rows, if other outputs read them.
    copy: Option<Local>,
}

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
        let mut made = Made::new();
        for layer in 0..=self.outputs.iter().map(|output| output.layer).max().unwrap_or(0) {
            let outputs = self.outputs.iter().filter(|output| output.layer == layer);
            let outputs: Vec<_> = outputs.map(|output| self.make_one(output, &sources, &made, origin)).collect();
            let outputs: Vec<_> = stream::iter(outputs).buffered(TOGETHER).try_collect().await?;
            made.extend(outputs);
        }
        let kept = self.outputs.iter().map(|output| self.kept_output(output, &made)).collect();
        let entry = |output: &OutputTable| made.get(&output.name)?.entry.clone();
        let made = self.outputs.iter().filter_map(entry).collect();
        match State::load(origin.processed.as_ref(), &self.manifest.of, self.manifest.sequence).await? {
            Some(after) if after.manifest != self.key => Err(forked(&self.manifest, &after)),
            Some(_) => Ok(made),
            None => self.keep(&sources, kept).await.map(|()| made),
        }
    }

    /// Makes an output, if it is due.
    async fn make_one(
        &self,
        output: &'a OutputTable,
        sources: &BTreeMap<String, Source>,
        made: &Made,
        origin: &Origin<'_>,
    ) -> Result<(String, MadeOutput), Failure> {
        let is_due = self.is_due(output, sources, made);
        let one = if is_due { self.output(output, sources, made, origin).await? } else { MadeOutput::default() };
        Ok((output.name.clone(), MadeOutput { is_due, ..one }))
    }

    /// Every source table that is named, and every one that the manifest or the state knows.
    async fn sources(&self, origin: &Origin<'_>) -> Result<BTreeMap<String, Source>, Failure> {
        let mut needed = Needed::new();
        for output in self.outputs {
            for named in output.named.values() {
                match named {
                    Named::Full(name) => *needed.entry(name.clone()).or_default() = true,
                    Named::Changed(name) | Named::Deleted(name) => *needed.entry(name.clone()).or_default() |= false,
                    Named::Itself | Named::Output(_) => {}
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
    fn is_due(&self, output: &OutputTable, sources: &BTreeMap<String, Source>, made: &Made) -> bool {
        let is_touched = |name: &String| sources.get(name).is_some_and(|source| source.is_touched);
        let changed = output.named.values().any(|named| match named {
            Named::Full(name) | Named::Changed(name) | Named::Deleted(name) => is_touched(name),
            Named::Output(name) => made.get(name).is_some_and(|other| other.is_due),
            Named::Itself => false,
        });
        let last = self.before.as_ref().and_then(|state| state.output(&output.name));
        // A dimension that was not kept, because nobody named it, is made once more when somebody does.
        let is_kept = |rows: bool| rows || output.role == Role::Fact || !self.is_named(output);
        let is_known = last.is_some_and(|last| last.statement == output.sha256 && is_kept(last.rows.is_some()));
        changed || output.rows_of.as_ref().is_some_and(is_touched) || (self.is_full(output) && !is_known)
    }

    /// True if the statement gives the whole table each time, and not what this run changes in it.
    fn is_full(&self, output: &OutputTable) -> bool {
        output.named.values().all(|named| match named {
            Named::Full(_) => true,
            Named::Output(name) => self.dimension(name).is_some_and(|other| self.is_full(other)),
            Named::Changed(_) | Named::Deleted(_) | Named::Itself => false,
        })
    }

    fn other(&self, name: &str) -> Option<&'a OutputTable> {
        self.outputs.iter().find(|output| output.name == name)
    }

    /// The output of this name, if others see all of it: of facts they see what is new.
    fn dimension(&self, name: &str) -> Option<&'a OutputTable> {
        self.other(name).filter(|other| other.role == Role::Dimension)
    }

    /// True if another output names it.
    fn is_named(&self, output: &OutputTable) -> bool {
        self.outputs.iter().any(|other| other.names_output(&output.name))
    }

    /// Runs a statement, and writes its rows and the keys of those that are gone.
    async fn output(
        &self,
        output: &'a OutputTable,
        sources: &BTreeMap<String, Source>,
        made: &Made,
        origin: &Origin<'_>,
    ) -> Result<MadeOutput, Failure> {
        let session = self.session()?;
        for (name, named) in &output.named {
            let input = match named {
                Named::Full(table) => sources.get(table).and_then(|source| Some(source.full.as_ref()?.rows.clone())),
                Named::Changed(table) => sources.get(table).map(|source| source.changed.clone()),
                Named::Deleted(table) => sources.get(table).map(|source| source.deleted.clone()),
                Named::Itself => Some(self.last(output, origin).await?),
                Named::Output(name) => match self.other(name) {
                    Some(other) => Some(self.rows_of(other, made, origin).await?),
                    None => None,
                },
            };
            if let Some(input) = input {
                session.register(name, input)?;
            }
        }
        let rows = session.run(&output.statement).await?;
        let converter = Converter::new(output.statement.name(), &output.columns, &rows.schema())?;
        let target = Target { is_read: self.is_named(output), ..self.target(output, "") };
        let (rows, copy) = write::rows(&target, rows, converter).await?.unzip();
        let deleted = self.gone(output, sources).await?;
        let is_full = self.is_whole(output);
        // Facts of which none is left are told, too: as a whole without rows.
        let is_empty_whole = is_full && output.role == Role::Fact;
        if rows.is_none() && deleted.is_none() && !is_empty_whole {
            return Ok(MadeOutput::default());
        }
        let entry = TableEntry {
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
        };
        Ok(MadeOutput { entry: Some(entry), copy: copy.flatten(), ..MadeOutput::default() })
    }

    /// Whether what an output has now is all that there is, so that what is not among it is gone: changed rows of a table that
    /// came in full are all of it. With a row left out nothing can be said of facts: that row is not gone.
    fn is_whole(&self, output: &OutputTable) -> bool {
        let is_whole = output.named.values().all(|named| match named {
            Named::Full(_) => true,
            Named::Changed(name) => self.manifest.table(name).is_some_and(|table| table.is_full),
            Named::Output(name) => self.dimension(name).is_some_and(|other| self.is_whole(other)),
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
        self.refuse_another_key(output, source)?;
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
        Ok(write::rows(&self.target(output, ".deleted"), rows, converter).await?.map(|(entry, _)| entry))
    }

    /// The keys of what is gone are those of the source, by place: with another key they would be taken for those of other facts. Who
    /// has changed the statement since has looked.
    fn refuse_another_key(&self, output: &OutputTable, source: &Source) -> Result<(), Failure> {
        let (Some(table), Some(state)) = (&output.rows_of, &self.before) else { return Ok(()) };
        let Some(before) = state.table(table).filter(|before| before.key != source.key) else { return Ok(()) };
        if state.output(&output.name).is_none_or(|last| last.statement != output.sha256) {
            return Ok(());
        }
        let (shown, was, is) = (output.statement.name(), before.key.join("`, `"), source.key.join("`, `"));
        let reason = format!(
            "{shown}: the key of `{table}` was `{was}` and is `{is}` now, so that what is gone would be taken for others"
        );
        Err(Failure::new("R1006", ErrorKind::Invalid, reason)
            .expected("a `key` that matches the key of the table of `rows of`, column by column")
            .help("change `key` in the statement, or take `rows of` out of it, then `tidegate failures retry`"))
    }

    /// What another statement reads of an output: what it has given, and of a dimension that was not due what it gave before.
    async fn rows_of(&self, output: &OutputTable, made: &Made, origin: &Origin<'_>) -> Result<Input, Failure> {
        match made.get(&output.name) {
            Some(MadeOutput { copy: Some(copy), .. }) => {
                let copy = copy.clone();
                joined(spawn_blocking(move || super::tables::parquet(copy)).await)?
            }
            Some(MadeOutput { is_due: false, .. }) if output.role == Role::Dimension => self.last(output, origin).await,
            _ => Ok(empty(Arc::new(schema_of(&output.columns)))),
        }
    }

    /// An output as its last run left it.
    async fn last(&self, output: &OutputTable, origin: &Origin<'_>) -> Result<Input, Failure> {
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
            is_read: false,
        }
    }

    fn kept_output(&self, output: &OutputTable, made: &Made) -> KeptOutput {
        let last = self.before.as_ref().and_then(|state| state.output(&output.name));
        let (is_due, entry) = made.get(&output.name).map_or((false, None), |one| (one.is_due, one.entry.as_ref()));
        let names_itself = output.named.values().any(|named| *named == Named::Itself);
        let is_kept = names_itself || output.role == Role::Dimension && self.is_named(output);
        let before = || last.and_then(|last| last.rows.clone()).filter(|_| !is_due || names_itself);
        let rows = entry.and_then(|entry| entry.objects.first().cloned()).or_else(before).filter(|_| is_kept);
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
        hex(&hasher.finalize())
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
