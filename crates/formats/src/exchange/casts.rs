//! Which rows belong to which cast, and where and when it was.

use std::collections::{HashMap, HashSet};

use jiff::civil::{Date, DateTime};

use super::fields::Value;
use super::header::{Header, Kind, text};
use super::reader::{Reader, Row};
use crate::statistics::{Cast, Code, Decimal, Extent, Findings, Parsed, Statistics, parse};

/// Samples of one file beyond which repeated ones are no longer told.
const MOST_SAMPLES: usize = 4_000_000;

/// Fields of the columns that say where a row belongs.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    expocode: Option<usize>,
    station: Option<usize>,
    cast: Option<usize>,
    sample: Option<usize>,
    date: Option<usize>,
    time: Option<usize>,
    latitude: Option<usize>,
    longitude: Option<usize>,
    depth: Option<usize>,
    pressure: Option<usize>,
}

/// The casts of one file so far.
pub(super) struct Casts {
    kind: Kind,
    source: String,
    places: Places,
    casts: Vec<Cast>,
    /// Place in `casts` by expocode, station and cast, each with its length before it.
    known: HashMap<Vec<u8>, usize>,
    current: Option<usize>,
    key: Vec<u8>,
    /// Key of the row before.
    last: Vec<u8>,
    samples: HashSet<Box<[u8]>>,
    latitude: Option<Extent>,
    longitude: Option<Extent>,
    time: Option<(DateTime, DateTime)>,
    /// Date and time of the row before.
    moment: (Vec<u8>, Vec<u8>),
    /// Position of the row before.
    position: (Vec<u8>, Vec<u8>),
}

impl Casts {
    pub(super) fn new(header: &Header, source: &str, findings: &mut Findings) -> Self {
        let field = |name: &str| header.column(name).map(|column| column.field);
        let places = Places {
            expocode: field("EXPOCODE"),
            station: field("STNNBR"),
            cast: field("CASTNO"),
            sample: field("SAMPNO").or_else(|| field("BTLNBR")),
            date: field("DATE"),
            time: field("TIME"),
            latitude: field("LATITUDE"),
            longitude: field("LONGITUDE"),
            depth: field("DEPTH"),
            pressure: field("CTDPRS"),
        };
        let mut casts = Self {
            kind: header.kind,
            source: source.to_owned(),
            places,
            casts: Vec::new(),
            known: HashMap::new(),
            current: None,
            key: Vec::new(),
            last: Vec::new(),
            samples: HashSet::new(),
            latitude: None,
            longitude: None,
            time: None,
            moment: (Vec::new(), Vec::new()),
            position: (Vec::new(), Vec::new()),
        };
        let has = |name: &str| match header.kind {
            Kind::Bottle => header.column(name).is_some(),
            Kind::Ctd => header.get(name).is_some_and(|value| !value.is_empty()),
        };
        let required = ["EXPOCODE", "STNNBR", "CASTNO", "DATE", "LATITUDE", "LONGITUDE"];
        for name in required.into_iter().filter(|name| !has(name)) {
            findings.record(Code::KeyMissing, name, 0);
        }
        if places.pressure.is_none() {
            findings.record(Code::KeyMissing, "CTDPRS", 0);
        }
        match header.kind {
            Kind::Bottle if places.sample.is_none() => findings.record(Code::KeyMissing, "SAMPNO", 0),
            Kind::Bottle => {}
            Kind::Ctd => casts.begin_ctd(header, findings),
        }
        casts
    }

    /// The one cast of a CTD file stands in its header.
    fn begin_ctd(&mut self, header: &Header, findings: &mut Findings) {
        let get = |key: &str| header.get(key).unwrap_or_default().to_owned();
        let cast = Cast {
            expocode: get("EXPOCODE"),
            station: get("STNNBR"),
            cast: get("CASTNO"),
            source: self.source.clone(),
            date: get("DATE"),
            time: get("TIME"),
            latitude: get("LATITUDE"),
            longitude: get("LONGITUDE"),
            depth: get("DEPTH"),
            ..Cast::default()
        };
        if header.get("DATE").is_some() {
            self.see_moment(cast.date.as_bytes(), cast.time.as_bytes(), 0, findings);
        }
        self.see_position(cast.latitude.as_bytes(), cast.longitude.as_bytes(), 0, findings);
        self.casts.push(cast);
        self.current = Some(0);
    }

    /// Takes a row.
    pub(super) fn take(&mut self, row: &Row<'_>, findings: &mut Findings) {
        if self.kind == Kind::Bottle {
            self.find(row, findings);
        }
        let Some(cast) = self.current.and_then(|current| self.casts.get_mut(current)) else { return };
        cast.levels += 1;
        match self.places.pressure.map(|field| row.fields[field].value()) {
            Some(Value::Number(pressure)) => Extent::widen(&mut cast.pressure, pressure.value()),
            Some(Value::Wide(pressure)) => Extent::widen(&mut cast.pressure, pressure),
            Some(Value::Blank | Value::Fill | Value::Text) => findings.record(Code::NoPressure, "", row.line),
            None => {}
        }
    }

    /// The cast of a bottle, which is made when its first bottle is seen.
    fn find(&mut self, row: &Row<'_>, findings: &mut Findings) {
        let places = self.places;
        let get = |field: Option<usize>| field.map_or(&b""[..], |field| row.text(field));
        let parts = [get(places.expocode), get(places.station), get(places.cast)];
        let (date, time) = (get(places.date), get(places.time));
        let (latitude, longitude) = (get(places.latitude), get(places.longitude));
        self.key.clear();
        for part in parts {
            self.key.extend_from_slice(&index(part.len()));
            self.key.extend_from_slice(part);
        }
        // Rows of a cast mostly follow each other.
        let is_same = self.current.filter(|_| self.key == self.last);
        let current = match is_same.or_else(|| self.known.get(&self.key).copied()) {
            Some(current) => current,
            None => {
                self.casts.push(Cast {
                    expocode: text(parts[0]),
                    station: text(parts[1]),
                    cast: text(parts[2]),
                    source: self.source.clone(),
                    date: text(date),
                    time: text(time),
                    latitude: text(latitude),
                    longitude: text(longitude),
                    depth: text(get(places.depth)),
                    ..Cast::default()
                });
                self.known.insert(self.key.clone(), self.casts.len() - 1);
                self.casts.len() - 1
            }
        };
        self.current = Some(current);
        self.last.clone_from(&self.key);
        let cast = &self.casts[current];
        let differs = |ours: &str, theirs: &[u8]| ours.as_bytes() != theirs && !is_same_number(ours.as_bytes(), theirs);
        for (name, ours, theirs) in [
            ("DATE", &cast.date, date),
            ("TIME", &cast.time, time),
            ("LATITUDE", &cast.latitude, latitude),
            ("LONGITUDE", &cast.longitude, longitude),
        ] {
            if differs(ours, theirs) {
                findings.record(Code::CoordinateVaries, name, row.line);
            }
        }
        if places.date.is_some() && (self.moment.0 != date || self.moment.1 != time) {
            self.see_moment(date, time, row.line, findings);
        }
        if self.position.0 != latitude || self.position.1 != longitude {
            self.see_position(latitude, longitude, row.line, findings);
        }
        if places.sample.is_some() && self.samples.len() < MOST_SAMPLES {
            let mut sample = std::mem::take(&mut self.key);
            sample.extend_from_slice(get(places.sample));
            if !self.samples.insert(sample.as_slice().into()) {
                findings.record(Code::RepeatedSample, "", row.line);
            }
            self.key = sample;
        }
    }

    fn see_moment(&mut self, date: &[u8], time: &[u8], line: u64, findings: &mut Findings) {
        self.moment = (date.to_vec(), time.to_vec());
        match moment(date, time, line, findings) {
            Some(moment) => {
                let (first, last) = self.time.unwrap_or((moment, moment));
                self.time = Some((first.min(moment), last.max(moment)));
            }
            None => findings.record(Code::BadTime, "", line),
        }
    }

    fn see_position(&mut self, latitude: &[u8], longitude: &[u8], line: u64, findings: &mut Findings) {
        self.position = (latitude.to_vec(), longitude.to_vec());
        for (text, limits, extent, name) in [
            (latitude, -90.0..=90.0, &mut self.latitude, "LATITUDE"),
            (longitude, -180.0..=360.0, &mut self.longitude, "LONGITUDE"),
        ] {
            match number(text).map(Decimal::value).filter(|degrees| limits.contains(degrees)) {
                Some(degrees) => Extent::widen(extent, degrees),
                None => findings.record(Code::BadPosition, name, line),
            }
        }
    }

    /// Place of the cast that the last row belongs to.
    pub(super) fn current(&self) -> Option<usize> {
        self.current
    }

    /// The casts.
    pub(super) fn into_casts(self) -> Vec<Cast> {
        self.casts
    }

    /// Puts them into the statistics.
    pub(super) fn finish(self, statistics: &mut Statistics) {
        for cast in &self.casts {
            if !cast.expocode.is_empty() {
                statistics.expocodes.insert(cast.expocode.clone());
            }
            statistics.stations.insert((cast.expocode.clone(), cast.station.clone()));
        }
        (statistics.latitude, statistics.longitude) = (self.latitude, self.longitude);
        if let Some((first, last)) = self.time {
            let text = |moment: DateTime| moment.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            statistics.time = Some((text(first), text(last)));
        }
        for extent in self.casts.iter().filter_map(|cast| cast.pressure) {
            Extent::widen(&mut statistics.pressure, extent.min);
            Extent::widen(&mut statistics.pressure, extent.max);
        }
        statistics.casts = self.casts;
    }
}

fn index(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// The plain number that a text is; fill values are none.
fn number(text: &[u8]) -> Option<Decimal> {
    let text = text.trim_ascii();
    match parse(text)? {
        Parsed::Plain(number) | Parsed::Odd(number) if !text.starts_with(b"-999") => Some(number),
        _ => None,
    }
}

/// `60.252` and `60.2520`, `0930` and `930` are the same.
fn is_same_number(one: &[u8], other: &[u8]) -> bool {
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one.value().to_bits() == other.value().to_bits(),
        _ => false,
    }
}

/// The moment that a date `YYYYMMDD` and a time `HHMM` name, zeros at the front of the time left out or not.
pub(super) fn moment(date: &[u8], time: &[u8], line: u64, findings: &mut Findings) -> Option<DateTime> {
    let whole = |text: &[u8], findings: &mut Findings| {
        let number = number(text)?;
        if number.decimals > 0 {
            findings.record(Code::NotWhole, "", line);
        }
        number.whole().and_then(|whole| i32::try_from(whole).ok())
    };
    let day = whole(date, findings)?;
    let part = |number: i32| i8::try_from(number).ok();
    let date = Date::new(i16::try_from(day / 10_000).ok()?, part(day / 100 % 100)?, part(day % 100)?).ok()?;
    let has_no_time = time.is_empty() || time.starts_with(b"-999");
    if has_no_time {
        findings.record(Code::NoTime, "", line);
        return Some(date.at(0, 0, 0, 0));
    }
    let clock = match whole(&without_colon(time), findings)? {
        2400 => {
            findings.record(Code::EndOfDay, "", line);
            return Some(date.tomorrow().ok()?.at(0, 0, 0, 0));
        }
        clock if (0..2400).contains(&clock) && clock % 100 < 60 => clock,
        _ => return None,
    };
    Some(date.at(part(clock / 100)?, part(clock % 100)?, 0, 0))
}

/// Some write `18:13`.
fn without_colon(time: &[u8]) -> Vec<u8> {
    match time {
        [hours @ .., b':', tens, ones] => [hours, &[*tens, *ones]].concat(),
        _ => time.to_vec(),
    }
}

/// The casts of a file that is read for something else than statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// Degrees north; `None` if it is missing or no latitude.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// UTC.
    pub time: Option<DateTime>,
}

/// Where and when a cast was, by its texts.
pub fn position(cast: &Cast) -> Position {
    let degrees = |text: &str, limit: f64| {
        let degrees = number(text.as_bytes()).map(Decimal::value);
        degrees.filter(|degrees| (-limit.min(180.0)..=limit).contains(degrees))
    };
    Position {
        latitude: degrees(&cast.latitude, 90.0),
        longitude: degrees(&cast.longitude, 360.0),
        time: moment(cast.date.as_bytes(), cast.time.as_bytes(), 0, &mut Findings::default()),
    }
}

impl<R: std::io::Read> Reader<R> {
    /// Begins to tell the casts of this file.
    pub(super) fn casts(&mut self, source: &str) -> Casts {
        let mut findings = std::mem::take(&mut self.findings);
        let casts = Casts::new(self.header(), source, &mut findings);
        self.findings = findings;
        casts
    }
}
