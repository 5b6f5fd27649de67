//! Facts: every version of a row is kept. What differs from the latest version becomes the next; what refers to something
//! that is not there waits beside the table; what is gone is marked there, so that the published columns stay untouched.

use super::layout::{self, Shape};
use super::session::{Purpose, Session, Suspended, list, literal, matching, quoted, same};
use super::stage::{GONE, STAGE, Staged};
use super::types::ColumnType;
use super::{Delivery, Step, TableReport, ledger};
use crate::Result;

/// From this many rows on, foreign keys are put back over all rows instead of being looked up for each.
pub(super) const MANY: u64 = 10_000;

/// Staged rows with the number that each has among those of its fact.
const NUMBERED: &str = "_tidegate_numbered";

/// The table of one fact during one load.
pub(super) struct Facts<'l> {
    pub(super) session: &'l mut dyn Session,
    pub(super) shape: &'l Shape,
    pub(super) delivery: &'l Delivery,
    pub(super) purpose: Purpose,
    pub(super) report: &'l mut TableReport,
}

/// Why a row cannot become part of its table yet.
pub(super) struct Obstacle {
    /// SQL that is true for such rows.
    condition: String,
    reason: String,
}

impl Facts<'_> {
    /// Versions that wait and no longer have to become part of the table: the stage is empty before and after.
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub(super) fn release(&mut self, step: &mut dyn FnMut(Step)) -> Result<()> {
        let (parked, key) = (self.shape.parked(), &self.shape.key);
        let waits = format!("SELECT 1 FROM {parked} WHERE parked_state = 'waiting' LIMIT 1");
        if !self.session.is_there(&waits)? {
            return Ok(());
        }
        let (here, later) = (any(&self.obstacles("p")?), any(&self.obstacles("later")?));
        // A version that still waits, though a later one of its fact does not, would come after that if it came at all.
        let overtaken = format!(
            "UPDATE {parked} AS p SET parked_state = 'superseded' WHERE p.parked_state = 'waiting' AND ({here}) \
             AND EXISTS (SELECT 1 FROM {parked} AS later WHERE {} AND later.parked_state = 'waiting' \
             AND later.parked_id > p.parked_id AND NOT ({later}))",
            matching("later", "p", key)
        );
        self.session.execute(&overtaken, &[])?;
        let free = format!("p.parked_state = 'waiting' AND NOT ({here})");
        let columns = self.shape.names();
        let stage = format!(
            "INSERT INTO {STAGE} ({}) SELECT {} FROM {parked} AS p WHERE {free} ORDER BY p.parked_id",
            list("", &columns),
            list("p.", &columns)
        );
        let released = self.session.execute(&stage, &[])?;
        if released > 0 {
            self.session.execute(&format!("DELETE FROM {parked} AS p WHERE {free}"), &[])?;
            let is_repeated = self.is_repeated()?;
            self.append(released, is_repeated, step)?;
            self.session.execute(&format!("DELETE FROM {STAGE}"), &[])?;
            self.report.released += released;
        }
        Ok(())
    }

    /// Makes staged rows part of the table, and marks facts as gone whose keys are staged as such.
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub(super) fn merge(&mut self, staged: &Staged, is_full: bool, step: &mut dyn FnMut(Step)) -> Result<()> {
        step(Step::Comparing);
        if is_full {
            let key = matching("s", "c", &self.shape.key);
            self.mark_gone(&format!("WHERE NOT EXISTS (SELECT 1 FROM {STAGE} AS s WHERE {key})"))?;
            let key = matching("s", "p", &self.shape.key);
            self.supersede_where(&format!("NOT EXISTS (SELECT 1 FROM {STAGE} AS s WHERE {key})"))?;
        }
        let parked_before = self.last_parked()?;
        let is_repeated = !staged.is_ascending && self.is_repeated()?;
        let parked = self.park(is_repeated)?;
        if parked < staged.rows {
            self.supersede(parked_before, STAGE)?;
            self.append(staged.rows - parked, is_repeated, step)?;
        }
        if staged.gone > 0 {
            let (key, matches) = (list("", &self.shape.key), matching("s", "c", &self.shape.key));
            self.mark_gone(&format!("JOIN (SELECT DISTINCT {key} FROM {GONE}) AS s ON {matches}"))?;
            self.supersede(u64::MAX >> 1, GONE)?;
        }
        Ok(())
    }

    /// What may keep a row of `alias` from its table.
    pub(super) fn obstacles(&mut self, alias: &str) -> Result<Vec<Obstacle>> {
        let mut obstacles = Vec::new();
        for ((name, _), must_be_there) in self.shape.columns.iter().zip(self.shape.must_be_there()) {
            if must_be_there {
                let condition = format!("{alias}.{} IS NULL", quoted(name));
                obstacles.push(Obstacle { condition, reason: format!("`{name}` has no value") });
            }
        }
        for reference in &self.shape.references {
            let columns = reference.columns.iter().map(|name| format!("{alias}.{}", quoted(name)));
            let has_values: Vec<String> = columns.clone().map(|column| format!("{column} IS NOT NULL")).collect();
            let has_values = has_values.join(" AND ");
            let (table, named) = (&reference.table, reference.columns.join("`, `"));
            if self.session.describe(table)?.is_none() {
                let reason = format!("there is no table `{table}` for `{named}` yet");
                obstacles.push(Obstacle { condition: has_values, reason });
                continue;
            }
            let equal: Vec<String> =
                reference.to.iter().zip(columns).map(|(to, column)| format!("d.{} = {column}", quoted(to))).collect();
            let condition = format!(
                "{has_values} AND NOT EXISTS (SELECT 1 FROM {} AS d WHERE {})",
                quoted(table),
                equal.join(" AND ")
            );
            obstacles.push(Obstacle { condition, reason: format!("`{table}` has no row for `{named}`") });
        }
        Ok(obstacles)
    }

    fn last_parked(&mut self) -> Result<u64> {
        let sql = format!("SELECT CAST(coalesce(max(parked_id), 0) AS text) FROM {}", self.shape.parked());
        self.session.number(&sql, &[])
    }

    /// Whether several staged rows are versions of one fact.
    fn is_repeated(&mut self) -> Result<bool> {
        let key = list("", &self.shape.key);
        self.session.is_there(&format!("SELECT 1 FROM {STAGE} GROUP BY {key} HAVING count(*) > 1 LIMIT 1"))
    }

    /// Moves staged rows that cannot become part of the table to those that wait; tells how many left the stage. One that a
    /// later staged version of its fact overtakes, which `is_repeated` says there may be, does not wait: it would come after
    /// that one if it came at all.
    fn park(&mut self, is_repeated: bool) -> Result<u64> {
        let obstacles = self.obstacles("s")?;
        let Some(wrong) = Some(any(&obstacles)).filter(|_| !obstacles.is_empty()) else { return Ok(0) };
        let dialect = self.session.dialect();
        let moment = dialect.declared(ColumnType::Moment(6));
        let (run, at) = (dialect.parameter(1), dialect.parameter(2));
        let names = self.shape.names();
        let columns = list("", &names);
        let case: Vec<String> =
            obstacles.iter().map(|o| format!("WHEN {} THEN {}", o.condition, literal(&o.reason))).collect();
        let parked = self.shape.parked();
        let before = self.last_parked()?;
        let (state, order) = if is_repeated {
            let (position, later) = (dialect.position(), any(&self.obstacles("later")?));
            let overtakes = format!("{} AND later.{position} > s.{position}", matching("later", "s", &self.shape.key));
            let overtaken = format!("EXISTS (SELECT 1 FROM {STAGE} AS later WHERE {overtakes} AND NOT ({later}))");
            (format!("CASE WHEN {overtaken} THEN 'superseded' ELSE 'waiting' END"), format!(" ORDER BY s.{position}"))
        } else {
            ("'waiting'".to_owned(), String::new())
        };
        let insert = format!(
            "INSERT INTO {parked} ({columns}, parked_reason, parked_state, parked_run, parked_at) \
             SELECT {}, CASE {} END, {state}, {run}, CAST({at} AS {moment}) FROM {STAGE} AS s WHERE {wrong}{order}",
            list("s.", &names),
            case.join(" ")
        );
        let moved = self.session.execute(&insert, &[&self.delivery.run, &self.delivery.at.to_string()])?;
        if moved == 0 {
            return Ok(0);
        }
        self.session.execute(&format!("DELETE FROM {STAGE} AS s WHERE {wrong}"), &[])?;
        let repeats = self.forget_repeated(before)?;
        self.report.unchanged += repeats;
        let reasons = format!(
            "SELECT parked_reason, CAST(count(*) AS text) FROM {parked} \
             WHERE parked_id > {before} AND parked_state = 'waiting' GROUP BY parked_reason ORDER BY parked_reason"
        );
        for row in self.session.rows(&reasons, &[])? {
            if let [Some(reason), Some(count)] = row.as_slice() {
                let count = count.parse().unwrap_or(0);
                self.report.parked += count;
                self.report.reasons.push((reason.clone(), count));
            }
        }
        Ok(moved)
    }

    /// Rows that were just parked, though the latest version that waits is the same, are there already.
    fn forget_repeated(&mut self, before: u64) -> Result<u64> {
        let (parked, names) = (self.shape.parked(), self.shape.names());
        let repeated = format!(
            "DELETE FROM {parked} AS p WHERE p.parked_id > {before} AND EXISTS (SELECT 1 FROM {parked} AS earlier \
             WHERE {} AND earlier.parked_state = 'waiting' AND earlier.parked_id = (SELECT max(e.parked_id) \
             FROM {parked} AS e WHERE e.parked_state = 'waiting' AND e.parked_id < p.parked_id AND {}))",
            same("earlier", "p", &names),
            same("e", "p", &self.shape.key)
        );
        self.session.execute(&repeated, &[])
    }

    /// Versions up to `last` of facts in the temporary table `by` have waited for nothing.
    fn supersede(&mut self, last: u64, by: &str) -> Result<()> {
        if last == 0 {
            return Ok(());
        }
        let key = matching("s", "p", &self.shape.key);
        self.supersede_where(&format!("p.parked_id <= {last} AND EXISTS (SELECT 1 FROM {by} AS s WHERE {key})"))
    }

    /// Versions `p` of which this is true no longer wait.
    fn supersede_where(&mut self, which: &str) -> Result<()> {
        let parked = self.shape.parked();
        let sql = format!(
            "UPDATE {parked} AS p SET parked_state = 'superseded' WHERE p.parked_state = 'waiting' AND {which}"
        );
        self.session.execute(&sql, &[])?;
        Ok(())
    }

    /// Appends staged rows that differ from the latest version of their fact, in the order in which they came; without
    /// `is_repeated` there is one of each fact.
    fn append(&mut self, staged: u64, is_repeated: bool, step: &mut dyn FnMut(Step)) -> Result<()> {
        let (table, record) = (quoted(&self.shape.name), quoted(&self.shape.record));
        let is_begun = self.session.is_there(&format!("SELECT 1 FROM {table} LIMIT 1"))?;
        let mut rows = staged;
        let (from, is_first, order) = if is_repeated {
            rows -= self.number_versions()?;
            (NUMBERED, " AND s._tidegate_number = 1", " ORDER BY s._tidegate_number")
        } else {
            (STAGE, "", "")
        };
        let (current, same_fact) = (self.shape.current(), matching("c", "s", &self.shape.key));
        let mut updated = 0;
        if is_begun {
            let unchanged = format!(
                "DELETE FROM {from} AS s WHERE EXISTS (SELECT 1 FROM {current} AS c WHERE {same_fact} AND {}){is_first}",
                same("c", "s", &self.shape.names())
            );
            rows -= self.session.execute(&unchanged, &[])?;
            let known = format!(
                "SELECT CAST(count(*) AS text) FROM {from} AS s \
                 WHERE EXISTS (SELECT 1 FROM {current} AS c WHERE {same_fact}){is_first}"
            );
            updated = self.session.number(&known, &[])?;
        }
        if is_repeated {
            let further = format!("SELECT CAST(count(*) AS text) FROM {from} AS s WHERE s._tidegate_number > 1");
            updated += self.session.number(&further, &[])?;
        }
        step(Step::Merging(rows));
        if rows > 0 {
            let names = self.shape.names();
            let columns = list("", &names);
            let insert =
                format!("INSERT INTO {table} ({columns}) SELECT {} FROM {from} AS s{order}", list("s.", &names));
            self.insert(&insert, rows, &table, &record)?;
        }
        self.report.unchanged += staged - rows;
        self.report.updated += updated;
        self.report.inserted += rows - updated;
        if is_repeated {
            self.session.execute(&format!("DROP TABLE {NUMBERED}"), &[])?;
        }
        Ok(())
    }

    fn insert(&mut self, insert: &str, rows: u64, table: &str, record: &str) -> Result<()> {
        let last = format!("SELECT CAST(coalesce(max({record}), 0) AS text) FROM {table}");
        let before = self.session.number(&last, &[])?;
        let suspended = if rows < MANY { None } else { self.suspend(false)? };
        self.session.execute(insert, &[])?;
        layout::make_index(self.session, self.shape)?;
        for (_, statement) in suspended.unwrap_or_default().references {
            self.session.execute(&statement, &[])?;
        }
        let after = self.session.number(&last, &[])?;
        ledger::note_versions(self.session, self.delivery, &self.shape.name, (before + 1, after))
    }

    /// Takes the keys off the table, unless that is only tried: it would keep readers out.
    pub(super) fn suspend(&mut self, is_new: bool) -> Result<Option<Suspended>> {
        match self.purpose {
            Purpose::Load => self.session.suspend(&self.shape.name, is_new),
            Purpose::Try | Purpose::Read => Ok(None),
        }
    }

    /// Copies the stage with the number of each row among those of its fact, without rows that are equal to the one before
    /// them; tells how many those were.
    fn number_versions(&mut self) -> Result<u64> {
        let (key, position) = (list("s.", &self.shape.key), self.session.dialect().position());
        let number = format!(
            "CREATE TEMP TABLE {NUMBERED} AS SELECT row_number() OVER (PARTITION BY {key} ORDER BY s.{position}) \
             AS _tidegate_number, s.* FROM {STAGE} AS s"
        );
        self.session.execute(&number, &[])?;
        let mut index = self.shape.key.clone();
        index.push("_tidegate_number".to_owned());
        self.session.written(NUMBERED, &index)?;
        let equal = format!(
            "DELETE FROM {NUMBERED} AS s WHERE EXISTS (SELECT 1 FROM {NUMBERED} AS e WHERE {} \
             AND e._tidegate_number = s._tidegate_number - 1 AND {})",
            matching("e", "s", &self.shape.key),
            same("e", "s", &self.shape.names())
        );
        self.session.execute(&equal, &[])
    }

    /// Marks facts of the view `c` of latest versions as gone; `which` is the rest of the query.
    fn mark_gone(&mut self, which: &str) -> Result<()> {
        let dialect = self.session.dialect();
        let moment = dialect.declared(ColumnType::Moment(6));
        let (at, run) = (dialect.parameter(1), dialect.parameter(2));
        let record = quoted(&self.shape.record);
        let mark = format!(
            "INSERT INTO {deleted} ({record}, {}, deleted_at, deleted_run) \
             SELECT c.{record}, {}, CAST({at} AS {moment}), {run} FROM {current} AS c {which}",
            list("", &self.shape.key),
            list("c.", &self.shape.key),
            deleted = self.shape.deleted(),
            current = self.shape.current(),
        );
        // SQLite would take a join for the beginning of an upsert if no condition followed.
        let mark = if which.starts_with("JOIN") { format!("{mark} WHERE 1 = 1") } else { mark };
        self.report.deleted += self.session.execute(&mark, &[&self.delivery.snapshot, &self.delivery.run])?;
        Ok(())
    }
}

/// Any of the obstacles.
pub(super) fn any(obstacles: &[Obstacle]) -> String {
    match obstacles {
        [] => "1 = 0".to_owned(),
        some => some.iter().map(|o| format!("({})", o.condition)).collect::<Vec<_>>().join(" OR "),
    }
}
