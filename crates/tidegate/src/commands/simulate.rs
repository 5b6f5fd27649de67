//! `tidegate simulate`: files as devices write them, for trying out and testing pipelines.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tidegate_formats::wibl::{Bus, Faults, Stretch, Voyage, Written};
use tidegate_model::parse_duration;

use crate::draft;
use crate::exit::{Exit, Stop};
use crate::output::{bytes, counted};
use crate::project::Here;

/// What was typed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A file of a WIBL bathymetry logger. The same options give the same bytes.
    Wibl(Box<Wibl>),
}

#[derive(Debug, clap::Args)]
struct Wibl {
    /// The file, which is replaced once all of it is written.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How long the voyage is.
    #[arg(long, value_name = "HOURS", default_value_t = 1.0, value_parser = hours)]
    hours: f64,
    /// Another number is another voyage.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// What the boat's devices talk over.
    #[arg(long, value_enum, default_value_t = Talk::Both)]
    bus: Talk,
    /// When it begins.
    #[arg(long, value_name = "TIME", default_value = "2024-05-11T10:00:00Z")]
    begin: jiff::Timestamp,
    /// Where it begins: degrees north and east.
    #[arg(long, value_name = "LAT,LON", default_value = "54.49,-0.61", value_parser = place, allow_hyphen_values = true)]
    from: (f64, f64),
    /// The logger's identifier.
    #[arg(long, value_name = "ID", default_value = "EXAMPLE-e8c469f8-df38-41e5-b86d-9a79f06e9478")]
    vessel: String,
    /// The ship's name.
    #[arg(long, value_name = "NAME", default_value = "Rose of Whitby")]
    name: String,
    /// What the logger's counter shows at the begin, in ms; near 4294967296 it wraps on the way.
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    counter: u32,
    /// An algorithm that the file requests: `nodatareject`, or `NAME;PARAMETERS`. May be repeated.
    #[arg(long, value_name = "ALGORITHM")]
    request: Vec<String>,
    #[command(flatten)]
    faults: Wrong,
}

/// What goes wrong.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Faults")]
struct Wrong {
    /// Stamp sentences up to so much before what was written earlier, as real loggers do.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    jitter: u32,
    /// The logger has no power: `20m+90s` is for 90 s, 20 min after the begin. May be repeated.
    #[arg(long, value_name = "AT+LENGTH", value_parser = stretch)]
    gap: Vec<Stretch>,
    /// The receiver has no fix. May be repeated.
    #[arg(long, value_name = "AT+LENGTH", value_parser = stretch)]
    no_fix: Vec<Stretch>,
    /// There is no receiver: nothing tells time and place.
    #[arg(long)]
    no_receiver: bool,
    /// Of 1000 soundings, so many find no bottom.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1000))]
    no_bottom: u32,
    /// Of 1000 sentences, a loose wire spoils so many.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1000))]
    spoiled: u32,
    /// A bad card spoils so many stretches of the file.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    damaged: u32,
    /// So many packets of a type that nobody knows.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    unknown: u32,
    /// The file ends within a packet.
    #[arg(long)]
    cut: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Talk {
    Nmea2000,
    Nmea0183,
    Both,
}

/// The longest voyage, in hours: a month and a half, some 1.2 GB.
const LONGEST: f64 = 1_000.0;

fn hours(text: &str) -> Result<f64, String> {
    let hours = text.parse::<f64>().ok().filter(|hours| *hours > 0.0 && *hours <= LONGEST);
    hours.ok_or_else(|| format!("this is no number of hours above 0 and up to {LONGEST}"))
}

fn place(text: &str) -> Result<(f64, f64), String> {
    let degrees = |text: &str, most: f64| text.trim().parse::<f64>().ok().filter(|degrees| degrees.abs() <= most);
    let place = text.split_once(',').and_then(|(north, east)| Some((degrees(north, 80.0)?, degrees(east, 180.0)?)));
    place.ok_or_else(|| {
        "this is no place; for example `54.49,-0.61`, and not beyond 80 degrees north or south".to_owned()
    })
}

fn stretch(text: &str) -> Result<Stretch, String> {
    let seconds = |text: &str| u32::try_from(parse_duration(text).ok()?.as_secs()).ok();
    let stretch = text
        .split_once('+')
        .and_then(|(from, length)| Some(Stretch { from: seconds(from)?, seconds: seconds(length)? }));
    stretch.ok_or_else(|| "this is no stretch of a voyage; for example `20m+90s`".to_owned())
}

/// Writes the file.
pub(crate) fn run(here: &Here, args: &Args) -> Result<Exit, Stop> {
    let What::Wibl(wibl) = &args.what;
    let voyage = voyage(wibl)?;
    let written = write(&voyage, &wibl.out)?;
    if here.printer.json {
        here.printer.document(&serde_json::json!({
            "out": wibl.out, "bytes": written.bytes, "packets": written.packets, "soundings": written.soundings,
            "seconds": voyage.seconds, "seed": voyage.seed,
        }))?;
    } else {
        here.printer.remark(&format!(
            "{}, {} and {} in `{}`",
            bytes(written.bytes),
            counted(written.packets, "packet"),
            counted(written.soundings, "sounding"),
            wibl.out.display()
        ));
    }
    Ok(Exit::Done)
}

fn voyage(wibl: &Wibl) -> Result<Voyage, Stop> {
    let begin = u32::try_from(wibl.begin.as_second())
        .map_err(|_| Stop::wrong(format!("a voyage cannot begin at {}", wibl.begin)).expected("a time since 1970"))?;
    let request = |text: &String| {
        let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
        (name.to_owned(), parameters.to_owned())
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "hours are within 0..=1000")]
    let seconds = (wibl.hours * 3600.0).round() as u32;
    let wrong = &wibl.faults;
    Ok(Voyage {
        seed: wibl.seed,
        seconds,
        begin,
        from: wibl.from,
        vessel: wibl.vessel.clone(),
        name: wibl.name.clone(),
        bus: match wibl.bus {
            Talk::Nmea2000 => Bus::Nmea2000,
            Talk::Nmea0183 => Bus::Nmea0183,
            Talk::Both => Bus::Both,
        },
        counter: wibl.counter,
        requests: wibl.request.iter().map(request).collect(),
        faults: Faults {
            jitter: wrong.jitter,
            gaps: wrong.gap.clone(),
            no_fix: wrong.no_fix.clone(),
            is_without_receiver: wrong.no_receiver,
            lost_bottom: wrong.no_bottom,
            spoiled: wrong.spoiled,
            damaged: wrong.damaged,
            unknown: wrong.unknown,
            is_cut: wrong.cut,
        },
    })
}

/// Writes it beside its place first, so that a pipeline that watches the folder never sees half of it.
fn write(voyage: &Voyage, path: &Path) -> Result<Written, Stop> {
    let unwritable = |error: &std::io::Error| Stop::file("written", path, error);
    let draft = draft::beside(path).map_err(|error| unwritable(&error))?;
    let mut output = BufWriter::new(draft);
    let written = voyage.write(&mut output).map_err(|error| unwritable(&error))?;
    output.flush().map_err(|error| unwritable(&error))?;
    let draft: tempfile::NamedTempFile = output.into_inner().map_err(|error| unwritable(error.error()))?;
    draft.persist(path).map_err(|error| unwritable(&error.error))?;
    Ok(written)
}
