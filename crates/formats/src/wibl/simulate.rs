//! Voyages that never were: files as a logger writes them, of any length, with whatever goes wrong on boats. For
//! demonstrations, tests and benches; the same voyage gives the same bytes every time.
//!
//! ```
//! use tidegate_formats::wibl::{Framing, Reader, Voyage};
//!
//! let mut file = Vec::new();
//! let written = Voyage { seconds: 60, ..Voyage::default() }.write(&mut file).expect("memory takes all");
//! assert_eq!((written.bytes, written.soundings), (file.len() as u64, 40));
//! assert_eq!(Reader::new(&file, Framing::Resync).count() as u64, written.packets);
//! ```

use std::io::{self, Write};

use super::{Fix, NOT_AVAILABLE, Packet, Stamp};
use crate::nmea0183;

/// What the boat's devices talk over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// SystemTime, GNSS and Depth packets, and a compass that still talks NMEA 0183.
    Nmea2000,
    /// ZDA, GGA and DBT sentences.
    Nmea0183,
    /// All of them.
    Both,
}

/// A part of a voyage, in seconds since its begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Where it begins.
    pub from: u32,
    /// How long it is.
    pub seconds: u32,
}

impl Stretch {
    fn has(self, second: u32) -> bool {
        second.checked_sub(self.from).is_some_and(|within| within < self.seconds)
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// Sentences are stamped up to so many milliseconds before packets that are written earlier.
    pub jitter: u32,
    /// The logger is without power.
    pub gaps: Vec<Stretch>,
    /// The receiver has no fix.
    pub no_fix: Vec<Stretch>,
    /// There is no receiver at all: nothing tells time or place.
    pub is_without_receiver: bool,
    /// Of a thousand soundings, how many find no bottom.
    pub lost_bottom: u32,
    /// Of a thousand sentences, how many a loose wire spoils.
    pub spoiled: u32,
    /// Stretches of bytes that a bad card spoils, each about as long as a second's packets.
    pub damaged: u32,
    /// Packets of a type that nobody knows.
    pub unknown: u32,
    /// The file ends within a packet.
    pub is_cut: bool,
}

/// A voyage.
#[derive(Debug, Clone, PartialEq)]
pub struct Voyage {
    /// What chance comes from.
    pub seed: u64,
    /// How long it is.
    pub seconds: u32,
    /// When it begins, in seconds since 1970-01-01 UTC.
    pub begin: u32,
    /// Where it begins: degrees north and east.
    pub from: (f64, f64),
    /// First text of the metadata: the logger's identifier.
    pub vessel: String,
    /// Second text of the metadata: the ship's name.
    pub name: String,
    /// What its devices talk over.
    pub bus: Bus,
    /// What the logger's counter shows at the begin, in milliseconds; near 2^32 it wraps on the way.
    pub counter: u32,
    /// Algorithms that the file requests, with their parameters.
    pub requests: Vec<(String, String)>,
    /// What goes wrong.
    pub faults: Faults,
}

impl Default for Voyage {
    /// An hour off Whitby on 2024-05-11, with both buses and without a fault.
    fn default() -> Self {
        Self {
            seed: 0,
            seconds: 3600,
            begin: 1_715_421_600,
            from: (54.49, -0.61),
            vessel: "EXAMPLE-e8c469f8-df38-41e5-b86d-9a79f06e9478".to_owned(),
            name: "Rose of Whitby".to_owned(),
            bus: Bus::Both,
            counter: 5_000,
            requests: Vec::new(),
            faults: Faults::default(),
        }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes.
    pub bytes: u64,
    /// Packets, those that were spoiled later included.
    pub packets: u64,
    /// Moments at which a depth was measured.
    pub soundings: u64,
}

/// Bytes of a spoiled stretch are this, as of flash memory that was erased.
const ERASED: u8 = 0xff;

/// The id of packets that nobody knows.
const UNKNOWN: u32 = 23;

const DAY: u32 = 86_400;

impl Voyage {
    /// Writes the file, a second at a time: memory does not grow with the voyage.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn write(&self, mut output: impl Write) -> io::Result<Written> {
        let mut logger = Logger {
            voyage: self,
            chance: Chance(self.seed),
            buffer: Vec::with_capacity(2_048),
            place: self.from,
            packets: 0,
            soundings: 0,
        };
        logger.begin();
        let mut bytes = logger.buffer.len() as u64;
        output.write_all(&logger.buffer)?;
        for second in 0..self.seconds {
            logger.buffer.clear();
            logger.sail(second);
            if !self.faults.gaps.iter().any(|gap| gap.has(second)) {
                logger.second(second);
            }
            if self.falls_on(self.faults.unknown, second + 2, 3) {
                logger.unknown();
            }
            if self.falls_on(self.faults.damaged, second, 2) {
                logger.buffer.fill(ERASED);
            }
            if self.faults.is_cut && second + 1 == self.seconds {
                logger.buffer.truncate(logger.buffer.len().saturating_sub(20));
            }
            bytes += logger.buffer.len() as u64;
            output.write_all(&logger.buffer)?;
        }
        output.flush()?;
        Ok(Written { bytes, packets: logger.packets, soundings: logger.soundings })
    }

    /// True for so many seconds, evenly over the voyage, the first a `part` of the distance between them after the begin.
    fn falls_on(&self, times: u32, second: u32, part: u64) -> bool {
        let (times, length) = (u64::from(times), u64::from(self.seconds));
        (0..times.min(length)).any(|time| u64::from(second) == (time * part + 1) * length / (times * part))
    }
}

/// A voyage on its way.
struct Logger<'v> {
    voyage: &'v Voyage,
    chance: Chance,
    /// What the second has brought so far.
    buffer: Vec<u8>,
    place: (f64, f64),
    packets: u64,
    soundings: u64,
}

impl Logger<'_> {
    fn put(&mut self, packet: &Packet<'_>) {
        packet.write(&mut self.buffer);
        self.packets += 1;
    }

    fn begin(&mut self) {
        let voyage = self.voyage;
        self.put(&Packet::CURRENT_VERSION);
        self.put(&Packet::Metadata { first: voyage.vessel.as_bytes(), second: voyage.name.as_bytes() });
        for (name, parameters) in &voyage.requests {
            self.put(&Packet::AlgorithmRequest { name: name.as_bytes(), parameters: parameters.as_bytes() });
        }
    }

    /// A second at some five knots, on a course that wanders.
    fn sail(&mut self, second: u32) {
        let course = 0.6 + 0.9 * (f64::from(second) / 700.0).sin() + 0.2 * (f64::from(second) / 61.0).cos();
        let step = 2.5 / 111_120.0;
        let (latitude, longitude) = self.place;
        let latitude = (latitude + step * course.cos()).clamp(-85.0, 85.0);
        let longitude = longitude + step * course.sin() / latitude.to_radians().cos();
        self.place = (latitude, (longitude + 180.0).rem_euclid(360.0) - 180.0);
    }

    fn second(&mut self, second: u32) {
        let at = self.voyage.counter.wrapping_add(second.wrapping_mul(1_000));
        let now = u64::from(self.voyage.begin) + u64::from(second);
        let has = |bus: Bus| matches!(self.voyage.bus, Bus::Both) || self.voyage.bus == bus;
        let (has_n2k, has_n0183) = (has(Bus::Nmea2000), has(Bus::Nmea0183));
        if !self.voyage.faults.is_without_receiver {
            let has_fix = !self.voyage.faults.no_fix.iter().any(|stretch| stretch.has(second));
            let place = has_fix.then_some(self.place);
            if has_n2k {
                self.receiver_n2k(at, now, place);
            }
            if has_n0183 {
                self.receiver_n0183(at, now, place);
            }
        }
        // Sounders have their own rhythm: two soundings in three seconds.
        if second % 3 != 2 {
            self.soundings += 1;
            let at = at.wrapping_add(437 + second % 101);
            let depth = self.depth(second);
            if has_n2k {
                let stamp = self.stamp(at, now);
                let depth = depth.unwrap_or(NOT_AVAILABLE);
                self.put(&Packet::Depth { stamp, depth, offset: 0.0, range: 200.0 });
            }
            if has_n0183 {
                let text = depth.map_or_else(
                    || "SDDBT,,f,,M,,F".to_owned(),
                    |depth| format!("SDDBT,{:.2},f,{depth:.2},M,{:.2},F", depth * 3.2808, depth * 0.5468),
                );
                self.sentence(at, &text);
            }
        }
        if self.voyage.bus == Bus::Nmea2000 {
            self.sentence(at.wrapping_add(540), "HCHDG,101.1,,,7.1,W");
        }
    }

    fn stamp(&self, elapsed: u32, now: u64) -> Stamp {
        let date = u16::try_from(now / u64::from(DAY)).unwrap_or(u16::MAX);
        Stamp { date, time: of_day(now), elapsed }
    }

    fn receiver_n2k(&mut self, at: u32, now: u64, place: Option<(f64, f64)>) {
        let stamp = self.stamp(at, now);
        self.put(&Packet::SystemTime { stamp, source: 0 });
        let (latitude, longitude) = place.unwrap_or((NOT_AVAILABLE, NOT_AVAILABLE));
        let fix = Fix {
            date: stamp.date,
            time: stamp.time,
            latitude,
            longitude,
            altitude: 2.5,
            receiver: 0,
            method: u8::from(place.is_some()),
            satellites: if place.is_some() { 9 } else { 0 },
            hdop: 0.9,
            pdop: 1.6,
            separation: 46.2,
            stations: 0,
            station_type: 0,
            station: 0,
            correction_age: 0.0,
        };
        let stamp = Stamp { elapsed: at.wrapping_add(120), ..stamp };
        self.put(&Packet::Gnss { stamp, fix });
    }

    fn receiver_n0183(&mut self, at: u32, now: u64, place: Option<(f64, f64)>) {
        let time = now % u64::from(DAY);
        let clock = format!("{:02}{:02}{:02}.00", time / 3600, time / 60 % 60, time % 60);
        let (year, month, day) = nmea0183::civil(i64::try_from(now / u64::from(DAY)).unwrap_or(0));
        self.sentence(at.wrapping_add(140), &format!("GPZDA,{clock},{day:02},{month:02},{year:04},00,00"));
        let place = match place {
            Some((latitude, longitude)) => {
                let (north, east) = (if latitude < 0.0 { 'S' } else { 'N' }, if longitude < 0.0 { 'W' } else { 'E' });
                format!("{},{north},{},{east},1,08", minutes(latitude, 2), minutes(longitude, 3))
            }
            None => ",,,,0,00".to_owned(),
        };
        self.sentence(at.wrapping_add(200), &format!("GPGGA,{clock},{place},1.0,2.5,M,46.2,M,,"));
    }

    fn depth(&mut self, second: u32) -> Option<f64> {
        let along = f64::from(second);
        let noise = f64::from(self.chance.below(200)) / 1_000.0;
        let depth = 14.0 + 6.0 * (along / 90.0).sin() + 1.5 * (along / 17.0).cos() + noise;
        (self.chance.below(1_000) >= self.voyage.faults.lost_bottom).then_some(depth)
    }

    /// A sentence, stamped when it began: that may be before what was written already.
    fn sentence(&mut self, at: u32, body: &str) {
        let jitter = self.voyage.faults.jitter;
        let at = if jitter > 0 { at.wrapping_sub(self.chance.below(jitter.saturating_add(1))) } else { at };
        let mut text = format!("${body}*{:02X}\r\n", nmea0183::sum(body)).into_bytes();
        if self.voyage.faults.spoiled > 0 && self.chance.below(1_000) < self.voyage.faults.spoiled {
            let spoiled = self.chance.below(u32::try_from(body.len()).unwrap_or(1).max(1)) as usize;
            text[1 + spoiled] ^= 0x9f;
        }
        self.put(&Packet::Sentence { elapsed: at, text: &text });
    }

    fn unknown(&mut self) {
        self.buffer.extend(UNKNOWN.to_le_bytes());
        self.buffer.extend(4_u32.to_le_bytes());
        self.buffer.extend(b"wind");
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a day")]
fn of_day(now: u64) -> f64 {
    (now % u64::from(DAY)) as f64
}

/// Degrees without their sign as `ddmm.mmmmm`.
fn minutes(degrees: f64, digits: usize) -> String {
    // Rounded as a whole, so that no minutes come to 60.
    let hundred_thousandths = (degrees.abs() * 6_000_000.0).round();
    let whole = (hundred_thousandths / 6_000_000.0).trunc();
    let minutes = (hundred_thousandths - whole * 6_000_000.0) / 100_000.0;
    format!("{whole:0digits$.0}{minutes:08.5}")
}

/// Numbers that look random and are the same every time (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        u32::try_from(z % u64::from(bound.max(1))).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wibl::{Code, Framing, Reader};

    fn file(voyage: &Voyage) -> (Vec<u8>, Written) {
        let mut file = Vec::new();
        let written = voyage.write(&mut file).expect("memory takes all");
        assert_eq!(written.bytes, file.len() as u64);
        (file, written)
    }

    #[test]
    fn a_voyage_is_the_same_every_time_and_another_with_another_seed() {
        let voyage = Voyage { seconds: 120, ..Voyage::default() };
        assert_eq!(file(&voyage), file(&voyage));
        assert_ne!(file(&voyage).0, file(&Voyage { seed: 1, ..voyage }).0);
    }

    #[test]
    fn every_packet_of_a_faultless_voyage_is_read_and_every_sentence_is_right() {
        for bus in [Bus::Nmea2000, Bus::Nmea0183, Bus::Both] {
            let (file, written) = file(&Voyage { seconds: 300, bus, from: (-0.001, 179.999), ..Voyage::default() });
            let mut reader = Reader::new(&file, Framing::Resync);
            let mut last = 0;
            for record in reader.by_ref() {
                if let Packet::Sentence { text, .. } = record.packet {
                    let sentence = nmea0183::Sentence::parse(text).expect("a sentence");
                    if sentence.id == *b"GGA" {
                        assert!(nmea0183::degrees(sentence.field(1)).is_some_and(|degrees| degrees < 1.0));
                    }
                }
                if let Some(elapsed) = record.packet.elapsed() {
                    assert!(elapsed >= last, "{bus:?}: without jitter the counter never steps back");
                    last = elapsed;
                }
            }
            assert_eq!((reader.account().packets, reader.account().findings.len()), (written.packets, 0));
        }
    }

    #[test]
    fn each_fault_is_in_the_file() {
        let sound = Voyage { seconds: 600, ..Voyage::default() };
        let with = |faults: Faults| file(&Voyage { faults, ..sound.clone() });
        let plain = file(&sound).1;
        let gap = with(Faults { gaps: vec![Stretch { from: 60, seconds: 300 }], ..Faults::default() }).1;
        assert_eq!(gap.soundings, plain.soundings / 2);

        let (spoiled, _) = with(Faults { damaged: 3, unknown: 2, is_cut: true, ..Faults::default() });
        let mut reader = Reader::new(&spoiled, Framing::Resync);
        reader.by_ref().for_each(drop);
        let counts = [Code::Damaged, Code::Unknown, Code::Cut].map(|code| reader.account().count(code));
        assert_eq!(counts, [3, 2, 1]);

        let stamps = |file: &[u8]| -> Vec<u32> {
            Reader::new(file, Framing::Resync).filter_map(|record| record.packet.elapsed()).collect()
        };
        let steps_back = |stamps: &[u32]| stamps.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(steps_back(&stamps(&with(Faults { jitter: 60, ..Faults::default() }).0)) > 20);
        let wrapping = file(&Voyage { counter: u32::MAX - 100_000, ..sound.clone() }).0;
        assert_eq!(steps_back(&stamps(&wrapping)), 1);

        let (dark, _) = with(Faults {
            no_fix: vec![Stretch { from: 0, seconds: 600 }],
            lost_bottom: 1_000,
            spoiled: 500,
            ..Faults::default()
        });
        let mut spoiled = 0;
        for record in Reader::new(&dark, Framing::Resync) {
            match record.packet {
                Packet::Gnss { fix, .. } => assert_eq!((fix.method, fix.latitude), (0, NOT_AVAILABLE)),
                Packet::Depth { depth, .. } => assert!(depth <= NOT_AVAILABLE),
                Packet::Sentence { text, .. } => spoiled += u32::from(nmea0183::Sentence::parse(text).is_err()),
                _ => {}
            }
        }
        assert!((700..900).contains(&spoiled), "{spoiled}");
        let without = with(Faults { is_without_receiver: true, ..Faults::default() }).0;
        assert!(Reader::new(&without, Framing::Resync).all(|record| !matches!(record.packet, Packet::Gnss { .. })));
    }
}
