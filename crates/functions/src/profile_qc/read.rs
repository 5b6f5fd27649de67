//! Bytes of a sensor's file to a deployment: one pass, batch by batch, into packed columns.

use std::io::Read;

use tidegate_formats::{Error as FormatError, moana};
use tidegate_ocean::attribute::Attributes;
use tidegate_ocean::deployment::{Builder, Deployment, Row, Variable};
use tidegate_ocean::rules::Conduct;

/// Reads a deployment as a conduct of rules sees it; the account says where each line went. `keep_going` is asked after
/// every batch.
///
/// # Errors
/// `Io` from underneath, `Malformed` for broken gzip data, `TooLarge` for an endless line.
pub fn read(
    input: impl Read + Send,
    name: &str,
    options: &moana::Options,
    conduct: Conduct,
    mut keep_going: impl FnMut() -> bool,
) -> Result<(Deployment, moana::Account), FormatError> {
    let mut reader = moana::Reader::new(input, options)?;
    let (mut builder, mut rows) = (Builder::default(), moana::Rows::default());
    while reader.read(&mut rows)? && keep_going() {
        for index in 0..rows.len() {
            builder.push(Row {
                line: rows.line[index],
                time: rows.time[index],
                latitude: rows.latitude[index],
                longitude: rows.longitude[index],
                pressure: rows.pressure[index],
                temperature: rows.temperature[index],
                is_cut: rows.is_short[index],
            });
        }
    }
    let (header, account) = reader.into_parts();
    let is_ops_qc = conduct == Conduct::OpsQc;
    let pairs = if is_ops_qc { moana::ops_qc::attributes(&header, &account) } else { header.attributes() };
    let mut deployment = builder.finish(name, Attributes::from_iter(pairs));
    if is_ops_qc {
        let failure = moana::ops_qc::failure(&header, &account);
        deployment.ops_qc_failure = failure.map(|failure| (failure.mode, failure.detail));
        let variable = |column| if column == moana::Column::Pressure { Variable::Pressure } else { Variable::Position };
        let words = moana::ops_qc::words(&account).into_iter();
        deployment.words = words.map(|(line, column)| (line, variable(column))).collect();
    }
    Ok((deployment, account))
}
