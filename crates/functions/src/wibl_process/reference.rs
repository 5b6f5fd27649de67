//! The rules of `wibl-python` 1.2.0 (hop 6), to the byte on whatever it can convert; where it stops, so do these, and say why.
//!
//! Its order: packets are decoded; requested `nodatareject` goes over them; one source of time is chosen for the file;
//! packets without a counter, or with a counter of 0, get the mean of those around them; time, positions and depths become
//! tables; each depth is looked up in the others; requested `deduplicate` goes over the result.

use std::io::Write;

use serde_json::{Value, json};
use tidegate_formats::geojson::{Point, Writer};
use tidegate_formats::nmea0183::{self, Sentence};
use tidegate_formats::wibl::{Code, Framing, NEWEST, NOT_AVAILABLE, Packet, Reader, Record, Recorder};
use tidegate_model::Failure;
use tidegate_ocean::sounding::distinct;
use tidegate_ocean::sounding::reference::{Line, Table};

use super::contribution::Contribution;
use super::document::{self, ALGORITHMS, Contact};
use super::{Done, Moment, Options, at_byte, failure, write_failure};

/// What the reference writes for every provider.
const CONTACT: Contact<'_> = Contact { organization: "CCOM/JHC, UNH", email: "wibl@ccom.unh.edu" };

/// Where the time comes from, in the order in which it is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeSource {
    SystemTime,
    Gnss,
    Zda,
    Rmc,
}

/// Packets seen, and those that `nodatareject` would leave out.
#[derive(Default)]
struct Counts {
    total: u64,
    gnss: [u64; 2],
    depth: [u64; 2],
    system_time: [u64; 2],
}

/// What the first walk through the file finds.
#[derive(Default)]
struct Loaded<'a> {
    version: Option<(String, u32)>,
    logger: Option<&'a str>,
    platform: Option<&'a str>,
    metadata: Option<(&'a str, usize)>,
    requests: Vec<(&'a str, &'a str, usize)>,
    counts: Counts,
    has_zda: bool,
    has_rmc: bool,
}

/// True if `nodatareject` leaves the packet out.
fn has_no_data(packet: &Packet<'_>, today: i64) -> bool {
    match packet {
        Packet::Gnss { fix, .. } => fix.latitude == NOT_AVAILABLE || fix.longitude == NOT_AVAILABLE,
        Packet::Depth { depth, .. } => *depth == NOT_AVAILABLE,
        Packet::SystemTime { stamp, .. } => i64::from(stamp.date) > today || stamp.time > 86_400.0,
        _ => false,
    }
}

/// The reference's crashes: what stopped it, and where.
fn stops(reason: &str, offset: usize) -> Failure {
    at_byte(failure("R0509", format!("the reference rules stop here: {reason}")), offset)
        .help("use `rules = \"corrected\"`, which leave out what cannot be read and go on")
}

fn text(bytes: &[u8], offset: usize) -> Result<&str, Failure> {
    std::str::from_utf8(bytes).map_err(|_| stops("a text that is not UTF-8", offset))
}

/// Bytes 3 to 6 of a sentence, where its name stands if it begins with `$`; `None` if they are no text.
fn name(sentence: &[u8]) -> Option<&[u8]> {
    let name = sentence.get(3..sentence.len().min(6)).unwrap_or_default();
    std::str::from_utf8(name).is_ok().then_some(name)
}

fn load<'a>(bytes: &'a [u8], today: i64) -> Result<Loaded<'a>, Failure> {
    let mut loaded = Loaded::default();
    let mut reader = Reader::new(bytes, Framing::Plain);
    for Record { offset, packet, .. } in reader.by_ref() {
        loaded.counts.total += 1;
        let is_rejected = usize::from(has_no_data(&packet, today));
        match packet {
            Packet::Version { major, minor, n2k, n0183, .. } => {
                let number = u32::from(major) * 1000 + u32::from(minor);
                let newest = loaded.version.map_or(number, |(_, before)| before.max(number));
                loaded.version = Some((document::version(major, minor, n2k, n0183), newest));
            }
            Packet::Metadata { first, second } => {
                (loaded.logger, loaded.platform) = (Some(text(first, offset)?), Some(text(second, offset)?));
            }
            Packet::AlgorithmRequest { name, parameters } => {
                let (name, parameters) = (text(name, offset)?, text(parameters, offset)?);
                if !loaded.requests.iter().any(|known| (known.0, known.1) == (name, parameters)) {
                    loaded.requests.push((name, parameters, offset));
                }
            }
            Packet::JsonMetadata(json) => loaded.metadata = Some((text(json, offset)?, offset)),
            Packet::SentenceFilter(id) => {
                text(id, offset)?;
            }
            Packet::SensorScales(json) | Packet::Setup(json) => {
                let json = text(json, offset)?;
                serde_json::from_str::<serde::de::IgnoredAny>(json)
                    .map_err(|error| stops(&format!("JSON that is none: {error}"), offset))?;
            }
            Packet::Gnss { .. } => loaded.counts.gnss[is_rejected] += 1,
            Packet::Depth { .. } => loaded.counts.depth[is_rejected] += 1,
            Packet::SystemTime { .. } => loaded.counts.system_time[is_rejected] += 1,
            Packet::Sentence { text, .. } => {
                loaded.has_zda |= name(text) == Some(b"ZDA");
                loaded.has_rmc |= name(text) == Some(b"RMC");
            }
            _ => {}
        }
    }
    let unknown = reader.account().findings.iter().find(|finding| finding.code == Code::Unknown);
    if let Some(finding) = unknown {
        let offset = usize::try_from(finding.offset).unwrap_or(usize::MAX);
        return Err(stops(&format!("a packet of the unknown type {}", finding.id), offset));
    }
    if let Some((name, _, offset)) = loaded.requests.iter().find(|request| !ALGORITHMS.contains(&request.0)) {
        let reason = format!("the file requests the algorithm `{name}`, which nobody knows");
        return Err(at_byte(failure("R0508", reason), *offset).expected("`nodatareject` or `deduplicate`"));
    }
    Ok(loaded)
}

impl Loaded<'_> {
    fn rejects(&self) -> bool {
        self.requests.iter().any(|request| request.0 == "nodatareject")
    }

    fn time_source(&self) -> Result<TimeSource, Failure> {
        let seen = |counts: [u64; 2]| counts[0] > 0 || (counts[1] > 0 && !self.rejects());
        match () {
            () if seen(self.counts.system_time) => Ok(TimeSource::SystemTime),
            () if seen(self.counts.gnss) => Ok(TimeSource::Gnss),
            () if self.has_zda => Ok(TimeSource::Zda),
            () if self.has_rmc => Ok(TimeSource::Rmc),
            () => Err(failure("R0503", "no device in the file tells the time").expected(super::gather::TIMES)),
        }
    }
}

/// Time and date of a sentence that has both.
fn date_time(sentence: &Sentence<'_>, source: TimeSource, offset: usize) -> Result<Option<f64>, Failure> {
    let days = match (source, &sentence.id) {
        (TimeSource::Zda, b"ZDA") => {
            let [_, day, month, year] = sentence.fields();
            match nmea0183::date(day, month, year) {
                Ok(days) => Some(days),
                Err(true) => return Err(stops("a date that is not in the calendar", offset)),
                Err(false) => None,
            }
        }
        (TimeSource::Rmc, b"RMC") => nmea0183::short_date(sentence.field(8)),
        _ => None,
    };
    #[expect(clippy::cast_precision_loss, reason = "exact before the year 2255")]
    let seconds = |(days, micros): (i64, i64)| (days * 86_400_000_000 + micros) as f64 / 1e6;
    Ok(days.zip(nmea0183::time_of_day(sentence.field(0))).map(seconds))
}

/// Degrees of a field and its hemisphere.
fn coordinate(text: &str, hemisphere: &str, positive: &str, negative: &str, offset: usize) -> Result<f64, Failure> {
    let degrees = match text {
        "" | "0" => 0.0,
        text => nmea0183::degrees(text).ok_or_else(|| stops("a coordinate that is none", offset))?,
    };
    Ok(match hemisphere {
        hemisphere if hemisphere == positive => degrees,
        hemisphere if hemisphere == negative => -degrees,
        _ => 0.0,
    })
}

/// The tables that the second walk fills.
struct Tables {
    source: TimeSource,
    line: Line,
    time: Table<1>,
    position: Table<2>,
    depths: Vec<(f64, f64)>,
}

impl Tables {
    fn take(&mut self, record: &Record<'_>, elapsed: f64) -> Result<(), Failure> {
        let x = self.line.put(elapsed);
        match record.packet {
            Packet::SystemTime { stamp, .. } if self.source == TimeSource::SystemTime => {
                self.time.push(x, [f64::from(stamp.date) * 86_400.0 + stamp.time]);
            }
            Packet::Gnss { fix, .. } => {
                if self.source == TimeSource::Gnss {
                    self.time.push(x, [f64::from(fix.date) * 86_400.0 + fix.time]);
                }
                self.position.push(x, [fix.latitude, fix.longitude]);
            }
            Packet::Depth { depth, .. } => self.depths.push((x, depth)),
            Packet::Sentence { text, .. } if text.len() > 11 => self.sentence(text, x, record.offset)?,
            _ => {}
        }
        Ok(())
    }

    fn sentence(&mut self, text: &[u8], x: f64, offset: usize) -> Result<(), Failure> {
        let Ok(sentence) = Sentence::parse(text) else { return Ok(()) };
        match &sentence.id {
            b"ZDA" | b"RMC" => {
                if let Some(time) = date_time(&sentence, self.source, offset)? {
                    self.time.push(x, [time]);
                }
            }
            b"GGA" | b"GLL" => {
                let [first, a, b, c, d] = sentence.fields();
                let [latitude, north, longitude, east] =
                    if &sentence.id == b"GGA" { [a, b, c, d] } else { [first, a, b, c] };
                let latitude = coordinate(latitude, north, "N", "S", offset)?;
                self.position.push(x, [latitude, coordinate(longitude, east, "E", "W", offset)?]);
            }
            b"DBT" | b"DPT" => {
                let depth = sentence.field(if &sentence.id == b"DBT" { 2 } else { 0 });
                if !depth.is_empty() {
                    let depth = depth.trim().parse().map_err(|_| stops("a depth that is no number", offset))?;
                    self.depths.push((x, depth));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The second walk: counters are mended, and the tables filled.
fn tables(bytes: &[u8], loaded: &Loaded<'_>, today: i64) -> Result<Tables, Failure> {
    let source = loaded.time_source()?;
    let (_, newest) = loaded.version.as_ref().ok_or_else(|| stops("the file does not say its version", 0))?;
    if *newest > NEWEST {
        return Err(failure("R0507", "the file's version is newer than the reference knows")
            .expected("version 1.3 or older")
            .help("use `rules = \"corrected\"`, which read of a newer file what they know"));
    }
    let rejects = loaded.rejects();
    let (time, position) = (Table::default(), Table::default());
    let mut tables = Tables { source, line: Line::default(), time, position, depths: Vec::new() };
    let is_left_out = |packet: &Packet<'_>| {
        (rejects && has_no_data(packet, today))
            || matches!(packet, Packet::Sentence { text, .. } if name(text).is_none())
    };
    // The first packet of a run without counter, and the counter before it.
    let mut run: Option<usize> = None;
    let mut before: Option<f64> = None;
    let mut first_time: Option<f64> = None;
    for record in Reader::new(bytes, Framing::Plain) {
        if is_left_out(&record.packet) {
            continue;
        }
        let mut elapsed = f64::from(record.packet.elapsed().unwrap_or(0));
        if elapsed == 0.0 {
            if let Packet::Sentence { text, .. } = record.packet
                && text.len() >= 11
                && matches!(source, TimeSource::Zda | TimeSource::Rmc)
                && let Ok(sentence) = Sentence::parse(text)
                && let Some(time) = date_time(&sentence, source, record.offset)?
            {
                match first_time {
                    None => first_time = Some(time),
                    Some(first) => elapsed = 1000.0 * (time - first),
                }
            }
            if elapsed == 0.0 {
                run = run.or(Some(record.offset));
                continue;
            }
        }
        if let (Some(from), Some(before)) = (run.take(), before.filter(|before| *before > 0.0)) {
            let mean = f64::midpoint(before, elapsed);
            if mean != 0.0 {
                let behind = Reader::new(&bytes[from..record.offset], Framing::Plain);
                for inner in behind.filter(|inner| !is_left_out(&inner.packet)) {
                    tables.take(&Record { offset: from + inner.offset, ..inner }, mean)?;
                }
            }
        }
        before = Some(elapsed);
        tables.take(&record, elapsed)?;
    }
    Ok(tables)
}

/// Converts as the reference does.
pub(super) fn convert<W: Write>(
    bytes: &[u8],
    options: &Options,
    moment: Moment,
    output: W,
) -> Result<(W, Done), Failure> {
    let today = moment.now.as_second().div_euclid(86_400);
    let loaded = load(bytes, today)?;
    let mut tables = tables(bytes, &loaded, today)?;
    let all = tables.depths.len();
    if all == 0 {
        return Err(failure("R0504", "no depth in the file").expected(super::gather::DEPTHS));
    }
    if tables.time.is_empty() {
        return Err(
            failure("R0503", "no device in the file tells a time that can be used").expected(super::gather::TIMES)
        );
    }
    if tables.position.is_empty() {
        return Err(failure("R0505", "no position in the file").expected(super::gather::POSITIONS));
    }
    let mut lineage = rejected(&loaded, moment)?;
    for (_, parameters, offset) in loaded.requests.iter().filter(|request| request.0 == "deduplicate") {
        let before = tables.depths.len();
        let mut kept = distinct(tables.depths.iter().map(|(_, depth)| *depth)).into_iter();
        tables.depths.retain(|_| kept.next().unwrap_or(true));
        if tables.depths.is_empty() {
            return Err(stops("every depth is 0, and `deduplicate` leaves none", *offset));
        }
        let comment = format!("Selected {} non-duplicate depths from {before} in input.", tables.depths.len());
        lineage.push(step("deduplicate", parameters, comment, moment, *offset)?);
    }
    let root = root(&loaded, options, lineage)?;
    let mut contribution = Contribution::new(root.get("properties").unwrap_or(&Value::Null), Recorder::Wibl.name());
    let mut writer = Writer::new(output, &root).map_err(write_failure)?;
    let (mut time_hint, mut position_hint) = (0, 0);
    for (x, depth) in &tables.depths {
        let [time] = tables.time.at(*x, &mut time_hint);
        let [latitude, longitude] = tables.position.at(*x, &mut position_hint);
        let point = Point { longitude, latitude, depth: *depth, time, uncertainty: None };
        writer.point(&point).map_err(write_failure)?;
        contribution.push(&point);
    }
    let soundings = tables.depths.len() as u64;
    let note = format!("{soundings} soundings of {all} depths, by the rules of wibl-python 1.2.0");
    let done = Done { soundings, note, rejects: Vec::new(), rejected: 0, contribution };
    Ok((writer.finish().map_err(write_failure)?, done))
}

/// Lineage of `nodatareject`: a second request finds nothing more.
fn rejected(loaded: &Loaded<'_>, moment: Moment) -> Result<Vec<Value>, Failure> {
    let Counts { total, gnss, depth, system_time } = &loaded.counts;
    let mut lineage = Vec::new();
    for (_, parameters, offset) in loaded.requests.iter().filter(|request| request.0 == "nodatareject") {
        let is_first = u64::from(lineage.is_empty());
        let of = |counts: &[u64; 2]| (counts[1] * is_first, counts[0] + counts[1] * is_first);
        let ((a, of_gnss), (b, of_depth), (c, of_time)) = (of(gnss), of(depth), of(system_time));
        let gone = (gnss[1] + depth[1] + system_time[1]) * (1 - is_first);
        let comment = format!(
            "Filtered {} packets of {} total. Filtered {a} of {of_gnss} GNSS packets. Filtered {b} of {of_depth} Depth \
             packets. Filtered {c} of {of_time} SystemTime packets.",
            a + b + c,
            total - gone,
        );
        lineage.push(step("nodatareject", parameters, comment, moment, *offset)?);
    }
    Ok(lineage)
}

fn step(name: &str, parameters: &str, comment: String, moment: Moment, offset: usize) -> Result<Value, Failure> {
    let parameters = match parameters {
        "" => Value::from(""),
        text => document::parameters(text)
            .map(Value::Object)
            .ok_or_else(|| stops("parameters of an algorithm without one `=` each", offset))?,
    };
    Ok(json!({
        "type": "Algorithm",
        "timestamp": document::moment(moment.now),
        "name": name,
        "parameters": parameters,
        "source": "WIBL-1.2.0",
        "version": "1.0.0",
        "comment": comment,
    }))
}

fn root(
    loaded: &Loaded<'_>,
    options: &Options,
    lineage: Vec<Value>,
) -> Result<serde_json::Map<String, Value>, Failure> {
    let (logger, platform) = (Value::from(loaded.logger), Value::from(loaded.platform));
    let version = loaded.version.as_ref().map_or("", |(version, _)| version);
    let mut properties = document::properties(&CONTACT, &logger, &platform, version);
    let mut crs = document::crs();
    let mut place = 0;
    if let Some((text, offset)) = loaded.metadata {
        place = offset;
        let parsed: Value = serde_json::from_str(text)
            .map_err(|error| stops(&format!("metadata that are no JSON: {error}"), offset))?;
        let Value::Object(mut parsed) = parsed else { return Err(stops("metadata that are no object", offset)) };
        if let Some(given) = parsed.remove("crs") {
            crs = given;
        }
        if let Some(given) = parsed.remove("properties") {
            document::merge(&mut properties, given);
        }
    }
    let vessel = properties.pointer("/trustedNode/uniqueVesselID").and_then(Value::as_str);
    let vessel = vessel.ok_or_else(|| at_byte(failure("R0506", "the file does not say whose it is"), place))?;
    let vessel =
        if vessel.contains(&options.provider) { vessel.to_owned() } else { format!("{}-{vessel}", options.provider) };
    let wrong = || stops("metadata whose `platform` or `processing` is something else", place);
    properties["trustedNode"]["uniqueVesselID"] = Value::from(vessel.as_str());
    let object = properties.as_object_mut().ok_or_else(wrong)?;
    if !lineage.is_empty() {
        let steps = object.entry("processing").or_insert_with(|| Value::Array(Vec::new()));
        steps.as_array_mut().ok_or_else(wrong)?.extend(lineage);
    }
    let is_processed =
        object.get("processing").is_some_and(|steps| steps.as_array().is_none_or(|steps| !steps.is_empty()));
    let platform = object.get_mut("platform").and_then(Value::as_object_mut).ok_or_else(wrong)?;
    platform.insert("uniqueID".to_owned(), Value::from(vessel));
    if is_processed {
        platform.insert("dataProcessed".to_owned(), Value::Bool(true));
    }
    Ok(document::root(crs, properties))
}
