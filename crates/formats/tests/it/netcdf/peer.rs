//! Beside netCDF-C: the same definition and the same bytes of every value, in both directions.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Cursor, Seek, SeekFrom, Write};

use serde_json::{Value, json};
use tidegate_formats::Problem;
use tidegate_formats::netcdf::{Attribute, Definition, Reader, Type, Values, Variable, VariableId, Version, Writer};

use super::python;

/// The name that numpy gives a type.
fn name(kind: Type) -> &'static str {
    match kind {
        Type::Byte => "int8",
        Type::Char => "char",
        Type::Short => "int16",
        Type::Int => "int32",
        Type::Float => "float32",
        Type::Double => "float64",
        Type::UByte => "uint8",
        Type::UShort => "uint16",
        Type::UInt => "uint32",
        Type::Int64 => "int64",
        Type::UInt64 => "uint64",
    }
}

fn hex<const N: usize>(bytes: impl Iterator<Item = [u8; N]>) -> String {
    bytes.flatten().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("memory");
        text
    })
}

fn encoded(values: &Values<'_>) -> [String; 2] {
    let bytes = match values {
        Values::Byte(values) => hex(values.iter().map(|value| value.to_be_bytes())),
        Values::Char(values) | Values::UByte(values) => hex(values.iter().map(|value| value.to_be_bytes())),
        Values::Short(values) => hex(values.iter().map(|value| value.to_be_bytes())),
        Values::Int(values) => hex(values.iter().map(|value| value.to_be_bytes())),
        Values::Float(values) => hex(values.iter().map(|value| value.to_be_bytes())),
        Values::Double(values) => hex(values.iter().map(|value| value.to_be_bytes())),
        Values::UShort(values) => hex(values.iter().map(|value| value.to_be_bytes())),
        Values::UInt(values) => hex(values.iter().map(|value| value.to_be_bytes())),
        Values::Int64(values) => hex(values.iter().map(|value| value.to_be_bytes())),
        Values::UInt64(values) => hex(values.iter().map(|value| value.to_be_bytes())),
    };
    [name(values.kind()).to_owned(), bytes]
}

fn attributes(attributes: &[Attribute]) -> Vec<Value> {
    let one = |attribute: &Attribute| {
        let [kind, bytes] = encoded(&attribute.value);
        json!([attribute.name, kind, bytes])
    };
    attributes.iter().map(one).collect()
}

/// What `netcdf_c.py tell` would print, from a definition and the values of each variable.
fn told(version: Version, definition: &Definition, values: &[Values<'_>]) -> Value {
    let version = match version {
        Version::Cdf1 => "NETCDF3_CLASSIC",
        Version::Cdf2 => "NETCDF3_64BIT_OFFSET",
        Version::Cdf5 => "NETCDF3_64BIT_DATA",
    };
    let dimensions = definition.dimensions.iter().map(|each| json!([each.name, each.length, each.is_unlimited]));
    let variables = definition.variables.iter().zip(values).map(|(variable, values)| {
        let dimensions = variable.dimensions.iter().map(|dimension| &definition[*dimension].name);
        let [kind, bytes] = encoded(values);
        json!([variable.name, dimensions.collect::<Vec<_>>(), attributes(&variable.attributes), kind, bytes])
    });
    json!([version, dimensions.collect::<Vec<_>>(), attributes(&definition.attributes), variables.collect::<Vec<_>>()])
}

fn ids(definition: &Definition) -> Vec<VariableId> {
    definition.variables.iter().map(|variable| definition.find(&variable.name).expect("its own")).collect()
}

/// A file with everything that the version has: every type fixed, in records, in attributes; odd lengths, so that there is
/// padding; extreme numbers; text beyond ASCII; a scalar; `records` records of one or of all types.
fn everything(is_extended: bool, records: u64) -> (Definition, Vec<Values<'static>>) {
    let mut definition = Definition::new();
    definition.attribute("title", "Mangōpare Ōtautahi");
    definition.attribute("none", "");
    let row = definition.dimension("ROW", 3);
    let record = definition.unlimited("TIME", records);
    let mut samples: Vec<Values<'static>> = vec![
        vec![i8::MIN, 0, i8::MAX].into(),
        "aé".to_owned().into(),
        vec![i16::MIN, 0, i16::MAX].into(),
        vec![i32::MIN, 0, i32::MAX].into(),
        vec![f32::NAN, -0.0, f32::MAX].into(),
        vec![f64::INFINITY, 1e-310, 0.1].into(),
    ];
    if is_extended {
        samples.push(Values::UByte(vec![0, 1, u8::MAX].into()));
        samples.push(vec![0, 1, u16::MAX].into());
        samples.push(vec![0, 1, u32::MAX].into());
        samples.push(vec![i64::MIN, 0, i64::MAX].into());
        samples.push(vec![0, 1, u64::MAX].into());
    }
    let mut values = Vec::new();
    for sample in &samples {
        let kind = sample.kind();
        definition.attribute(format!("sample_{}", kind.name()), sample.clone());
        let variable = Variable::new(format!("fixed_{}", kind.name()), kind, [row]);
        let fill = sample.part(1..2).into_owned();
        definition
            .variable(variable.attribute("_FillValue", fill).attribute("units", "1").attribute("all", sample.clone()));
        values.push(sample.clone());
    }
    definition.variable(Variable::new("scalar", Type::Double, []));
    values.push(1e300.into());
    for sample in &samples {
        definition.variable(Variable::new(format!("grown_{}", sample.kind().name()), sample.kind(), [record]));
        values.push(sample.part(0..records as usize).into_owned());
    }
    (definition, values)
}

/// Writes in the order of a stream.
fn write(definition: &Definition, values: &[Values<'_>]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), definition.clone()).expect("a good definition");
    let is_record = |id: &VariableId| {
        let first = definition[*id].dimensions.first();
        first.is_some_and(|first| definition[*first].is_unlimited)
    };
    let (grown, fixed): (Vec<_>, Vec<_>) = ids(definition).into_iter().zip(values).partition(|(id, _)| is_record(id));
    for (id, values) in fixed {
        writer.write(id, values).expect("memory");
    }
    let columns: Vec<_> = grown.into_iter().map(|(_, values)| values.clone()).collect();
    writer.write_records(&columns).expect("memory");
    writer.finish().expect("all written")
}

#[test]
fn netcdf_c_reads_every_type_that_we_write() {
    let Some(programs) = python::programs() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    for (is_extended, records, version) in
        [(false, 3, Version::Cdf1), (false, 0, Version::Cdf1), (true, 3, Version::Cdf5), (true, 1, Version::Cdf5)]
    {
        let (definition, values) = everything(is_extended, records);
        let path = directory.path().join(format!("{is_extended}{records}.nc"));
        std::fs::write(&path, write(&definition, &values)).expect("a file");
        let found = python::run(&programs, "netcdf_c.py", &["tell".as_ref(), path.as_ref()]);
        assert_eq!(found[0], told(version, &definition, &values));
    }
}

#[test]
fn netcdf_c_reads_records_of_a_single_variable_which_are_not_padded() {
    let Some(programs) = python::programs() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    for values in [Values::from(vec![1_i8, 2, 3, 4, 5]), Values::from(vec![1_i16, 2, 3, 4, 5])] {
        let mut definition = Definition::new();
        let time = definition.unlimited("TIME", 5);
        definition.variable(Variable::new("flag", values.kind(), [time]));
        let path = directory.path().join(values.kind().name());
        std::fs::write(&path, write(&definition, std::slice::from_ref(&values))).expect("a file");
        let found = python::run(&programs, "netcdf_c.py", &["tell".as_ref(), path.as_ref()]);
        assert_eq!(found[0], told(Version::Cdf1, &definition, &[values]));
    }
}

#[test]
fn we_read_what_netcdf_c_writes() {
    let Some(programs) = python::programs() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    for form in ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"] {
        let path = directory.path().join(form);
        let written = python::run(&programs, "netcdf_c.py", &["write".as_ref(), form.as_ref(), path.as_ref()]);
        let mut reader = Reader::open(File::open(&path).expect("a file")).expect("a classic file");
        let definition = reader.definition().clone();
        let values: Vec<_> = ids(&definition).into_iter().map(|id| reader.read_all(id).expect("values")).collect();
        assert_eq!(told(reader.version(), &definition, &values), written[0]);
        assert_eq!(definition.get("title").and_then(Values::text), Some("Mangōpare"));
    }
}

#[test]
fn netcdf_4_is_named_and_a_remedy_told() {
    let Some(programs) = python::programs() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("four.nc");
    python::run(&programs, "netcdf_c.py", &["write".as_ref(), "NETCDF4".as_ref(), path.as_ref()]);
    let error = Reader::open(File::open(&path).expect("a file")).err().expect("refused");
    assert_eq!(error.problem, Problem::Unsupported);
    assert!(error.message.contains("NetCDF-4"), "{error}");
    assert!(error.help.expect("help").contains("nccopy"));
}

#[test]
fn a_variable_at_4_gib_is_where_the_header_says() {
    let Some(programs) = python::programs() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let mut definition = Definition::new();
    let (high, wide) = (definition.dimension("HIGH", (1 << 16) - 1), definition.dimension("WIDE", 1 << 16));
    let row = definition.dimension("ROW", 1 << 17);
    definition.variable(Variable::new("gap", Type::Byte, [high, wide]));
    definition.variable(Variable::new("last", Type::Byte, [row]));
    let path = directory.path().join("large.nc");
    let mut file = File::create_new(&path).expect("a file");
    let writer = Writer::new(&file, definition).expect("a good definition");
    assert_eq!(writer.version(), Version::Cdf2);
    // Only the header is written by it: what comes after is a hole, and then the last variable, which ends the file.
    let header = file.stream_position().expect("a position");
    file.seek(SeekFrom::Start(header + ((1 << 32) - (1 << 16)))).expect("a hole");
    file.write_all(&vec![5; 1 << 17]).expect("space");
    let script = "import netCDF4, sys; f = netCDF4.Dataset(sys.argv[1]); print(f.data_model, int(f['last'][:].sum()))";
    let output = std::process::Command::new(programs.join("python")).args(["-c", script]).arg(&path).output();
    let output = output.expect("python of the services");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        format!("NETCDF3_64BIT_OFFSET {}", 5 << 17),
        "{output:?}"
    );
}

/// A file is shorter than its variables say: the reader's own check, not one of the content.
#[test]
fn a_file_that_was_cut_short_is_refused_at_once() {
    let (definition, values) = everything(true, 3);
    let bytes = write(&definition, &values);
    let mut cut = tempfile::tempfile().expect("a file");
    cut.write_all(&bytes[..bytes.len() - 9]).expect("space");
    let error = Reader::open(cut).err().expect("refused");
    assert_eq!((error.problem, error.byte), (Problem::Malformed, Some(bytes.len() as u64 - 9)));
    assert!(error.help.expect("help").contains("cut short"));
    Reader::open(Cursor::new(bytes)).expect("whole, it is read");
}
