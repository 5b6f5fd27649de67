//! Dimensions: one row for each key, always the latest. Rows that are equal are not written, rows that the source has lost
//! stay, because facts refer to them.

use super::layout::Shape;
use super::session::{Session, list, matching, quoted};
use super::stage::STAGE;
use super::{Step, TableReport};
use crate::Result;

/// Makes staged rows part of the table.
///
/// # Errors
/// As [`Session::execute`].
pub(super) fn merge(
    session: &mut dyn Session,
    shape: &Shape,
    staged: u64,
    report: &mut TableReport,
    step: &mut dyn FnMut(Step),
) -> Result<()> {
    let (table, key) = (quoted(&shape.name), list("", &shape.key));
    step(Step::Comparing);
    let repeated = format!("SELECT 1 FROM {STAGE} GROUP BY {key} HAVING count(*) > 1 LIMIT 1");
    let mut rows = staged;
    if session.is_there(&repeated)? {
        let position = session.dialect().position();
        let earlier =
            format!("DELETE FROM {STAGE} WHERE {position} NOT IN (SELECT max({position}) FROM {STAGE} GROUP BY {key})");
        rows -= session.execute(&earlier, &[])?;
    }
    let values: Vec<String> = shape.names().into_iter().filter(|name| !shape.key.contains(name)).collect();
    let same_row = matching("d", "s", &shape.key);
    if !values.is_empty() {
        let set: Vec<String> = values.iter().map(|name| format!("{0} = s.{0}", quoted(name))).collect();
        let differs: Vec<String> =
            values.iter().map(|name| format!("d.{0} IS DISTINCT FROM s.{0}", quoted(name))).collect();
        let update = format!(
            "UPDATE {table} AS d SET {} FROM {STAGE} AS s WHERE {same_row} AND ({})",
            set.join(", "),
            differs.join(" OR ")
        );
        report.updated = session.execute(&update, &[])?;
    }
    let columns = list("", &shape.names());
    let insert = format!(
        "INSERT INTO {table} ({columns}) SELECT {} FROM {STAGE} AS s \
         WHERE NOT EXISTS (SELECT 1 FROM {table} AS d WHERE {same_row})",
        list("s.", &shape.names())
    );
    step(Step::Merging(rows));
    report.inserted = session.execute(&insert, &[])?;
    report.unchanged = staged.saturating_sub(report.updated + report.inserted);
    Ok(())
}
