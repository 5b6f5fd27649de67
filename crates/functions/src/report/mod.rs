//! Kind `report` (hop 6): a deployment that was quality controlled becomes a picture, and goes back to the vessel that
//! made it, by mail.
//!
//! The NetCDF file is read into columns ([`measured`]); the table of vessels says whose they are and what its people wish
//! ([`readers`]); picture, table and words are made without I/O ([`letter`]). Who wishes a mail each day or week gets it
//! from the kind `digest`, which shares all of this. What a user must know is in `docs/functions/report.md`.

pub(crate) mod letter;
pub(crate) mod measured;
pub(crate) mod readers;

use std::io::Write as _;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use serde_json::Value;
use tidegate_engine::{Context, Function, Kind, Message, Outcome};
use tidegate_model::{
    self as model, ErrorKind, Failure, KindSpec, OptionSpec, OptionType, Pipeline, Place, Targets, TriggerNeed,
};
use tidegate_stores::Reject;

use letter::Story;
use measured::Measured;
use readers::{Owner, Reader, Wish};

/// What `report` tells about itself.
pub static SPEC: KindSpec = KindSpec {
    name: "report",
    version: 1,
    summary: "a deployment as a picture, and by mail to the vessel that made it",
    trigger: TriggerNeed::Object,
    tables: Targets::None,
    buckets: Targets::Optional,
    databases: Targets::None,
    mail: Targets::Optional,
    looks_back: false,
    options: &[VESSELS, TIMEZONE],
};

/// The table of vessels.
pub(crate) const VESSELS: OptionSpec = OptionSpec {
    name: "vessels",
    takes: OptionType::Text,
    default: Some("\"vessels\""),
    required: false,
    doc: "The table of vessels, which says where a vessel's data are mailed and how often; it must stand in `reads`.",
};

/// The clock that readers go by.
pub(crate) const TIMEZONE: OptionSpec = OptionSpec {
    name: "timezone",
    takes: OptionType::Text,
    default: Some("\"UTC\""),
    required: false,
    doc: "The IANA time zone of pictures and mails, for example `\"Pacific/Auckland\"`.",
};

/// The kind, for the catalog.
pub static KIND: Kind = Kind { spec: &SPEC, build };

/// What the options of `report` and `digest` have in common.
#[derive(Clone)]
pub(crate) struct Options {
    /// The table of vessels.
    pub(crate) vessels: String,
    /// The clock that readers go by.
    pub(crate) zone: TimeZone,
}

impl Options {
    /// Reads them.
    ///
    /// # Errors
    /// `R0801` if the table of vessels is needed and not granted, `R0802` if the time zone is not known.
    pub(crate) fn read(function: &model::Function, needs_vessels: bool) -> Result<Self, Failure> {
        let text = |name: &str| function.options.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let vessels = text("vessels");
        if needs_vessels && !function.grants.read_tables.contains(&vessels) {
            let reason = format!("`{}` does not read the table of vessels, `{vessels}`", function.name);
            return Err(Failure::new("R0801", ErrorKind::Invalid, reason)
                .expected(format!("`reads = [\"{vessels}\"]`, or the name of another table under `with`")));
        }
        let name = text("timezone");
        let zone = TimeZone::get(&name).map_err(|_| {
            Failure::new("R0802", ErrorKind::Invalid, format!("there is no time zone `{name}`"))
                .expected("an IANA time zone, for example `Pacific/Auckland`")
        })?;
        Ok(Self { vessels, zone })
    }
}

struct Report {
    options: Options,
    /// Where pictures go.
    bucket: Option<String>,
}

fn build(function: &model::Function, pipeline: &Pipeline) -> Result<Box<dyn Function>, Failure> {
    let bucket = function.into.iter().find(|name| pipeline.buckets.contains_key(*name)).cloned();
    Ok(Box::new(Report { options: Options::read(function, true)?, bucket }))
}

#[async_trait]
impl Function for Report {
    async fn call(&self, context: &Context) -> Result<Outcome, Failure> {
        let key = context.object()?.key.clone();
        let input = context.input().await?;
        let measured = blocking(move || measured::read(input.reader())).await??;
        let vessels = readers::read(context.table(&self.options.vessels)?.as_ref(), &self.options.vessels).await?;
        let today = context.now().to_zoned(self.options.zone.clone()).date();
        let owner = readers::owner(&vessels, &measured, today);
        let zone = self.options.zone.clone();
        let title = title(&owner, &measured);
        let (story, svg) = blocking(move || {
            let picture = measured.picture(&title, &zone);
            (Story::new(&key, &measured, picture.png(letter::SCALE)), picture.svg())
        })
        .await?;
        if let Some(bucket) = &self.bucket {
            put(context, bucket, &format!("{}.svg", story.stem), svg.as_bytes())?;
            put(context, bucket, &format!("{}.png", story.stem), &story.png)?;
        }
        let mut outcome = Outcome::default();
        let mailed =
            if context.function().grants.mail { self.mail(context, &owner, story, &mut outcome)? } else { None };
        let drawn = self.bucket.as_ref().map(|_| "picture drawn".to_owned());
        outcome.note = Some(drawn.into_iter().chain(mailed).collect::<Vec<_>>().join("; "));
        Ok(outcome)
    }
}

impl Report {
    /// Mails the deployment to whom it belongs to, if they wish that at once; says what was done.
    fn mail(
        &self,
        context: &Context,
        owner: &Owner,
        story: Story,
        outcome: &mut Outcome,
    ) -> Result<Option<String>, Failure> {
        let reader = match owner {
            Owner::Unknown => return Ok(Some("no mail: no vessel had this sensor then".to_owned())),
            Owner::Several => {
                refuse(outcome, "R0804", "Mangopare serial number", "several vessels had this sensor then");
                return Ok(Some("no mail: several vessels had this sensor then".to_owned()));
            }
            Owner::One(reader) => reader,
        };
        check(reader, outcome);
        if reader.wish != Wish::Each {
            return Ok(Some(format!("no mail: {}", reader.wish.in_words())));
        }
        let stories = [story];
        let (subject, text) = letter::words(&reader.name, &stories, &self.options.zone);
        let object = context.object()?;
        for address in &reader.addresses {
            context.mail(Message {
                to: address.clone(),
                about: reader.name.clone(),
                // A deployment that is controlled again under other rules is no news to who made it.
                identity: Some(format!("{}/{}", object.bucket, object.key)),
                subject: subject.clone(),
                text: text.clone(),
                attachments: stories.iter().flat_map(Story::attachments).collect(),
            })?;
        }
        Ok(Some(match reader.addresses.len() {
            0 => format!("no mail: {} has no address", reader.name),
            1 => format!("mail for {}", reader.name),
            count => format!("{count} mails for {}", reader.name),
        }))
    }
}

/// Notes what of a vessel's wishes cannot be read.
fn check(reader: &Reader, outcome: &mut Outcome) {
    if reader.wish == Wish::Unclear {
        refuse(outcome, "R0805", "Email Frequency", "how often the vessel wishes mails cannot be read");
    }
    if reader.unreadable > 0 && reader.wish != Wish::Never {
        refuse(outcome, "R0805", "Contact email", "an address of the vessel cannot be read");
    }
}

fn refuse(outcome: &mut Outcome, code: &str, column: &str, reason: &str) {
    let place = Place { column: Some(column.to_owned()), ..Place::default() };
    outcome.rejects.push(Reject { place, code: code.to_owned(), reason: reason.to_owned() });
    outcome.rejected += 1;
}

/// The heading of a picture.
pub(crate) fn title(owner: &Owner, measured: &Measured) -> String {
    match owner {
        Owner::One(reader) => reader.name.clone(),
        Owner::Unknown | Owner::Several => format!("Sensor {}", measured.sensor),
    }
}

fn put(context: &Context, bucket: &str, key: &str, bytes: &[u8]) -> Result<(), Failure> {
    let mut file = context.create(bucket, key)?;
    file.write_all(bytes).map_err(|error| {
        Failure::new("R0008", ErrorKind::Unavailable, format!("a temporary file cannot be written: {error}"))
    })?;
    context.finish(file)
}

/// Runs what takes long on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) => match error.try_into_panic() {
            // The engine contains panics, and tells them with what they say.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(Failure::new("R0012", ErrorKind::Unavailable, error.to_string())),
        },
    }
}
