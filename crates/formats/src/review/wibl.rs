//! A file of a WIBL logger: its packets, what they measured, where and when.

use std::collections::BTreeMap;
use std::io::Read;

use jiff::Timestamp;

use crate::nmea0183::{self, Sentence};
use crate::statistics::{Code, Extent, Parameter, Statistics};
use crate::wibl::{self, Account, Framing, NOT_AVAILABLE, NOT_AVAILABLE_DATE, Packet, Reader, name};
use crate::{Error, Problem};

/// Largest file that is read; loggers begin another one after 10 MB.
const LARGEST: u64 = 1 << 30;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// What a file comes to: observations are depths, as its packets and sentences tell them.
pub(super) fn statistics(input: impl Read) -> Result<Statistics, Error> {
    let mut bytes = Vec::new();
    input.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        let message = format!("the logger's file has more than {LARGEST} bytes");
        return Err(
            Error::new(Problem::TooLarge, message).help("is it one file? loggers begin another one long before")
        );
    }
    let mut seen = Seen::default();
    let mut reader = Reader::new(&bytes, Framing::Resync);
    for record in reader.by_ref() {
        seen.take(&record.packet);
    }
    let account = reader.into_account();
    if account.packets == 0 {
        return Err(Error::new(Problem::Malformed, "the content holds no packet of a WIBL logger")
            .at_byte(0)
            .expected("packets of `u32 id, u32 length, payload`, as loggers write them"));
    }
    Ok(seen.finish(&account))
}

/// What was measured so far.
struct Seen {
    found: Statistics,
    /// How often each sort of packet stands.
    packets: BTreeMap<&'static str, u64>,
    depth: Parameter,
    latitude: Parameter,
    longitude: Parameter,
    time: Option<(f64, f64)>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            found: Statistics { kind: "wibl".to_owned(), members: 1, ..Statistics::default() },
            packets: <_>::default(),
            depth: Parameter::new("depth", "m"),
            latitude: Parameter::new("latitude", "degrees_north"),
            longitude: Parameter::new("longitude", "degrees_east"),
            time: None,
        }
    }
}

impl Seen {
    fn take(&mut self, packet: &Packet<'_>) {
        *self.packets.entry(name(packet.id())).or_default() += 1;
        match packet {
            Packet::Version { major, minor, .. } => {
                self.found.titles.insert(format!("WIBL {major}.{minor}"), 1);
                if u32::from(*major) * 1000 + u32::from(*minor) > wibl::NEWEST {
                    self.found.findings.record(Code::NewerVersion, "", 0);
                }
            }
            Packet::SystemTime { stamp, .. } => self.moment(stamp.date, stamp.time),
            Packet::Depth { depth, .. } => self.depth(Some(*depth)),
            Packet::Gnss { fix, .. } => {
                let has_fix = fix.method != 0;
                if has_fix {
                    self.moment(fix.date, fix.time);
                }
                self.position(Some((fix.latitude, fix.longitude)).filter(|_| has_fix));
            }
            Packet::Sentence { text, .. } => self.sentence(text),
            _ => {}
        }
    }

    fn sentence(&mut self, text: &[u8]) {
        let Ok(sentence) = Sentence::parse(text) else { return };
        let fields = sentence.fields::<9>();
        let number = |text: &str| text.trim().parse::<f64>().ok();
        match &sentence.id {
            b"DBT" => self.depth(number(fields[2])),
            b"DPT" => self.depth(number(fields[0])),
            b"GGA" => {
                let has_fix = !matches!(fields[5], "" | "0");
                let position = place([fields[1], fields[2], fields[3], fields[4]]);
                self.position(position.filter(|_| has_fix));
            }
            b"GLL" => self.position(place([fields[0], fields[1], fields[2], fields[3]]).filter(|_| fields[5] != "V")),
            b"ZDA" => {
                let day = nmea0183::date(fields[1], fields[2], fields[3]).ok();
                self.second(day, fields[0]);
            }
            b"RMC" if fields[1] != "V" => self.second(nmea0183::short_date(fields[8]), fields[0]),
            _ => {}
        }
    }

    fn depth(&mut self, depth: Option<f64>) {
        self.depth.count += 1;
        match depth.filter(|depth| depth.is_finite() && *depth > 0.0) {
            Some(depth) => self.depth.moments.push_double(depth),
            None => self.depth.missing += 1,
        }
    }

    fn position(&mut self, position: Option<(f64, f64)>) {
        let is_nowhere = |(latitude, longitude): (f64, f64)| latitude == 0.0 && longitude == 0.0;
        self.latitude.count += 1;
        self.longitude.count += 1;
        match position.filter(|position| !is_nowhere(*position)) {
            Some((latitude, longitude)) if latitude.abs() <= 90.0 && longitude.abs() <= 180.0 => {
                self.latitude.moments.push_double(latitude);
                self.longitude.moments.push_double(longitude);
            }
            Some(_) => self.found.findings.record(Code::BadPosition, "", 0),
            None => {
                self.latitude.missing += 1;
                self.longitude.missing += 1;
            }
        }
    }

    fn moment(&mut self, date: u16, time: f64) {
        if date != NOT_AVAILABLE_DATE && time != NOT_AVAILABLE && (0.0..=DAY + 1.0).contains(&time) {
            self.see(f64::from(date) * DAY + time);
        }
    }

    fn second(&mut self, day: Option<i64>, time: &str) {
        #[expect(clippy::cast_precision_loss, reason = "exact before the year 2255")]
        if let (Some(day), Some(micros)) = (day, nmea0183::time_of_day(time)) {
            self.see(day as f64 * DAY + micros as f64 / 1e6);
        }
    }

    fn see(&mut self, time: f64) {
        let (first, last) = self.time.unwrap_or((time, time));
        self.time = Some((first.min(time), last.max(time)));
    }

    fn finish(self, account: &Account) -> Statistics {
        let mut found = self.found;
        found.observations = self.depth.moments.count();
        let extent =
            |parameter: &Parameter| Some(Extent { min: parameter.moments.min()?, max: parameter.moments.max()? });
        (found.latitude, found.longitude) = (extent(&self.latitude), extent(&self.longitude));
        let text = |time: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970")]
            let at = Timestamp::from_second(time.floor() as i64).ok()?;
            Some(at.strftime("%Y-%m-%dT%H:%M:%S").to_string())
        };
        found.time = self.time.and_then(|(first, last)| Some((text(first)?, text(last)?)));
        for (code, count) in &account.counts {
            found.findings.record_many(Code::Damaged, code.summary(), 0, *count);
        }
        if found.observations == 0 {
            found.findings.record(Code::NoData, "", 0);
        }
        let mut parameters = vec![self.depth, self.latitude, self.longitude];
        for (name, count) in self.packets {
            let mut packets = Parameter::new(format!("packets {name}"), "");
            packets.count = count;
            parameters.push(packets);
        }
        found.parameters = parameters;
        found
    }
}

/// Degrees north and east.
fn place([latitude, north, longitude, east]: [&str; 4]) -> Option<(f64, f64)> {
    let signed = |degrees: f64, hemisphere: &str, positive: &str, negative: &str| match hemisphere.trim_end() {
        hemisphere if hemisphere == positive => Some(degrees),
        hemisphere if hemisphere == negative => Some(-degrees),
        _ => None,
    };
    let latitude = signed(nmea0183::degrees(latitude)?, north, "N", "S")?;
    Some((latitude, signed(nmea0183::degrees(longitude)?, east, "E", "W")?))
}
