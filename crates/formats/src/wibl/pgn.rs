//! Messages of NMEA 2000 (by their parameter group numbers), as far as WIBL loggers take them, to the same packets that a
//! logger makes of them: whole-numbered fields with a resolution, the largest number meaning that there is none.

use super::packet::{Fix, NOT_AVAILABLE, NOT_AVAILABLE_DATE, Packet, Stamp};

/// A request to another device.
pub(super) const REQUEST: u32 = 59_904;

/// The group of a CAN id (29 bits): messages to one device have its address where others have part of their number.
pub(super) fn of_can(id: u32) -> u32 {
    let (page, format, specific) = (id >> 24 & 1, id >> 16 & 0xff, id >> 8 & 0xff);
    if format < 240 { page << 16 | format << 8 } else { page << 16 | format << 8 | specific }
}

/// True if messages of the group are sent as several frames.
pub(super) fn is_fast(pgn: u32) -> bool {
    const GROUPS: &[u32] = &[
        65_240, 126_208, 126_464, 126_720, 126_996, 126_998, 127_233, 127_237, 127_489, 127_496, 127_497, 127_498,
        127_503, 127_504, 127_506, 127_507, 127_509, 127_510, 127_511, 127_512, 127_513, 127_514, 128_275, 128_520,
        128_538, 129_029, 129_038, 129_039, 129_040, 129_041, 129_044, 129_045, 129_284, 129_285, 129_301, 129_302,
        129_538, 129_540, 129_541, 129_542, 129_545, 129_547, 129_549, 129_551, 129_556, 129_792, 129_793, 129_794,
        129_795, 129_796, 129_797, 129_798, 129_799, 129_800, 129_801, 129_802, 129_803, 129_804, 129_805, 129_806,
        129_807, 129_808, 129_809, 129_810, 130_052, 130_053, 130_054, 130_060, 130_061, 130_064, 130_065, 130_066,
        130_067, 130_068, 130_069, 130_070, 130_071, 130_072, 130_073, 130_074, 130_320, 130_321, 130_322, 130_323,
        130_324, 130_567, 130_569, 130_577, 130_578,
    ];
    matches!(pgn, 126_983..=126_988 | 130_816..=131_071) || GROUPS.binary_search(&pgn).is_ok()
}

/// The id of the packet that a group becomes.
pub(super) fn packet_id(pgn: u32) -> Option<u32> {
    Some(match pgn {
        126_992 => 1,
        127_257 => 2,
        128_267 => 3,
        129_026 => 4,
        129_029 => 5,
        130_311 => 6,
        130_312 | 130_316 => 7,
        130_313 => 8,
        130_314 => 9,
        _ => return None,
    })
}

/// What a message came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decoded<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// It says something that loggers do not take: a time of a crystal, a course that is not from true north.
    NotOurs,
    /// Its data are too short for it.
    TooShort,
}

/// Fields of a message, one after the other. What is behind its end is not available.
struct Fields<'d> {
    data: &'d [u8],
    at: usize,
}

impl Fields<'_> {
    /// `N` bytes as an unsigned number, lowest first.
    fn unsigned<const N: usize>(&mut self) -> Option<u64> {
        let bytes = self.data.get(self.at..self.at + N);
        self.at += N;
        let number = bytes?.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let largest = u64::MAX >> (64 - 8 * N);
        (number != largest).then_some(number)
    }

    /// `N` bytes as a number with a sign.
    fn signed<const N: usize>(&mut self) -> Option<i64> {
        let bytes = self.data.get(self.at..self.at + N);
        self.at += N;
        let number = bytes?.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let shift = 64 - 8 * N;
        let number = (number << shift).cast_signed() >> shift;
        (number != i64::MAX >> shift).then_some(number)
    }

    fn byte(&mut self) -> u8 {
        self.unsigned::<1>().and_then(|byte| u8::try_from(byte).ok()).unwrap_or(u8::MAX)
    }

    fn word(&mut self) -> u16 {
        self.unsigned::<2>().and_then(|word| u16::try_from(word).ok()).unwrap_or(NOT_AVAILABLE_DATE)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "fields have 32 bits, and positions more digits than can be measured"
    )]
    fn scaled<const N: usize>(&mut self, resolution: f64) -> f64 {
        self.unsigned::<N>().map_or(NOT_AVAILABLE, |number| number as f64 * resolution)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "fields have 32 bits, and positions more digits than can be measured"
    )]
    fn scaled_signed<const N: usize>(&mut self, resolution: f64) -> f64 {
        self.signed::<N>().map_or(NOT_AVAILABLE, |number| number as f64 * resolution)
    }
}

/// Bytes that a message must have.
fn least(pgn: u32) -> usize {
    match pgn {
        128_267 => 7,
        129_026 => 6,
        129_029 => 43,
        127_257 => 7,
        130_312 | 130_313 => 5,
        130_314 => 7,
        130_316 => 6,
        _ => 8,
    }
}

/// Decodes a message of a group that [`packet_id`] knows.
pub(super) fn decode(pgn: u32, data: &[u8], elapsed: u32) -> Decoded<'static> {
    if data.len() < least(pgn) {
        return Decoded::TooShort;
    }
    // A sequence number comes first, in all of them.
    let mut fields = Fields { data, at: 1 };
    let stamp = Stamp { date: 0, time: -1.0, elapsed };
    match packet(pgn, &mut fields, stamp) {
        Some(packet) => Decoded::Packet(packet),
        None => Decoded::NotOurs,
    }
}

fn packet(pgn: u32, fields: &mut Fields<'_>, stamp: Stamp) -> Option<Packet<'static>> {
    const LOCAL_CRYSTAL: u8 = 5;
    Some(match pgn {
        126_992 => {
            let source = fields.byte() & 0x0f;
            let stamp = Stamp { date: fields.word(), time: fields.scaled::<4>(1e-4), ..stamp };
            return (source != LOCAL_CRYSTAL).then_some(Packet::SystemTime { stamp, source });
        }
        127_257 => {
            let [yaw, pitch, roll] = std::array::from_fn(|_| fields.scaled_signed::<2>(1e-4));
            Packet::Attitude { stamp, yaw, pitch, roll }
        }
        128_267 => {
            let (depth, offset) = (fields.scaled::<4>(0.01), fields.scaled_signed::<2>(0.001));
            Packet::Depth { stamp, depth, offset, range: fields.scaled::<1>(10.0) }
        }
        129_026 => {
            let is_from_true_north = fields.byte() & 0x03 == 0;
            let (course, speed) = (fields.scaled::<2>(1e-4), fields.scaled::<2>(0.01));
            return is_from_true_north.then_some(Packet::Course { stamp, course, speed });
        }
        129_029 => Packet::Gnss { stamp, fix: fix(fields) },
        130_311 => {
            let sources = fields.byte();
            let (temperature_source, humidity_source) = (sources & 0x3f, sources >> 6);
            let (temperature, humidity) = (fields.scaled::<2>(0.01), fields.scaled_signed::<2>(0.004));
            let pressure = fields.scaled::<2>(100.0);
            Packet::Environment { stamp, temperature_source, temperature, humidity_source, humidity, pressure }
        }
        // An instance, and then where it is measured.
        130_312 | 130_316 => {
            let (_, source) = (fields.byte(), fields.byte());
            let value = if pgn == 130_312 { fields.scaled::<2>(0.01) } else { fields.scaled::<3>(0.001) };
            Packet::Temperature { stamp, source, value }
        }
        130_313 => {
            let (_, source) = (fields.byte(), fields.byte());
            Packet::Humidity { stamp, source, value: fields.scaled_signed::<2>(0.004) }
        }
        130_314 => {
            let (_, source) = (fields.byte(), fields.byte());
            Packet::Pressure { stamp, source, value: fields.scaled_signed::<4>(0.1) }
        }
        _ => return None,
    })
}

fn fix(fields: &mut Fields<'_>) -> Fix {
    let (date, time) = (fields.word(), fields.scaled::<4>(1e-4));
    let [latitude, longitude] = std::array::from_fn(|_| fields.scaled_signed::<8>(1e-16));
    let altitude = fields.scaled_signed::<8>(1e-6);
    let (kind, _integrity, satellites) = (fields.byte(), fields.byte(), fields.byte());
    let (hdop, pdop) = (fields.scaled_signed::<2>(0.01), fields.scaled_signed::<2>(0.01));
    let separation = fields.scaled_signed::<4>(0.01);
    let stations = fields.byte();
    let station = fields.word();
    Fix {
        date,
        time,
        latitude,
        longitude,
        altitude,
        receiver: kind & 0x0f,
        method: kind >> 4,
        satellites,
        hdop,
        pdop,
        separation,
        stations,
        station_type: u8::try_from(station & 0x0f).unwrap_or(0),
        station: station >> 4,
        correction_age: fields.scaled::<2>(0.01),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_told_by_can_ids() {
        // Priority 3, group 129029, from device 35; and a request (priority 6) to device 255.
        assert_eq!(of_can(0x0df8_0523), 129_029);
        assert_eq!(of_can(0x18ea_ff01), REQUEST);
        assert!(is_fast(129_029) && is_fast(130_820) && !is_fast(128_267) && !is_fast(129_026));
    }

    #[test]
    fn fields_have_their_resolution_and_may_be_missing() {
        let stamp = Stamp { date: 0, time: -1.0, elapsed: 7 };
        let depth = |data: &[u8]| decode(128_267, data, 7);
        // 12.34 m, 0.5 m down to the keel, range of 200 m.
        let data = [1, 0xd2, 0x04, 0, 0, 0x0c, 0xfe, 20];
        assert_eq!(depth(&data), Decoded::Packet(Packet::Depth { stamp, depth: 12.34, offset: -0.5, range: 200.0 }));
        let none = Packet::Depth { stamp, depth: NOT_AVAILABLE, offset: NOT_AVAILABLE, range: NOT_AVAILABLE };
        assert_eq!(depth(&[1, 255, 255, 255, 255, 255, 0x7f, 255]), Decoded::Packet(none));
        assert_eq!(depth(&[1, 2, 3]), Decoded::TooShort);
        assert_eq!(decode(126_992, &[1, 0xf5, 0, 0, 0, 0, 0, 0], 0), Decoded::NotOurs, "a local crystal's time");
        assert_eq!(decode(129_026, &[1, 0xfd, 0, 0, 0, 0, 255, 255], 0), Decoded::NotOurs, "magnetic north");
    }

    #[test]
    fn the_list_of_groups_is_sorted() {
        let known: Vec<u32> = (59_000..131_072).filter(|pgn| is_fast(*pgn)).collect();
        for pgn in [65_240, 126_208, 127_489, 128_275, 129_038, 129_044, 129_810, 130_578, 131_071] {
            assert!(known.contains(&pgn), "{pgn}");
        }
    }
}
