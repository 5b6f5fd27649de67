//! A plain CSV: rows, and what its columns hold.

use std::io::Read;

use crate::csv::{Options, Reader};
use crate::statistics::{Code, Extent, Parameter, Parsed, Statistics, parse};
use crate::{Error, Problem};

/// Columns that are looked at.
const MOST_COLUMNS: usize = 2_000;

/// What a CSV comes to.
pub(super) fn statistics(input: impl Read + Send) -> Result<Statistics, Error> {
    let mut reader = Reader::new(input, &Options::default())?;
    let Some(header) = reader.read()? else {
        return Err(Error::new(Problem::Malformed, "the file is empty").expected("a header line"));
    };
    let mut parameters: Vec<Parameter> =
        header.iter().take(MOST_COLUMNS).map(|name| Parameter::new(name.trim(), "")).collect();
    let width = header.len();
    let place = |words: [&str; 2], parameters: &[Parameter]| {
        parameters.iter().position(|parameter| words.iter().any(|word| parameter.name.eq_ignore_ascii_case(word)))
    };
    let latitude = place(["lat", "latitude"], &parameters);
    let longitude = place(["lon", "longitude"], &parameters);
    let mut found = Statistics { kind: "csv".to_owned(), members: 1, ..Statistics::default() };
    while let Some(record) = reader.read()? {
        found.observations += 1;
        if record.len() != width {
            found.wrong_width += 1;
            let code = if record.len() < width { Code::RowShort } else { Code::RowLong };
            found.findings.record(code, "", record.line());
            continue;
        }
        for (at, (parameter, text)) in parameters.iter_mut().zip(record.iter()).enumerate() {
            parameter.count += 1;
            let text = text.trim().as_bytes();
            let value = match parse(text) {
                _ if text.is_empty() => {
                    parameter.blank += 1;
                    continue;
                }
                Some(Parsed::Plain(number) | Parsed::Odd(number)) => {
                    parameter.take_number(number);
                    number.value()
                }
                Some(Parsed::Wide(value)) => {
                    parameter.moments.push_double(value);
                    value
                }
                None => {
                    parameter.take_text(text);
                    continue;
                }
            };
            if Some(at) == latitude && value.abs() <= 90.0 {
                Extent::widen(&mut found.latitude, value);
            }
            if Some(at) == longitude && (-180.0..=360.0).contains(&value) {
                Extent::widen(&mut found.longitude, value);
            }
        }
    }
    if found.observations == 0 {
        found.findings.record(Code::NoData, "", 0);
    }
    // Names may stand twice; the later ones are numbered.
    for at in 1..parameters.len() {
        let repeated = parameters[..at].iter().filter(|earlier| earlier.name == parameters[at].name).count();
        if repeated > 0 {
            found.findings.record(Code::RepeatedParameter, &parameters[at].name, 1);
            parameters[at].name = format!("{} ({})", parameters[at].name, repeated + 1);
        }
    }
    found.parameters = parameters;
    Ok(found)
}
