//! Casts of WHP-Exchange: one output for the whole file, or one for each cast.

use std::io::Write;
use std::sync::Arc;

use jiff::Timestamp;
use tidegate_engine::{Context, Outcome, OutputFile};
use tidegate_formats::exchange::{Options as Reading, Profiles, convert as cruise};
use tidegate_formats::{csv, parquet};
use tidegate_model::{Failure, Place};
use tidegate_stores::Reject;
use tokio::task::spawn_blocking;

use super::{Options, Source, To, counted, plain};
use crate::summarise::{format_failure, joined};

/// Reads all of it, and writes what is asked for.
pub(super) async fn convert(context: &Context, source: Source, options: Arc<Options>) -> Result<Outcome, Failure> {
    let (input, name, is_archive) = (Arc::clone(&source.input), source.key.clone(), source.format == "zip");
    let token = context.cancellation();
    let read = spawn_blocking(move || {
        let reading = Reading { threads: 1, cancelled: &|| token.is_cancelled() };
        Profiles::read(&|| input.reader(), &name, is_archive, &reading).map_err(format_failure)
    });
    let profiles = Arc::new(joined(read.await)??);
    let (stem, now) = (source.stem(), context.now());
    let count = if options.by_cast { profiles.casts.len() } else { 1 };
    let mut names = std::collections::HashSet::new();
    for at in 0..count {
        let base = stem.rsplit('/').next().unwrap_or(stem).to_owned();
        let mut id = if options.by_cast { cruise::cast_id(&profiles.casts[at]) } else { base };
        if !names.insert(id.clone()) {
            id = format!("{id}_{at}");
            names.insert(id.clone());
        }
        let suffix = options.to.suffix();
        let path = if options.by_cast { format!("{stem}/{}.{suffix}", plain(&id)) } else { format!("{stem}.{suffix}") };
        let output = context.create(&options.bucket, &path)?;
        let (profiles, options) = (Arc::clone(&profiles), Arc::clone(&options));
        let write = spawn_blocking(move || {
            let one;
            let part = match options.by_cast {
                true => {
                    one = profiles.cast(at);
                    &one
                }
                false => profiles.as_ref(),
            };
            write(output, part, &id, &options, now).map_err(format_failure)
        });
        context.finish(joined(write.await)??)?;
    }
    Ok(outcome(&profiles, &options, count))
}

fn write(
    output: OutputFile,
    profiles: &Profiles,
    id: &str,
    options: &Options,
    now: Timestamp,
) -> Result<OutputFile, tidegate_formats::Error> {
    let schema = cruise::schema(profiles);
    let casts = 0..profiles.casts.len();
    match options.to {
        To::NetCdf => cruise::netcdf(output, profiles, id, &options.attributes, now),
        To::Parquet => {
            let mut output = output;
            let mut writer = parquet::Writer::new(&mut output, Arc::clone(&schema))?;
            for cast in casts {
                writer.write_batch(&cruise::batch(profiles, &schema, cast)?)?;
            }
            writer.finish()?;
            output.flush()?;
            Ok(output)
        }
        To::Csv => {
            let mut writer = csv::Writer::new(output);
            writer.write_header(&arrow_array::RecordBatch::new_empty(Arc::clone(&schema)))?;
            for cast in casts {
                writer.write_batch(&cruise::batch(profiles, &schema, cast)?)?;
            }
            writer.finish()
        }
    }
}

/// What is told besides the outputs.
fn outcome(profiles: &Profiles, options: &Options, count: usize) -> Outcome {
    let mut note = format!("{} in {}", counted(profiles.casts.len() as u64, "cast"), counted(count as u64, "file"));
    if profiles.wrong_width > 0 {
        note.push_str(&format!("; {} of another width left out", counted(profiles.wrong_width, "row")));
    }
    if profiles.left_out > 0 {
        note.push_str(&format!("; {} that are no numbers left out", counted(profiles.left_out, "value")));
    }
    note.push_str(&options.missing());
    let rejects = profiles.refused.iter().take(Outcome::KEPT_REJECTS).map(|(member, reason)| Reject {
        place: Place { member: Some(member.clone()), ..Place::default() },
        code: "R0605".to_owned(),
        reason: reason.clone(),
    });
    Outcome { note: Some(note), rejects: rejects.collect(), rejected: profiles.refused.len() as u64 }
}
