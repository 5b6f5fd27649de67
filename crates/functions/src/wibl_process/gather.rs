//! One walk through a file's packets, by the corrected rules: whatever tells a time, a position or a depth, by its source,
//! on the logger's time line. What cannot be one is left out here, with its byte (table of defects of the reference: jitter
//! and wraps, no-fix positions, values that are not available or no numbers, packets and sentences that stop it).

use tidegate_formats::nmea0183::{self, Fault, Sentence};
use tidegate_formats::wibl::{
    Fix as GnssFix, Log, NEWEST, NOT_AVAILABLE, NOT_AVAILABLE_DATE, Packet, Record, Recorder,
};
use tidegate_ocean::sounding::clock::Reference;
use tidegate_ocean::sounding::elapsed::{Line, Survey};
use tidegate_ocean::sounding::source::{Name, Sources};
use tidegate_ocean::sounding::track::Fix;
use tidegate_ocean::sounding::{is_depth, is_position};

use super::document;
use super::tally::{Tally, What};
use super::{Moment, Options};

/// What could tell the time, for failures.
pub(super) const TIMES: &str = "SystemTime or GNSS packets, or ZDA or RMC sentences, with a date";
/// What could tell the position.
pub(super) const POSITIONS: &str = "GNSS packets, or GGA or GLL sentences, with a fix";
/// What could tell the depth.
pub(super) const DEPTHS: &str = "Depth packets, or DBT or DPT sentences";

/// A counter that the logger did not have.
const NO_COUNTER: u32 = u32::MAX;

/// 2000-01-01: receivers that know no date say one before it.
const EARLIEST: f64 = 946_684_800.0;

const DAY: f64 = 86_400.0;

/// A measured depth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Depth {
    /// Place on the line, ms.
    pub(super) at: i64,
    /// Metres.
    pub(super) depth: f64,
    /// Byte of the file.
    pub(super) byte: u64,
}

/// Packets of NMEA 2000 of one type, and those of them without data.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) all: u64,
    pub(super) without_data: u64,
}

/// All that a file tells.
pub(super) struct Gathered<'a> {
    pub(super) recorder: Recorder,
    pub(super) tally: Tally,
    pub(super) line: Line,
    /// No packet has a counter: places are numbers of packets.
    pub(super) is_unstamped: bool,
    pub(super) packets: u64,
    pub(super) version: Option<String>,
    pub(super) is_newer: bool,
    pub(super) metadata: Option<(&'a [u8], &'a [u8])>,
    pub(super) setup: Option<&'a [u8]>,
    pub(super) json: Option<(&'a [u8], u64)>,
    /// Name, parameters, byte; each once.
    pub(super) requests: Vec<(String, String, u64)>,
    pub(super) times: Sources<Reference>,
    pub(super) fixes: Sources<Fix>,
    pub(super) depths: Sources<Depth>,
    pub(super) gnss: Seen,
    pub(super) system_time: Seen,
    pub(super) depth: Seen,
}

struct Gatherer<'a, 'o> {
    options: &'o Options,
    latest: f64,
    found: Gathered<'a>,
}

/// Walks through the file twice: once to know its counter, once to gather.
pub(super) fn gather<'a>(bytes: &'a [u8], options: &Options, moment: Moment) -> Gathered<'a> {
    let mut survey = Survey::default();
    let recorder = Recorder::of(bytes);
    let mut reader = Log::new(bytes, recorder);
    reader
        .by_ref()
        .filter_map(|record| record.packet.elapsed())
        .filter(|elapsed| *elapsed != NO_COUNTER)
        .for_each(|elapsed| survey.look(elapsed));
    let unit = if survey.is_unstamped() { 1 } else { 1_000 };
    let found = Gathered {
        recorder,
        tally: Tally::of(reader.account()),
        line: Line::new(survey.counter()),
        is_unstamped: survey.is_unstamped(),
        packets: reader.account().packets,
        version: None,
        is_newer: false,
        metadata: None,
        setup: None,
        json: None,
        requests: Vec::new(),
        times: Sources::new(unit),
        fixes: Sources::new(unit),
        depths: Sources::new(unit),
        gnss: Seen::default(),
        system_time: Seen::default(),
        depth: Seen::default(),
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let latest = moment.arrived.as_second() as f64 + DAY;
    let mut gatherer = Gatherer { options, latest, found };
    for (number, record) in (0..).zip(Log::new(bytes, recorder)) {
        match record.packet.elapsed() {
            None => gatherer.about(&record),
            Some(NO_COUNTER) => gatherer.found.tally.add(What::Unstamped, record.offset as u64),
            Some(elapsed) => {
                let at = if gatherer.found.is_unstamped { number } else { gatherer.found.line.put(elapsed) };
                gatherer.take(&record, at);
            }
        }
    }
    gatherer.found
}

fn n2k(message: &'static str, sender: Option<u8>) -> Name {
    Name { message, talker: None, address: sender }
}

impl<'a> Gatherer<'a, '_> {
    /// Packets about the file as a whole.
    fn about(&mut self, record: &Record<'a>) {
        let byte = record.offset as u64;
        let found = &mut self.found;
        match record.packet {
            Packet::Version { major, minor, n2k, n0183, .. } => {
                found.version = Some(document::version(major, minor, n2k, n0183));
                found.is_newer |= u32::from(major) * 1000 + u32::from(minor) > NEWEST;
            }
            Packet::Metadata { first, second } => found.metadata = Some((first, second)),
            Packet::Setup(text) => found.setup = Some(text),
            Packet::JsonMetadata(text) => found.json = Some((text, byte)),
            Packet::AlgorithmRequest { name, parameters } => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let (name, parameters) = (text(name), text(parameters));
                if !found.requests.iter().any(|known| known.0 == name && known.1 == parameters) {
                    found.requests.push((name, parameters, byte));
                }
            }
            _ => {}
        }
    }

    fn take(&mut self, record: &Record<'a>, at: i64) {
        let byte = record.offset as u64;
        let name = match record.packet {
            Packet::SystemTime { .. } => n2k("SystemTime", record.sender),
            Packet::Gnss { .. } => n2k("GNSS", record.sender),
            Packet::Depth { .. } => n2k("Depth", record.sender),
            Packet::Sentence { text, .. } => return self.sentence(text, at, byte),
            _ => return,
        };
        if name.address.is_some() && is_among(&self.options.bad_talkers, "", name.message, name.address) {
            return;
        }
        match record.packet {
            Packet::SystemTime { stamp, .. } => {
                self.found.system_time.all += 1;
                if !self.time(name, at, of_bus(stamp.date, stamp.time), byte) {
                    self.found.system_time.without_data += 1;
                }
            }
            Packet::Gnss { fix, .. } => self.gnss(name, &fix, at, byte),
            Packet::Depth { depth, .. } => {
                self.found.depth.all += 1;
                if !self.depth(name, at, depth, byte) {
                    self.found.depth.without_data += 1;
                }
            }
            _ => {}
        }
    }

    fn gnss(&mut self, name: Name, fix: &GnssFix, at: i64, byte: u64) {
        self.found.gnss.all += 1;
        let is_there = fix.latitude > NOT_AVAILABLE && fix.longitude > NOT_AVAILABLE;
        let is_nowhere = fix.latitude == 0.0 && fix.longitude == 0.0;
        if fix.method == 0 || !is_there || is_nowhere {
            // Without a fix a receiver's time is that of its battery.
            self.found.gnss.without_data += 1;
            self.found.tally.add(What::NoFix, byte);
        } else if is_position(fix.latitude, fix.longitude) {
            self.fix(name, at, fix.latitude, fix.longitude);
            self.time(name, at, of_bus(fix.date, fix.time), byte);
        } else {
            self.found.tally.add(What::Position, byte);
        }
    }

    fn sentence(&mut self, text: &[u8], at: i64, byte: u64) {
        let sentence = match Sentence::parse(text) {
            Ok(sentence) => sentence,
            // AIS and makers' own sentences are no faults.
            Err(Fault::Proprietary) => return,
            Err(_) if text.trim_ascii_start().starts_with(b"!") => return,
            Err(_) => {
                self.found.tally.add(What::Sentence, byte);
                return;
            }
        };
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        if is_among(&self.options.bad_talkers, text(&sentence.talker), text(&sentence.id), None) {
            return;
        }
        let name = |message| Name { message, talker: Some(sentence.talker), address: None };
        let f = sentence.fields::<9>();
        match &sentence.id {
            b"ZDA" => {
                let is_told = f[..4].iter().all(|field| !field.is_empty());
                let time = || nmea0183::date(f[1], f[2], f[3]).ok().and_then(|day| seconds(day, f[0]));
                self.time(name("ZDA"), at, is_told.then(|| time().unwrap_or(f64::NAN)), byte);
            }
            b"RMC" => {
                let is_told = f[1] != "V" && !f[0].is_empty() && !f[8].is_empty();
                let time = || nmea0183::short_date(f[8]).and_then(|day| seconds(day, f[0]));
                self.time(name("RMC"), at, is_told.then(|| time().unwrap_or(f64::NAN)), byte);
            }
            b"GGA" => {
                let has_fix = !matches!(f[5], "" | "0");
                self.place(name("GGA"), at, has_fix.then(|| [f[1], f[2], f[3], f[4]]), byte);
            }
            b"GLL" => {
                let has_fix = f[5] != "V" && f[6].trim_end() != "N";
                self.place(name("GLL"), at, has_fix.then(|| [f[0], f[1], f[2], f[3]]), byte);
            }
            b"DBT" => {
                self.depth(name("DBT"), at, number(f[2]), byte);
            }
            b"DPT" => {
                self.depth(name("DPT"), at, number(f[0]), byte);
            }
            _ => {}
        }
    }

    /// Place of a source in the order of preference; `None` if another message is wanted. Preferred devices come first, in
    /// the order in which they are named.
    fn rank(&self, order: &[(&str, &str)], name: Name, wanted: Option<&str>) -> Option<usize> {
        let message = order.iter().position(|(message, _)| *message == name.message)?;
        if wanted.is_some_and(|wanted| wanted != order[message].1) {
            return None;
        }
        let talker = name.talker.as_ref().and_then(|talker| std::str::from_utf8(talker).ok()).unwrap_or_default();
        let preferred = &self.options.preferred_talkers;
        let is_meant = |entry: &String| is_among(std::slice::from_ref(entry), talker, name.message, name.address);
        let device = preferred.iter().position(is_meant).unwrap_or(preferred.len());
        Some(device * order.len() + message)
    }

    /// True if it is a time; none is told where there is `None`.
    fn time(&mut self, name: Name, at: i64, time: Option<f64>, byte: u64) -> bool {
        let Some(told) = time else {
            self.found.tally.add(What::NoTime, byte);
            return false;
        };
        let Some(time) = Some(told).filter(|time| (EARLIEST..=self.latest).contains(time)) else {
            self.found.tally.add(What::Time, byte);
            return false;
        };
        const ORDER: [(&str, &str); 4] =
            [("SystemTime", "system-time"), ("GNSS", "gnss"), ("ZDA", "zda"), ("RMC", "rmc")];
        if let Some(rank) = self.rank(&ORDER, name, self.options.time_source.as_deref()) {
            self.found.times.push(name, rank, at, Reference { at, time });
        }
        true
    }

    fn place(&mut self, name: Name, at: i64, fields: Option<[&str; 4]>, byte: u64) {
        let Some(fields) = fields.filter(|fields| fields.iter().any(|field| !field.is_empty())) else {
            self.found.tally.add(What::NoFix, byte);
            return;
        };
        let position = Some(fields).and_then(|[latitude, north, longitude, east]| {
            let latitude = signed(nmea0183::degrees(latitude)?, north, "N", "S")?;
            let longitude = signed(nmea0183::degrees(longitude)?, east.trim_end(), "E", "W")?;
            is_position(latitude, longitude).then_some((latitude, longitude))
        });
        match position {
            Some((latitude, longitude)) => self.fix(name, at, latitude, longitude),
            None => self.found.tally.add(What::Position, byte),
        }
    }

    fn fix(&mut self, name: Name, at: i64, latitude: f64, longitude: f64) {
        const ORDER: [(&str, &str); 3] = [("GNSS", "gnss"), ("GGA", "gga"), ("GLL", "gll")];
        if let Some(rank) = self.rank(&ORDER, name, self.options.position_source.as_deref()) {
            self.found.fixes.push(name, rank, at, Fix { at, latitude, longitude });
        }
    }

    /// True if it is a depth.
    fn depth(&mut self, name: Name, at: i64, depth: f64, byte: u64) -> bool {
        if !is_depth(depth) {
            let is_none = depth == 0.0 || depth == NOT_AVAILABLE;
            self.found.tally.add(if is_none { What::NoDepth } else { What::Depth }, byte);
            return false;
        }
        const ORDER: [(&str, &str); 3] = [("Depth", "depth"), ("DBT", "dbt"), ("DPT", "dpt")];
        if let Some(rank) = self.rank(&ORDER, name, self.options.depth_source.as_deref()) {
            self.found.depths.push(name, rank, at, Depth { at, depth, byte });
        }
        true
    }
}

/// Whether one of these means the sender: a talker (`II`), a sentence (`DPT`), both (`IIDPT`), an address (`35`), or an address
/// and its message (`35/GNSS`).
pub(super) fn is_among(entries: &[String], talker: &str, message: &str, address: Option<u8>) -> bool {
    let is_address = |text: &str, address: u8| text.parse::<u8>().is_ok_and(|number| number == address);
    let is_meant = |entry: &String| match (entry.split_once('/'), address) {
        (Some((number, of)), Some(address)) => is_address(number, address) && of.eq_ignore_ascii_case(message),
        (None, Some(address)) => is_address(entry, address),
        (Some(_), None) => false,
        (None, None) => match entry.len() {
            2 => entry == talker,
            3 => entry == message,
            _ => entry.strip_prefix(talker).is_some_and(|rest| rest == message),
        },
    };
    entries.iter().any(is_meant)
}

fn seconds(day: i64, time: &str) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "exact before the year 2255")]
    nmea0183::time_of_day(time).map(|micros| (day * 86_400_000_000 + micros) as f64 / 1e6)
}

/// Date and time as NMEA 2000 has them; `None` where it has none. What is no time of a day is NaN.
fn of_bus(date: u16, time: f64) -> Option<f64> {
    if date == NOT_AVAILABLE_DATE || time == NOT_AVAILABLE {
        return None;
    }
    let is_time = (0.0..=DAY + 1.0).contains(&time);
    Some(if is_time { f64::from(date) * DAY + time } else { f64::NAN })
}

/// A sounder that has lost the bottom says nothing, or 0; a word is no number, and no depth either.
fn number(text: &str) -> f64 {
    match text.trim() {
        "" => NOT_AVAILABLE,
        text => text.parse().unwrap_or(f64::NAN),
    }
}

fn signed(degrees: f64, hemisphere: &str, positive: &str, negative: &str) -> Option<f64> {
    match hemisphere {
        hemisphere if hemisphere == positive => Some(degrees),
        hemisphere if hemisphere == negative => Some(-degrees),
        _ => None,
    }
}
