//! Kind `publish` (hop 6): a quality-controlled deployment becomes a public file, if its vessel has agreed.
//!
//! The private file says whether ([`tidegate_ocean::publication`], or ops_qc's rule for files in its layout); what is public
//! of it stands on a list, and everything else stays private. What a user must know is in `docs/functions/publish.md`.

mod cf;
mod ops_qc;
mod options;
mod place;
mod source;

use std::io::{Read, Seek, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use async_trait::async_trait;
use jiff::Timestamp;
use object_store::ObjectStoreExt;
use sha2::{Digest, Sha256};
use tidegate_engine::{Context, Function, Kind, Outcome, OutputFile};
use tidegate_model::{self as model, ErrorKind, Failure, Key, KindSpec, Pipeline, Targets, TriggerNeed};
use tidegate_ocean::publication::{Candidate, Private, PublicationRule};
use tidegate_stores::Table;
use tidegate_stores::bucket::location;

use crate::hash::hex;
use crate::profile_qc::status::{self, Book, Cell};
use crate::profile_qc::{ENDING, Layout, failure};
use options::Options;
use place::Place;
use source::QcFile;

/// What `publish` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "publish",
    version: 1,
    summary: "makes a deployment public, without names and as its vessel has agreed",
    trigger: TriggerNeed::Object,
    tables: Targets::Optional,
    buckets: Targets::One,
    databases: Targets::None,
    mail: Targets::None,
    looks_back: true,
    options: options::OPTIONS,
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

struct Publish {
    options: Arc<Options>,
    book: Book,
}

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    Ok(Box::new(Publish { options: Arc::new(Options::read(function, pipeline)?), book: Book::default() }))
}

/// What is known of the deployment from its row.
#[derive(Debug, Default)]
struct Known {
    /// Its quality control failed, though a file was saved.
    failed: bool,
    /// Key of its public file, if there is one.
    public_file: Option<String>,
}

#[async_trait]
impl Function for Publish {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let key = context.object()?.key.clone();
        let deployment = key.strip_suffix(ENDING).unwrap_or(&key).to_owned();
        let known = match &self.options.deployments {
            Some(table) => known(context.table(table)?.as_ref(), &deployment).await?,
            None => Known::default(),
        };
        let input = context.input().await?;
        let now = context.now();
        let (reader, failed) = (input.reader(), known.failed);
        let decided = blocking(move || decide(&QcFile::open(reader)?, &key, failed, now)).await?;
        let Decided { verdict, name, is_its_own } = decided;
        // Its row may be lost, or there may be no such table: its name tells, too.
        let before = known.public_file.or_else(|| is_its_own.then(|| name.clone()));
        let is_there = match &before {
            Some(before) => self.is_there(context, before).await?,
            None => false,
        };
        let before = before.filter(|_| is_there);
        let mut outcome = Outcome::default();
        if verdict.is_ok() {
            let mut note = format!("public as `{name}`");
            if let Some(before) = before.as_ref().filter(|before| **before != name) {
                note.push_str(&format!("; it was public as `{before}` before: delete that"));
            }
            outcome.note = Some(note);
            self.write(context, input.reader(), &name, now).await?;
        }
        if let Some(table) = &self.options.deployments {
            let file = if verdict.is_ok() { Some(name) } else { before.clone() };
            let mut cells = status::of_key(&deployment);
            for (name, text) in [
                ("is_public", Some(if verdict.is_ok() { "yes" } else { "no" }.to_owned())),
                ("why_private", verdict.as_ref().err().map(|private| private.message().to_owned())),
                ("public_file", file),
                ("decided_at", Some(now.to_string())),
            ] {
                cells.push((name.to_owned(), Cell::Text(text)));
            }
            self.book.put(context, table, cells).await?;
        }
        let Err(private) = verdict else { return Ok(outcome) };
        if let Some(file) = before {
            let reason = format!("`{file}` is public, but may not be any more: {}", private.message());
            return Err(Failure::new("R0342", ErrorKind::Invalid, reason).help(format!(
                "delete `{file}` from the bucket `{}`, then `tidegate failures retry`; or correct the vessel table",
                self.options.bucket
            )));
        }
        Ok(Outcome { note: Some(format!("stays private: {}", private.message())), ..Outcome::default() })
    }
}

impl Publish {
    /// Whether a file is public just now.
    async fn is_there(&self, context: &Context, name: &str) -> Result<bool, Failure> {
        let Ok(key) = Key::new(name) else { return Ok(false) };
        match context.bucket(&self.options.bucket)?.head(&location(&key)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(tidegate_stores::Error::from(error).into_failure("R0005")),
        }
    }

    async fn write(
        &self,
        context: &Context,
        input: impl Read + Seek + Send + 'static,
        name: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let output = context.create(&self.options.bucket, name)?;
        let (options, name) = (Arc::clone(&self.options), name.to_owned());
        let output: OutputFile = blocking(move || write(output, &QcFile::open(input)?, &options, &name, now)).await?;
        context.finish(output)
    }
}

/// What the row of a deployment says.
async fn known(table: &dyn Table, deployment: &str) -> Result<Known, Failure> {
    let mut known = Known::default();
    let unavailable = |error: tidegate_stores::Error| error.into_failure("R0325");
    if table.columns().await.map_err(unavailable)?.is_none() {
        return Ok(known);
    }
    let mut take = |batch: RecordBatch| {
        let text = |name: &str| {
            let texts = batch.column_by_name(name)?.as_string_opt::<i32>()?;
            (!texts.is_empty() && !texts.is_null(0)).then(|| texts.value(0).to_owned())
        };
        known = Known { failed: text("failed").as_deref() == Some("yes"), public_file: text("public_file") };
        Ok(())
    };
    table.scan(Some(vec![deployment.to_owned()]), &mut take).await.map_err(unavailable)?;
    Ok(known)
}

/// Whether a deployment may be public.
struct Decided {
    verdict: Result<(), Private>,
    /// The name under which it is public, if it is.
    name: String,
    /// No other deployment has that name.
    is_its_own: bool,
}

/// Decides whether the file may be public, and under which name.
fn decide<R: Read + Seek>(file: &QcFile<R>, key: &str, has_failed: bool, now: Timestamp) -> Result<Decided, Failure> {
    let (public, date) = (file.attribute("public"), file.attribute("publication_date"));
    let (mut first, mut last) = (f64::NAN, f64::NAN);
    for time in file.times() {
        first = if first.is_nan() { time } else { first };
        last = time;
    }
    file.check()?;
    let verdict = match (has_failed, file.layout) {
        (true, _) => Err(Private::Failed),
        (false, Layout::OpsQc) => ops_qc::decide(public.as_deref(), date.as_deref(), first),
        (false, Layout::Cf) => PublicationRule::default().decide(&Candidate {
            is_delivered: true,
            public: public.as_deref(),
            publication_date: date.as_deref(),
            first: (first * 1e6) as i64,
            last: (last * 1e6) as i64,
            now: now.as_microsecond(),
        }),
    };
    let name = public_name(file, key, first, last);
    Ok(Decided { verdict, name, is_its_own: file.layout == Layout::Cf && !first.is_nan() })
}

/// A name that tells when a deployment ended and nothing of whose it was. Two that ended in the same second have different
/// names, except in the layout of ops_qc.
fn public_name<R: Read + Seek>(file: &QcFile<R>, key: &str, first: f64, last: f64) -> String {
    let ended = Timestamp::from_second(last as i64).unwrap_or(Timestamp::UNIX_EPOCH).strftime("%Y%m%d_%H%M%S");
    if file.layout == Layout::OpsQc {
        let file_name = key.rsplit('/').next().unwrap_or(key);
        return format!("{}_{ended}_published.nc", file_name.split('_').next().unwrap_or(file_name));
    }
    // Of what is public anyway, so that nothing can be found out from it.
    let mut hasher = Sha256::new();
    for value in [first, last] {
        hasher.update(value.to_le_bytes());
    }
    for name in ["PRESSURE", "TEMPERATURE"] {
        hasher.update(file.numbers(name).next().unwrap_or(f64::NAN).to_le_bytes());
        hasher.update(file.numbers(name).last().unwrap_or(f64::NAN).to_le_bytes());
    }
    let digits = hex(&hasher.finalize()[..4]);
    format!("MOANA_{ended}_{digits}_published.nc")
}

fn write<R: Read + Seek, W: Write>(
    output: W,
    file: &QcFile<R>,
    options: &Options,
    name: &str,
    now: Timestamp,
) -> Result<W, Failure> {
    let place = Place::of(file, options.positions);
    file.check()?;
    let written = match file.layout {
        Layout::Cf => cf::write(output, file, &place, options, name.trim_end_matches(".nc"), now),
        Layout::OpsQc => ops_qc::write(output, file, &place, options, now),
    };
    // A column that broke off is the cause of a file that could not be written.
    file.check()?;
    written.map_err(failure::of_writing)
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            // The engine contains panics, and tells them with what they say.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(Failure::new("R0012", ErrorKind::Unavailable, error.to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;
    use tidegate_ocean::publication::Positions;
    use tidegate_ocean::rules::RuleSet;
    use tidegate_ocean::vessel::{Vessel, Vessels};

    use super::*;
    use crate::profile_qc::{self, Job, process};

    const NOW: &str = "2026-02-01T00:00:00Z";

    /// A deployment in either layout, or nothing if it cannot be delivered.
    fn private(text: &[u8], layout: Layout) -> Option<Vec<u8>> {
        let cells = [
            ("Fishing method", "Research"),
            ("Mangopare serial number", "38"),
            ("Deck unit serial number", "5101"),
            ("Date supplied", "01/01/2020"),
            ("Public", "True"),
            ("Publication Date", "01/01/2020"),
        ];
        let vessel = Vessel::read(|name| cells.iter().find(|(known, _)| *known == name).map(|(_, text)| *text));
        let rules = RuleSet::named(if layout == Layout::Cf { "corrected" } else { "ops_qc-0.6.0" }).expect("built in");
        let options = profile_qc::Options { rules, layout, ..profile_qc::Options::default() };
        let (vessels, now) = (Vessels(vec![vessel]), NOW.parse().expect("a time"));
        let job = Job { name: "a_1.csv", options: &options, vessels: &vessels, overrides: &[], now };
        let processed = process(text, &job, || true).ok()?;
        processed.checked.is_delivered.then(|| processed.write(Vec::new(), &options, now).expect("a file"))
    }

    fn text(rows: &[(u32, f64, f64, f64)]) -> Vec<u8> {
        let mut text = "Deck unit serial number,5101\nMoana Serial Number,38\nDownload Time,24/06/2022 06:00:00\n\
                        DateTime (UTC),Lat,Lon,Depth (dBar),Temperature C\n"
            .to_owned();
        for (second, latitude, pressure, temperature) in rows {
            let (minute, second) = (second / 60 % 60, second % 60);
            text.push_str(&format!("20210624T04{minute:02}{second:02},{latitude},174.3,{pressure},{temperature}\n"));
        }
        text.into_bytes()
    }

    /// Decides about a file and writes what may be public of it.
    fn publish(bytes: &[u8], positions: Positions) -> Result<Option<Vec<u8>>, Failure> {
        let options = Options {
            positions,
            also: vec!["vessel_id".to_owned()],
            attributes: Vec::new(),
            bucket: "public".to_owned(),
            deployments: None,
        };
        let now = NOW.parse().expect("a time");
        let file = QcFile::open(Cursor::new(bytes))?;
        let Decided { verdict, name, .. } = decide(&file, "a_1_qc.nc", false, now)?;
        match verdict {
            Err(_) => Ok(None),
            Ok(()) => write(Vec::new(), &file, &options, &name, now).map(Some),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_deployment_is_processed_and_published_without_panic(
            rows in prop::collection::vec((0u32..3600, -95.0..95.0, -5.0..300.0, -3.0..50.0), 0..30),
            cut in 0usize..3000,
            degrees in 0.01..90.0,
        ) {
            let mut text = text(&rows);
            text.truncate(cut);
            for layout in [Layout::Cf, Layout::OpsQc] {
                let Some(bytes) = private(&text, layout) else { continue };
                for positions in [Positions::Exact, Positions::Withheld, Positions::Binned(degrees)] {
                    let public = publish(&bytes, positions);
                    prop_assert!(public.is_ok(), "{:?}", public);
                }
            }
        }

        #[test]
        fn a_damaged_file_is_refused_or_published_without_panic(
            places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
            length in any::<prop::sample::Index>(),
        ) {
            for layout in [Layout::Cf, Layout::OpsQc] {
                let rows: Vec<(u32, f64, f64, f64)> =
                    (0..40).map(|row| (row * 3, -35.0, f64::from(row), 15.0 - f64::from(row) / 10.0)).collect();
                let mut bytes = private(&text(&rows), layout).expect("it can be delivered");
                for (place, value) in &places {
                    let place = place.index(bytes.len());
                    bytes[place] = *value;
                }
                let _ = publish(&bytes, Positions::Withheld);
                bytes.truncate(length.index(bytes.len()));
                let _ = publish(&bytes, Positions::Exact);
            }
        }
    }
}
