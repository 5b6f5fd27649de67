//! A payload to a packet: exact sizes, no copies.

use super::packet::{Fix, Packet, Stamp};

/// How a payload fits its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// To the byte; by chance that does not happen.
    Exact,
    /// With bytes behind it that no one reads, or a sentence that is none.
    Loose,
    /// Not at all.
    Wrong,
    /// Nobody knows the id.
    Unknown,
}

/// Sentences are far shorter (82 bytes by the standard); longer ones are believed only if a packet follows them.
const LONGEST_SENTENCE: usize = 1024;

/// Size of a packet whose size is fixed, by its id.
fn fixed_size(id: u32) -> Option<usize> {
    const SIZES: [usize; 18] = [0, 15, 38, 38, 30, 87, 40, 23, 23, 23, 0, 32, 0, 0, 0, 0, 0, 18];
    usize::try_from(id).ok().and_then(|id| SIZES.get(id)).copied().filter(|size| *size > 0)
}

/// Judges a payload of `length` bytes whose first are `payload` (all of them, unless the file ends before).
pub(super) fn fit(id: u32, length: usize, payload: &[u8]) -> Fit {
    if let Some(size) = fixed_size(id) {
        return if length == size { Fit::Exact } else { Fit::Wrong };
    }
    match id {
        0 => match length {
            16 | 22 => Fit::Exact,
            length if length > 16 => Fit::Loose,
            _ => Fit::Wrong,
        },
        10 if length < 4 => Fit::Wrong,
        10 => {
            let text = payload.get(4..).unwrap_or_default();
            let is_sentence = length <= LONGEST_SENTENCE && memchr::memchr(0, text).is_none();
            if is_sentence { Fit::Exact } else { Fit::Loose }
        }
        12 | 13 => texts_fit(2, length, payload),
        14 | 15 | 16 | 18 => texts_fit(1, length, payload),
        _ => Fit::Unknown,
    }
}

fn texts_fit(texts: usize, length: usize, payload: &[u8]) -> Fit {
    let mut at = 0;
    for _ in 0..texts {
        let Some(size) = payload.get(at..at + 4) else { return Fit::Wrong };
        at += 4 + u32_at(size, 0) as usize;
        if at > length {
            return Fit::Wrong;
        }
    }
    if at == length { Fit::Exact } else { Fit::Loose }
}

/// Decodes a payload; `None` if its size is wrong.
pub(super) fn decode(id: u32, payload: &[u8]) -> Option<Packet<'_>> {
    let length = payload.len();
    if fixed_size(id).is_some_and(|size| size != length) {
        return None;
    }
    Some(match id {
        0 => return version(payload),
        1 => Packet::SystemTime { stamp: stamp(payload), source: payload[14] },
        2 => {
            let [yaw, pitch, roll] = doubles(payload, 14);
            Packet::Attitude { stamp: stamp(payload), yaw, pitch, roll }
        }
        3 => {
            let [depth, offset, range] = doubles(payload, 14);
            Packet::Depth { stamp: stamp(payload), depth, offset, range }
        }
        4 => {
            let [course, speed] = doubles(payload, 14);
            Packet::Course { stamp: stamp(payload), course, speed }
        }
        5 => Packet::Gnss { stamp: stamp(payload), fix: fix(payload) },
        6 => {
            let ([temperature], [humidity, pressure]) = (doubles(payload, 15), doubles(payload, 24));
            let (temperature_source, humidity_source) = (payload[14], payload[23]);
            Packet::Environment {
                stamp: stamp(payload),
                temperature_source,
                temperature,
                humidity_source,
                humidity,
                pressure,
            }
        }
        7 => Packet::Temperature { stamp: stamp(payload), source: payload[14], value: f64_at(payload, 15) },
        8 => Packet::Humidity { stamp: stamp(payload), source: payload[14], value: f64_at(payload, 15) },
        9 => Packet::Pressure { stamp: stamp(payload), source: payload[14], value: f64_at(payload, 15) },
        10 => Packet::Sentence { elapsed: u32_at(payload.get(..4)?, 0), text: &payload[4..] },
        11 => {
            let value = |index: usize| f32::from_bits(u32_at(payload, 4 + 4 * index));
            Packet::Motion { elapsed: u32_at(payload, 0), values: std::array::from_fn(value) }
        }
        12 => {
            let (first, rest) = text(payload)?;
            Packet::Metadata { first, second: text(rest)?.0 }
        }
        13 => {
            let (name, rest) = text(payload)?;
            Packet::AlgorithmRequest { name, parameters: text(rest)?.0 }
        }
        14 => Packet::JsonMetadata(text(payload)?.0),
        15 => Packet::SentenceFilter(text(payload)?.0),
        16 => Packet::SensorScales(text(payload)?.0),
        17 => {
            let value = |index: usize| i16::from_le_bytes([payload[4 + 2 * index], payload[5 + 2 * index]]);
            Packet::RawMotion { elapsed: u32_at(payload, 0), values: std::array::from_fn(value) }
        }
        18 => Packet::Setup(text(payload)?.0),
        _ => return None,
    })
}

fn version(payload: &[u8]) -> Option<Packet<'_>> {
    let word = |index: usize| Some(u16::from_le_bytes([*payload.get(2 * index)?, *payload.get(2 * index + 1)?]));
    let triple = |first: usize| Some([word(first)?, word(first + 1)?, word(first + 2)?]);
    let (major, minor) = (word(0)?, word(1)?);
    let has_imu = u32::from(major) * 1000 + u32::from(minor) >= super::NEWEST;
    let imu = if has_imu { Some(triple(8)?) } else { None };
    Some(Packet::Version { major, minor, n2k: triple(2)?, n0183: triple(5)?, imu })
}

fn fix(payload: &[u8]) -> Fix {
    let ([time, latitude, longitude, altitude], [hdop, pdop, separation]) =
        (doubles(payload, 16), doubles(payload, 51));
    Fix {
        date: u16_at(payload, 14),
        time,
        latitude,
        longitude,
        altitude,
        receiver: payload[48],
        method: payload[49],
        satellites: payload[50],
        hdop,
        pdop,
        separation,
        stations: payload[75],
        station_type: payload[76],
        station: u16_at(payload, 77),
        correction_age: f64_at(payload, 79),
    }
}

fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = bytes.split_at_checked(4)?;
    rest.split_at_checked(u32_at(size, 0) as usize)
}

fn stamp(payload: &[u8]) -> Stamp {
    Stamp { date: u16_at(payload, 0), time: f64_at(payload, 2), elapsed: u32_at(payload, 10) }
}

fn doubles<const N: usize>(bytes: &[u8], at: usize) -> [f64; N] {
    std::array::from_fn(|index| f64_at(bytes, at + 8 * index))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk::<N>()).copied().unwrap_or([0; N])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

fn f64_at(bytes: &[u8], at: usize) -> f64 {
    f64::from_le_bytes(array(bytes, at))
}
