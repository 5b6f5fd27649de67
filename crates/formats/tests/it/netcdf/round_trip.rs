//! What is written is read back, whatever it is and in whatever parts; what cannot be written is refused with its reason.

use std::io::Cursor;

use proptest::prelude::*;
use tidegate_formats::Error;
use tidegate_formats::netcdf::{Definition, Reader, Type, Values, Variable, VariableId, Version, Writer};

const KINDS: [Type; 11] = [
    Type::Byte,
    Type::Char,
    Type::Short,
    Type::Int,
    Type::Float,
    Type::Double,
    Type::UByte,
    Type::UShort,
    Type::UInt,
    Type::Int64,
    Type::UInt64,
];

/// Values of a type that differ from each other, as far as the type has so many.
fn values(kind: Type, count: usize, seed: u8) -> Values<'static> {
    let numbers = (0..count).map(|index| (index as u64 * 0x0123_4567_89ab_cdef) ^ u64::from(seed));
    match kind {
        Type::Byte => numbers.map(|number| number as i8).collect::<Vec<_>>().into(),
        Type::Char => Values::Char(numbers.map(|number| number as u8).collect()),
        Type::Short => numbers.map(|number| number as i16).collect::<Vec<_>>().into(),
        Type::Int => numbers.map(|number| number as i32).collect::<Vec<_>>().into(),
        Type::Float => numbers.map(|number| number as f32).collect::<Vec<_>>().into(),
        Type::Double => numbers.map(|number| number as f64).collect::<Vec<_>>().into(),
        Type::UByte => Values::UByte(numbers.map(|number| number as u8).collect()),
        Type::UShort => numbers.map(|number| number as u16).collect::<Vec<_>>().into(),
        Type::UInt => numbers.map(|number| number as u32).collect::<Vec<_>>().into(),
        Type::Int64 => numbers.map(|number| number as i64).collect::<Vec<_>>().into(),
        Type::UInt64 => numbers.collect::<Vec<_>>().into(),
    }
}

fn count(definition: &Definition, id: VariableId) -> usize {
    definition.shape(id).iter().product::<u64>() as usize
}

prop_compose! {
    /// Some dimensions, the first of which may be unlimited, and variables on them with attributes.
    fn definitions()(
        records in prop::option::of(0_u64..5),
        lengths in prop::collection::vec(1_u64..6, 1..4),
        variables in prop::collection::vec(
            (0_usize..11, prop::collection::vec(any::<prop::sample::Index>(), 0..3), any::<bool>(), 0_usize..4, "[A-Z][a-zé_0-9]{0,5}"),
            0..7,
        ),
    ) -> Definition {
        let mut definition = Definition::new();
        let unlimited = records.map(|records| definition.unlimited("records", records));
        let fixed: Vec<_> =
            lengths.iter().enumerate().map(|(index, length)| definition.dimension(format!("d{index}"), *length)).collect();
        for (index, (kind, dimensions, grows, attributes, name)) in variables.into_iter().enumerate() {
            let mut its: Vec<_> = unlimited.filter(|_| grows).into_iter().collect();
            its.extend(dimensions.iter().map(|dimension| *dimension.get(&fixed)));
            let mut variable = Variable::new(format!("{name}{index}"), KINDS[kind], its);
            for attribute in 0..attributes {
                let kind = KINDS[(kind + attribute) % KINDS.len()];
                variable = variable.attribute(&format!("a{attribute}"), values(kind, attribute, index as u8));
            }
            definition.variable(variable);
        }
        definition.attribute("seen", values(KINDS[lengths.len()], lengths.len(), 1));
        definition
    }
}

proptest! {
    #[test]
    fn what_is_written_in_any_parts_is_read_back(definition in definitions(), sizes in prop::collection::vec(1_usize..7, 1..9)) {
        let all: Vec<(VariableId, Values<'_>)> = definition
            .variables
            .iter()
            .enumerate()
            .map(|(index, variable)| {
                let id = definition.find(&variable.name).expect("its own");
                (id, values(variable.kind, count(&definition, id), index as u8))
            })
            .collect();
        let mut sizes = sizes.iter().cycle();
        let mut writer = Writer::new(Vec::new(), definition.clone()).expect("a good definition");
        let is_record = |id: VariableId| definition[id].dimensions.first().is_some_and(|first| definition[*first].is_unlimited);
        for (id, values) in all.iter().filter(|(id, _)| !is_record(*id)) {
            let mut done = 0;
            while done < values.len() {
                let end = done + sizes.next().expect("no end").min(&(values.len() - done));
                writer.write(*id, &values.part(done..end)).expect("its turn");
                done = end;
            }
        }
        let records = definition.dimensions.iter().find(|each| each.is_unlimited).map_or(0, |each| each.length as usize);
        let mut done = 0;
        while done < records {
            let end = done + sizes.next().expect("no end").min(&(records - done));
            let columns = all.iter().filter(|(id, _)| is_record(*id)).map(|(_, values)| {
                let slab = values.len() / records;
                values.part(done * slab..end * slab)
            });
            writer.write_records(&columns.collect::<Vec<_>>()).expect("their turn");
            done = end;
        }
        let bytes = writer.finish().expect("all written");
        let mut reader = Reader::open(Cursor::new(bytes)).expect("our own file");
        prop_assert_eq!(reader.definition(), &definition);
        for (id, values) in &all {
            prop_assert_eq!(reader.count(*id), values.len() as u64);
            prop_assert_eq!(&reader.read_all(*id).expect("values"), values);
            let (from, to) = (values.len() / 3, values.len() - values.len() / 4);
            let part = reader.read(*id, from as u64, to - from).expect("values");
            prop_assert_eq!(part, values.part(from..to));
        }
    }
}

fn refusal(definition: Definition) -> Error {
    Writer::new(Vec::new(), definition).err().expect("refused")
}

#[test]
fn a_definition_that_netcdf_does_not_allow_is_refused() {
    let with = |change: fn(&mut Definition)| {
        let mut definition = Definition::new();
        let row = definition.dimension("row", 2);
        definition.variable(Variable::new("v", Type::Int, [row]));
        change(&mut definition);
        refusal(definition).message
    };
    for (message, told) in [
        (with(|it| _ = it.dimension("row", 3)), "dimension `row` is defined twice"),
        (with(|it| _ = it.dimension("none", 0)), "dimension `none` has no length"),
        (with(|it| _ = it.variable(Variable::new("v", Type::Int, []))), "variable `v` is defined twice"),
        (with(|it| _ = it.variable(Variable::new("a/b", Type::Int, []))), "`a/b` cannot name"),
        (with(|it| _ = it.variable(Variable::new("", Type::Int, []))), "`` cannot name"),
        (with(|it| it.attribute("a\n", "")), "`a\\n` cannot name"),
        (with(|it| _ = (it.unlimited("t", 1), it.unlimited("u", 1))), "more than one dimension is unlimited"),
        (
            with(|it| {
                let (row, time) = (it.dimension("r", 1), it.unlimited("t", 1));
                it.variable(Variable::new("w", Type::Int, [row, time]));
            }),
            "variable `w` has the unlimited dimension, but not as its first",
        ),
        (
            with(|it| _ = it.variable(Variable::new("w", Type::Int, []).attribute("_FillValue", 1.0))),
            "`_FillValue` of variable `w` is not one value of its own type, `int`",
        ),
        (
            with(|it| {
                let huge = it.dimension("huge", u64::MAX / 2);
                it.variable(Variable::new("w", Type::Int, [huge, huge]));
            }),
            "variable `w` is larger than NetCDF can be",
        ),
    ] {
        assert!(message.contains(told), "{message} | {told}");
    }
}

#[test]
fn values_that_the_definition_does_not_ask_for_are_refused() {
    let mut definition = Definition::new();
    let row = definition.dimension("row", 2);
    let a = definition.variable(Variable::new("a", Type::Int, [row]));
    let b = definition.variable(Variable::new("b", Type::Int, [row]));
    let writer = || Writer::new(Vec::new(), definition.clone()).expect("a good definition");
    let message = |result: Result<(), Error>| result.expect_err("refused").message;
    let two = Values::from(&[1, 2]);

    assert!(message(writer().write(a, &Values::from(&[1.0, 2.0]))).contains("values of type `double`"));
    assert!(message(writer().write(a, &Values::from(&[1, 2, 3]))).contains("more than its 2 values"));
    assert!(message(writer().write(b, &two)).contains("`b` are not yet to be written"));
    assert!(message(writer().write_records(std::slice::from_ref(&two))).contains("not whole records"));

    let mut half = writer();
    half.write(a, &two).expect("its turn");
    half.write(b, &Values::from(&[1])).expect("its turn");
    let error = half.finish().expect_err("refused");
    assert!(error.message.contains("variable `b` was given 1 of its 2 values"), "{error}");
}

#[test]
fn the_oldest_version_that_can_hold_the_file_is_taken() {
    let version = |lengths: &[u64], kind: Type| {
        let mut definition = Definition::new();
        for (index, length) in lengths.iter().enumerate() {
            let dimension = definition.dimension(format!("d{index}"), *length);
            definition.variable(Variable::new(format!("v{index}"), kind, [dimension]));
        }
        Writer::new(Vec::new(), definition).expect("a good definition").version()
    };
    assert_eq!(version(&[10], Type::Double), Version::Cdf1);
    assert_eq!(version(&[10], Type::UByte), Version::Cdf5);
    assert_eq!(version(&[(1 << 31) - 1000], Type::Byte), Version::Cdf1);
    assert_eq!(version(&[1 << 30, 1 << 30], Type::Byte), Version::Cdf2);
    assert_eq!(version(&[1 << 31], Type::Byte), Version::Cdf5, "a dimension longer than CDF-2 has");
    assert_eq!(version(&[1 << 30], Type::Double), Version::Cdf5, "a variable larger than CDF-2 has");
}
