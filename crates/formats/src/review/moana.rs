//! A deployment of a Moana sensor.

use std::io::Read;

use jiff::Timestamp;

use crate::moana::{self, MISSING_TIME, Options, Reader, Rows};
use crate::statistics::{Code, Extent, Parameter, Statistics};
use crate::{Error, Problem};

/// What a deployment comes to.
pub(super) fn statistics(input: impl Read + Send) -> Result<Statistics, Error> {
    let mut reader = Reader::new(input, &Options::default())?;
    let mut found = Statistics { kind: "moana".to_owned(), members: 1, ..Statistics::default() };
    let mut rows = Rows::default();
    let named = [
        ("LATITUDE", "degrees_north"),
        ("LONGITUDE", "degrees_east"),
        ("PRESSURE", "dbar"),
        ("TEMPERATURE", "degree_Celsius"),
    ];
    let mut parameters = named.map(|(name, unit)| Parameter::new(name, unit));
    let mut times: Option<(i64, i64)> = None;
    while reader.read(&mut rows)? {
        found.observations += rows.len() as u64;
        for time in rows.time.iter().copied().filter(|time| *time != MISSING_TIME) {
            let (first, last) = times.unwrap_or((time, time));
            times = Some((first.min(time), last.max(time)));
        }
        let columns = [&rows.latitude, &rows.longitude, &rows.pressure, &rows.temperature];
        for (parameter, values) in parameters.iter_mut().zip(columns) {
            for value in values {
                parameter.count += 1;
                if value.is_finite() {
                    parameter.moments.push_double(*value);
                } else {
                    parameter.blank += 1;
                }
            }
        }
    }
    let account = reader.account();
    if let Some(fault) = account.fault() {
        let error = Error::new(Problem::Malformed, fault.code.message()).help(fault.code.help());
        return Err(if fault.line > 0 { error.at_line(fault.line) } else { error });
    }
    for (theirs, ours) in [
        (moana::Code::RowShort, Code::RowShort),
        (moana::Code::RowLong, Code::RowLong),
        (moana::Code::BadTime, Code::BadTime),
        (moana::Code::NotANumber, Code::NotANumber),
        (moana::Code::ByteOrderMark, Code::ByteOrderMark),
        (moana::Code::NotUtf8, Code::NotUtf8),
    ] {
        if account.count(theirs) > 0 {
            let line = account.findings.iter().find(|finding| finding.code == theirs).map_or(0, |finding| finding.line);
            found.findings.record_many(ours, "", line, account.count(theirs));
        }
    }
    found.wrong_width = account.count(moana::Code::RowShort) + account.count(moana::Code::RowLong);
    found.comment_lines = account.header_lines;
    found.end_data = u64::from(account.trailer.is_some());
    found.lines_after_end = account.after_trailer;
    if let Some((first, last)) = times {
        let text =
            |micros: i64| Timestamp::from_microsecond(micros).map(|at| at.strftime("%Y-%m-%dT%H:%M:%S").to_string());
        if let (Ok(first), Ok(last)) = (text(first), text(last)) {
            found.time = Some((first, last));
        }
    }
    let extent = |parameter: &Parameter| Some(Extent { min: parameter.moments.min()?, max: parameter.moments.max()? });
    found.latitude = extent(&parameters[0]);
    found.longitude = extent(&parameters[1]);
    found.pressure = extent(&parameters[2]);
    found.parameters = parameters.into();
    Ok(found)
}
