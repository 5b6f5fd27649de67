//! Our own rules (hop 6): what the reference does, without what is wrong with it.
//!
//! | the reference | here | why |
//! |---|---|---|
//! | every step back of the counter is a wrap | jitter, wrap, minute and restart are told apart (`ocean`, [`elapsed`]) | soundings were up to 0.9 s off |
//! | a counter of 0 is missing | it is 0, unless the whole file has none | the first second was lost |
//! | no fix is 0° N 0° E | it is no position | soundings in the Gulf of Guinea |
//! | -1e9, NaN, infinite, negative depths are published | they are left out | they are no depths, and no JSON |
//! | all sources in one table | one source a quantity ([`source`]) | tracks went to and fro between receivers |
//! | clamped before and after, bridged across any gap | left out | invented times and places |
//! | longitude is a plain number | the short way round | points on the other side of the Earth |
//! | first text is the identifier | what looks like one is ([`super::vessel`]) | the firmware writes it second |
//! | empty parameters are `""` | `null` | the archive refused the file |
//! | one bad packet or sentence ends all | it is left out, with its byte | whole files were lost |
//! | interpolation is not told | every step is in `processing` | B-12 asks for it |
//! | a date "after today" is refused | after the file's arrival | the same file gave another result later |
//!
//! [`elapsed`]: tidegate_ocean::sounding::elapsed
//! [`source`]: tidegate_ocean::sounding::source

use std::io::Write;

use serde_json::{Map, Value, json};
use tidegate_formats::geojson::{Point, Writer};
use tidegate_formats::wibl::Recorder;
use tidegate_model::{Failure, Place};
use tidegate_ocean::sounding::clock::{Clock, Reference};
use tidegate_ocean::sounding::elapsed::RESTART_GAP;
use tidegate_ocean::sounding::source::{Choice, Name, Sources};
use tidegate_ocean::sounding::track::{Fix, Track};
use tidegate_ocean::sounding::{distinct, vertical_uncertainty};

use super::contribution::Contribution;
use super::document::{self, ALGORITHMS, Contact};
use super::gather::{DEPTHS, Depth, Gathered, POSITIONS, TIMES, gather};
use super::tally::{Tally, What};
use super::{Done, Moment, Options, at_byte, failure, mend, vessel, write_failure};

/// Version of these rules, in the lineage; raised with [`super::SPEC`]'s.
const VERSION: &str = "1";

/// Who did it, in the lineage.
const SOURCE: &str = "tidegate";

/// A place for mail that no file may leave unset: B-12 wants one.
const NO_EMAIL: &str = "unset@example.org";

/// Depths with their places and times.
struct Placed {
    points: Vec<Point>,
    /// Depths of the chosen source.
    of: u64,
    time: String,
    position: String,
    depth: String,
    /// Sources that were not chosen, and how many values each had.
    others: Vec<(Name, u64)>,
}

/// Converts by our own rules.
pub(super) fn convert<W: Write>(
    bytes: &[u8],
    options: &Options,
    moment: Moment,
    output: W,
) -> Result<(W, Done), Failure> {
    let mut found = gather(bytes, options, moment);
    if found.packets == 0 {
        return Err(no_packets());
    }
    let requests = requests(&mut found, options)?;
    let mut placed = place(&mut found, options)?;
    let mut lineage = vec![interpolation(&placed, moment)];
    for (name, parameters) in &requests {
        let comment = apply(name, &found, &mut placed);
        lineage.push(algorithm(name, parameters.clone(), &comment, moment));
    }
    if placed.points.is_empty() {
        return Err(nothing_left(&found, placed.of));
    }
    if let Some(model) = options.uncertainty {
        lineage.push(uncertain(&mut placed.points, model, moment));
    }
    let (crs, properties, remarks) = head(&mut found, &placed, options, lineage, moment)?;
    let mut contribution = Contribution::new(&properties, found.recorder.name());
    let mut writer = Writer::new(output, &document::root(crs, properties)).map_err(write_failure)?;
    for point in &placed.points {
        writer.point(point).map_err(write_failure)?;
        contribution.push(point);
    }
    let soundings = placed.points.len() as u64;
    let mut note = format!(
        "{soundings} soundings of {} depths by {}, time by {}, position by {}",
        placed.of, placed.depth, placed.time, placed.position
    );
    remarks.iter().for_each(|remark| note.push_str(&format!("; {remark}")));
    let left_out = found.tally.note();
    if !left_out.is_empty() {
        note.push_str(&format!("; left out: {left_out}"));
    }
    let (rejects, rejected) = found.tally.finish();
    Ok((writer.finish().map_err(write_failure)?, Done { soundings, note, rejects, rejected, contribution }))
}

/// What is known of where and when each depth was measured.
pub(super) fn soundings(bytes: &[u8], options: &Options, moment: Moment) -> Result<super::Soundings, Failure> {
    let mut found = gather(bytes, options, moment);
    if found.packets == 0 {
        return Err(no_packets());
    }
    let placed = place(&mut found, options)?;
    if placed.points.is_empty() {
        return Err(nothing_left(&found, placed.of));
    }
    Ok(super::Soundings { points: placed.points, note: found.tally.note() })
}

fn no_packets() -> Failure {
    let failure = failure("R0502", "the object holds nothing of a logger");
    at_byte(failure, 0)
        .expected("packets as WIBL loggers write them, records of a YDVR, or sentences of NMEA 0183 line by line")
        .help("was the transfer cut, or is it a file of another program?")
}

/// Algorithms in the order of their phases, each with its parameters as the lineage has them.
fn requests(found: &mut Gathered<'_>, options: &Options) -> Result<Vec<(&'static str, Value)>, Failure> {
    let given = std::mem::take(&mut found.requests);
    let mut known = Vec::new();
    for algorithm in ALGORITHMS {
        let of_file = given.iter().filter(|request| request.0 == *algorithm);
        known.extend(of_file.map(|(_, text, _)| {
            let parameters = match text.trim() {
                "" => Value::Null,
                text => document::parameters(text).map_or_else(|| json!({ "text": text }), Value::Object),
            };
            (*algorithm, parameters)
        }));
        let is_asked = options.algorithms.iter().any(|name| name == algorithm);
        if is_asked && !known.iter().any(|(name, _)| name == algorithm) {
            known.push((algorithm, Value::Null));
        }
    }
    for (name, _, byte) in given.iter().filter(|request| !ALGORITHMS.contains(&request.0.as_str())) {
        let reason = format!("the file requests the algorithm `{name}`, which nobody knows");
        if options.reject_unknown {
            let failure = failure("R0508", reason).expected("`nodatareject` or `deduplicate`");
            return Err(failure.at(Place { byte: Some(*byte), ..Place::default() }));
        }
        found.tally.add_for(What::Request, Some(*byte), &reason);
    }
    Ok(known)
}

fn chosen<T>(sources: &mut Sources<T>) -> Option<Choice<T>> {
    std::mem::replace(sources, Sources::new(1)).choose()
}

fn place(found: &mut Gathered<'_>, options: &Options) -> Result<Placed, Failure> {
    let missing = |code: &str, what: &str, expected: &str, tally: &Tally, refused: [What; 2]| {
        let refused = match refused.map(|what| tally.count(what)).iter().sum() {
            0_u64 => String::new(),
            count => format!(" ({count} are none)"),
        };
        Err(failure(code, format!("nothing in the file tells the {what}{refused}")).expected(expected))
    };
    let Some(times) = chosen(&mut found.times) else {
        return missing("R0503", "time", TIMES, &found.tally, [What::Time, What::NoTime]);
    };
    let Some(depths) = chosen(&mut found.depths) else {
        return missing("R0504", "depth", DEPTHS, &found.tally, [What::Depth, What::NoDepth]);
    };
    let Some(fixes) = chosen(&mut found.fixes) else {
        return missing("R0505", "position", POSITIONS, &found.tally, [What::Position, What::NoFix]);
    };
    let of = depths.chosen.values.len() as u64;
    let (time, position, depth) =
        (times.chosen.name.to_string(), fixes.chosen.name.to_string(), depths.chosen.name.to_string());
    let others = [times.others, fixes.others, depths.others].concat();
    let (mut times, mut fixes, mut depths) = (times.chosen.values, fixes.chosen.values, depths.chosen.values);
    if found.is_unstamped {
        (times, fixes, depths) = stamp(times, fixes, depths, &mut found.tally);
    }
    let (clock, track) = (Clock::new(times, options.time_gap), Track::new(fixes, options.position_gap));
    depths.sort_by_key(|depth| depth.at);
    let mut points = Vec::with_capacity(depths.len());
    for Depth { at, depth, byte } in depths {
        let Some(time) = clock.at(at) else {
            found.tally.add(What::WithoutTime, byte);
            continue;
        };
        let Some((latitude, longitude)) = track.at(at) else {
            found.tally.add(What::WithoutPosition, byte);
            continue;
        };
        points.push(Point { longitude, latitude, depth, time, uncertainty: None });
    }
    Ok(Placed { points, of, time, position, depth, others })
}

/// A file without counters: the times are milestones, and what stands between two of them is spread evenly, in its order.
fn stamp(
    times: Vec<Reference>,
    fixes: Vec<Fix>,
    depths: Vec<Depth>,
    tally: &mut Tally,
) -> (Vec<Reference>, Vec<Fix>, Vec<Depth>) {
    let first = times.first().map_or(0.0, |reference| reference.time);
    #[expect(clippy::cast_possible_truncation, reason = "ms of a file's duration")]
    let on_line = |time: f64| ((time - first) * 1000.0).round() as i64;
    // Number of the packet, and its place on the line.
    let mut stones: Vec<(i64, i64)> = Vec::with_capacity(times.len());
    let mut references = Vec::with_capacity(times.len());
    for Reference { at, time } in times {
        let place = on_line(time);
        if stones.last().is_none_or(|(_, last)| place > *last && place - last < RESTART_GAP) {
            stones.push((at, place));
            references.push(Reference { at: place, time });
        }
    }
    let place = |number: i64| {
        let after = stones.partition_point(|(at, _)| *at <= number);
        let (before, from) = *stones.get(after.checked_sub(1)?)?;
        let (next, to) = *stones.get(after)?;
        Some(from + (to - from) * (number - before) / (next - before))
    };
    let fixes = fixes.into_iter().filter_map(|fix| Some(Fix { at: place(fix.at)?, ..fix })).collect();
    let depths = depths
        .into_iter()
        .filter_map(|depth| {
            let at = place(depth.at);
            if at.is_none() {
                tally.add(What::WithoutTime, depth.byte);
            }
            Some(Depth { at: at?, ..depth })
        })
        .collect();
    (references, fixes, depths)
}

/// Applies an algorithm, and says what it did.
fn apply(name: &str, found: &Gathered<'_>, placed: &mut Placed) -> String {
    if name == "nodatareject" {
        // Nothing without data is ever taken; here it is only told.
        let [gnss, depth, time] = [found.gnss, found.depth, found.system_time];
        return format!(
            "Left out {} of {} GNSS packets, {} of {} Depth packets and {} of {} SystemTime packets.",
            gnss.without_data, gnss.all, depth.without_data, depth.all, time.without_data, time.all
        );
    }
    let before = placed.points.len();
    let mut kept = distinct(placed.points.iter().map(|point| point.depth)).into_iter();
    placed.points.retain(|_| kept.next().unwrap_or(true));
    format!("Kept {} of {before} soundings; the others repeated the depth before them.", placed.points.len())
}

fn nothing_left(found: &Gathered<'_>, depths: u64) -> Failure {
    let (time, position) = (found.tally.count(What::WithoutTime), found.tally.count(What::WithoutPosition));
    let reason =
        format!("none of {depths} depths has a time and a position ({time} without time, {position} without position)");
    failure("R0510", reason)
        .expected(
            "depths between two times and two fixes that are not further apart than `time_gap` and `position_gap`",
        )
        .help("raise `time_gap` or `position_gap` if the devices are that slow")
}

fn algorithm(name: &str, parameters: Value, comment: &str, moment: Moment) -> Value {
    json!({
        "type": "Algorithm",
        "timestamp": document::moment(moment.arrived),
        "name": name,
        "parameters": parameters,
        "source": SOURCE,
        "version": VERSION,
        "comment": comment,
    })
}

fn interpolation(placed: &Placed, moment: Moment) -> Value {
    json!({
        "type": "TimeStampInterpolation",
        "timestamp": document::moment(moment.arrived),
        "method": "Linear between times, by the logger's counter",
        "algorithm": format!("time by {}, position by {}, depth by {}", placed.time, placed.position, placed.depth),
        "version": VERSION,
    })
}

fn uncertain(points: &mut [Point], model: super::options::Uncertainty, moment: Moment) -> Value {
    for point in points {
        let vertical = vertical_uncertainty(model.fixed, model.of_depth, point.depth);
        point.uncertainty = Some([model.horizontal, model.horizontal, vertical]);
    }
    json!({
        "type": "Uncertainty",
        "timestamp": document::moment(moment.arrived),
        "name": "configured",
        "parameters": { "horizontal": model.horizontal, "fixed": model.fixed, "ofDepth": model.of_depth },
        "version": VERSION,
        "comment": "Horizontal as given; vertical the root of the sum of squares of a fixed part and a part of the depth.",
        "reference": "IHO S-44, edition 6.1.0",
    })
}

/// What people should know of the file.
fn remarkable(found: &Gathered<'_>, placed: &Placed) -> Vec<String> {
    let mut remarks = Vec::new();
    let counter = [(found.line.wraps, "wrap"), (found.line.restarts, "restart")];
    for (count, what) in counter.into_iter().filter(|(count, _)| *count > 0) {
        remarks.push(format!("{count} {what}{} of the counter", if count == 1 { "" } else { "s" }));
    }
    if found.is_newer {
        remarks.push("the file's version is newer than 1.3; what is known of it was read".to_owned());
    }
    if found.is_unstamped {
        remarks.push("the file has no counter; depths are spread evenly between times".to_owned());
    }
    if found.recorder != Recorder::Wibl {
        remarks.push(format!("of a {}", found.recorder.name()));
    }
    for (name, count) in &placed.others {
        remarks.push(format!("{count} values by {name} not used"));
    }
    remarks
}

/// Everything before the features, and what is remarkable.
fn head(
    found: &mut Gathered<'_>,
    placed: &Placed,
    options: &Options,
    lineage: Vec<Value>,
    moment: Moment,
) -> Result<(Value, Value, Vec<String>), Failure> {
    let mut remarks = Vec::new();
    let contact = Contact {
        organization: options.organization.as_deref().unwrap_or(&options.provider),
        email: options.email.as_deref().unwrap_or(NO_EMAIL),
    };
    let version = found.version.as_deref().unwrap_or("unknown");
    let vessel = vessel::of(found.metadata, found.setup);
    let name = vessel.as_ref().and_then(|vessel| vessel.name.as_deref()).unwrap_or("Anonymous");
    let mut properties = document::properties(&contact, &Value::Null, &Value::from(name), version);
    properties["trustedNode"]["providerLogger"] = Value::from(found.recorder.name());
    let mut plain = properties.clone();
    let mut crs = document::crs();
    if let Some((text, byte)) = found.json {
        mend::merge(text, byte, &mut crs, &mut properties, &mut found.tally);
    }
    let given = properties.pointer("/trustedNode/uniqueVesselID").and_then(Value::as_str).filter(|id| !id.is_empty());
    let id =
        given.or(vessel.as_ref().map(|vessel| vessel.id.as_str())).or(options.vessel.as_deref()).ok_or_else(|| {
            failure("R0506", "the file does not say which vessel it is from")
                .expected("a metadata packet, a set-up packet or JSON metadata with an identifier")
                .help("set `vessel` if all such files come from one vessel")
        })?;
    let (identifier, is_made) = vessel::identifier(&options.provider, id);
    if is_made {
        remarks.push("the vessel's UUID was made from its name".to_owned());
    }
    for properties in [&mut properties, &mut plain] {
        for (member, name) in [("trustedNode", "uniqueVesselID"), ("platform", "uniqueID")] {
            if let Some(members) = properties[member].as_object_mut() {
                members.insert(name.to_owned(), Value::from(identifier.as_str()));
            }
        }
    }
    remarks.extend(remarkable(found, placed));
    let byte = found.json.map(|(_, byte)| byte);
    mend::mend(&mut properties, &plain, byte, &mut found.tally);
    if properties["trustedNode"]["providerEmail"] == NO_EMAIL {
        remarks.push("no mail address: set `email`".to_owned());
    }
    let mut steps = lineage;
    steps.push(summary(found, placed, options, moment));
    if let Some(members) = properties.as_object_mut() {
        let processing = members.entry("processing").or_insert_with(|| Value::Array(Vec::new()));
        if let Some(processing) = processing.as_array_mut() {
            processing.extend(steps);
        }
    }
    properties["platform"]["dataProcessed"] = Value::Bool(true);
    Ok((crs, properties, remarks))
}

/// The last step: these rules, with what they left out.
fn summary(found: &Gathered<'_>, placed: &Placed, options: &Options, moment: Moment) -> Value {
    let seconds = |ms: i64| json!(ms as f64 / 1000.0);
    let mut parameters = Map::new();
    parameters.insert("timeGapSeconds".to_owned(), seconds(options.time_gap));
    parameters.insert("positionGapSeconds".to_owned(), seconds(options.position_gap));
    let counts = [
        ("counterWraps", found.line.wraps),
        ("counterRestarts", found.line.restarts),
        ("counterStepsBack", found.line.steps_back),
    ];
    for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        parameters.insert(name.to_owned(), Value::from(count));
    }
    if !placed.others.is_empty() {
        let others = placed.others.iter().map(|(name, count)| (name.to_string(), Value::from(*count)));
        parameters.insert("sourcesNotUsed".to_owned(), Value::Object(others.collect()));
    }
    parameters.insert("leftOut".to_owned(), Value::Object(found.tally.lineage()));
    let comment = format!("{} soundings of {} depths.", placed.points.len(), placed.of);
    algorithm("wibl-process corrected", Value::Object(parameters), &comment, moment)
}
