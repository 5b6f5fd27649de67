//! Bytes that are no NetCDF, or lie about themselves: an error with its place, never a panic, never more memory than the
//! file has bytes.

use std::io::Cursor;

use proptest::prelude::*;
use tidegate_formats::netcdf::{Definition, Reader, Type, Values, Variable, Writer};
use tidegate_formats::{Error, Problem};

fn open(bytes: &[u8]) -> Result<u64, Error> {
    let mut reader = Reader::open(Cursor::new(bytes))?;
    let names: Vec<String> = reader.definition().variables.iter().map(|variable| variable.name.clone()).collect();
    let mut all = 0;
    for name in names {
        let id = reader.definition().find(&name).expect("its own name");
        all += reader.read_all(id)?.len() as u64;
    }
    Ok(all)
}

fn refusal(bytes: &[u8]) -> Error {
    open(bytes).expect_err("refused")
}

fn sample(is_extended: bool) -> Vec<u8> {
    let mut definition = Definition::new();
    let row = definition.dimension("row", 3);
    let record = definition.unlimited("record", 2);
    definition.attribute("title", "a sample");
    let kind = if is_extended { Type::Int64 } else { Type::Short };
    let fixed = definition.variable(Variable::new("fixed", Type::Float, [row]).attribute("units", "m"));
    definition.variable(Variable::new("a", Type::Byte, [record]));
    definition.variable(Variable::new("b", kind, [record, row]));
    let mut writer = Writer::new(Vec::new(), definition).expect("a good definition");
    writer.write(fixed, &Values::from(&[1.0_f32, 2.0, 3.0])).expect("memory");
    let b = if is_extended { Values::from(vec![5_i64; 6]) } else { Values::from(vec![5_i16; 6]) };
    writer.write_records(&[Values::from(&[1_i8, 2]), b]).expect("memory");
    writer.finish().expect("all written")
}

/// A header from words, each of 32 bits; text stands for the four bytes that it has.
macro_rules! words {
    ($($word:expr),* $(,)?) => {
        [$(Word::from($word).0),*].concat()
    };
}

struct Word([u8; 4]);

impl From<u32> for Word {
    fn from(word: u32) -> Self {
        Self(word.to_be_bytes())
    }
}

impl From<&[u8; 4]> for Word {
    fn from(text: &[u8; 4]) -> Self {
        Self(*text)
    }
}

/// Bytes, what is wrong with them, at which byte, and a part of the message.
type Lie = (Vec<u8>, Problem, u64, &'static str);

fn assert_told(lies: impl IntoIterator<Item = Lie>) {
    for (bytes, problem, byte, told) in lies {
        let error = refusal(&bytes);
        assert!(error.message.contains(told), "{error} | {told}");
        assert_eq!((error.problem, error.byte.unwrap_or(0)), (problem, byte), "{error}");
    }
}

#[test]
fn a_header_that_breaks_off_or_lies_is_told_with_its_place() {
    assert_told([
        (vec![], Problem::Malformed, 0, "no NetCDF file"),
        (b"CDF".to_vec(), Problem::Malformed, 0, "no NetCDF file"),
        (b"PAR1".to_vec(), Problem::Malformed, 0, "no NetCDF file"),
        (b"CDF\x03".to_vec(), Problem::Unsupported, 0, "version"),
        (b"\x89HDF\r\n\x1a\n".to_vec(), Problem::Unsupported, 0, "NetCDF-4"),
        (words![b"CDF\x01"], Problem::Malformed, 4, "the number of records"),
        (words![b"CDF\x01", 0, 11, 1], Problem::Malformed, 8, "dimensions cannot begin like this"),
        (words![b"CDF\x01", 0, 10, u32::MAX], Problem::Malformed, 16, "the list of dimensions needs 34359738360 bytes"),
        (words![b"CDF\x01", 0, 10, 1, u32::MAX, 0], Problem::Malformed, 20, "the name of a dimension"),
        (words![b"CDF\x01", 0, 10, 1, 1, b"\xff\0\0\0", 1], Problem::Encoding, 16, "not UTF-8"),
        (
            words![b"CDF\x01", 0, 10, 2, 1, b"a\0\0\0", 0, 1, b"b\0\0\0", 0],
            Problem::Malformed,
            40,
            "dimension `b` is a second one without limit",
        ),
        (words![b"CDF\x01", 0, 0, 0, 12, 1, 1, b"a\0\0\0", 7, 1, 1], Problem::Malformed, 32, "unknown type 7"),
        (
            words![b"CDF\x01", 0, 0, 0, 12, 1, 1, b"a\0\0\0", 6, u32::MAX, 1],
            Problem::Malformed,
            40,
            "attribute `a` needs",
        ),
    ]);
}

#[test]
fn variables_that_cannot_be_in_the_file_are_told_with_their_place() {
    assert_told([
        (
            words![b"CDF\x01", 0, 0, 0, 0, 0, 11, 1, 1, b"v\0\0\0", 1, 0, 0, 0, 4, 4, 0, 0],
            Problem::Malformed,
            48,
            "variable `v` has a dimension 0, which is not defined",
        ),
        (
            words![b"CDF\x01", 0, 0, 0, 0, 0, 11, 1, 1, b"v\0\0\0", 0, 0, 0, 4, 4, 8],
            Problem::Malformed,
            64,
            "variable `v` stands at bytes 8 to 12 of a file of 64 bytes",
        ),
        (
            words![b"CDF\x01", 0, 10, 1, 1, b"d\0\0\0", u32::MAX, 0, 0, 11, 1, 1, b"v\0\0\0", 1, 0, 0, 0, 6, 4, 84],
            Problem::Malformed,
            80,
            "variable `v` stands at bytes 84 to 34359738444 of a file of 80 bytes",
        ),
        (
            words![b"CDF\x01", 0x7fff_ffff, 10, 1, 1, b"d\0\0\0", 0, 0, 0, 11, 1, 1, b"v\0\0\0", 1, 0, 0, 0, 6, 8, 80],
            Problem::Malformed,
            80,
            "variable `v` stands at bytes 80 to 17179869256 of a file of 80 bytes",
        ),
        (
            words![
                b"CDF\x05",
                u32::MAX,
                0,
                10,
                0,
                1,
                0,
                1,
                b"d\0\0\0",
                u32::MAX,
                u32::MAX,
                0,
                0,
                0,
                11,
                0,
                1,
                0,
                1,
                b"v\0\0\0",
                0,
                2,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                6,
                0,
                8,
                0,
                4
            ],
            Problem::TooLarge,
            0,
            "variable `v` is larger than NetCDF can be",
        ),
    ]);
}

#[test]
fn a_stream_that_was_not_ended_has_the_records_that_are_there() {
    let mut bytes = sample(false);
    let whole = open(&bytes).expect("whole");
    bytes[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(open(&bytes).expect("counted"), whole);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for bytes in [sample(false), sample(true)] {
        open(&bytes).expect("whole");
        // The last bytes are padding that no value needs.
        for end in 0..bytes.len() - 8 {
            refusal(&bytes[..end]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn bytes_that_were_changed_never_panic(
        is_extended: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = sample(is_extended);
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(all) = open(&bytes) {
            // Variables may overlap, but none is larger than the file.
            prop_assert!(all <= 3 * bytes.len() as u64);
        }
    }

    #[test]
    fn any_header_never_panics(version in prop::sample::select(vec![1_u8, 2, 5]), words in prop::collection::vec(0_u32..14, 0..60)) {
        let mut bytes = vec![b'C', b'D', b'F', version];
        bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        let _ = open(&bytes);
    }
}
