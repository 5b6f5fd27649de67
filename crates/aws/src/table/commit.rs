//! The commit of a load, while nobody else loads into its table: columns, rows, deletions, report, in this order.
//!
//! A table without items gets the rows as they are. Else each hundred of them is looked up first: what is there already is not
//! written again, which costs a fifth, and columns that the load does not have keep their values.

use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use bytes::Bytes;
use tidegate_model::{ErrorKind, ValueType};
use tidegate_stores::table::too_many_deleted;
use tidegate_stores::{Error, Load, LoadMode, LoadReport, Result};
use tokio::task::JoinSet;

use super::batch::{Row, Verb};
use super::encode::{MOST_BYTES, attribute};
use super::item::{Item, Merged, merge, size};
use super::layout::{Named, fit, key_attributes};
use super::load::Written;
use super::lookup::{Found, look_up};
use super::pace::Pace;
use super::scan::{key_json, keys_of};
use super::spool::{Place, Spool, Spooled};
use super::writer::Writer;
use crate::dynamo::Held;
use crate::error::told;

/// Rows that are looked up together.
const TOGETHER: usize = 100;

/// Bytes of rows that are looked up together.
const TOGETHER_BYTES: usize = 512 << 10;

/// Look-ups under way at once.
const LOOK_UPS: usize = 8;

/// One commit, or what it would do.
pub(super) struct Commit<'c> {
    pub(super) table: &'c Named,
    pub(super) load: &'c Load,
    pub(super) written: &'c Arc<Written>,
    pub(super) held: &'c Held,
    /// Whether it is done, or only told.
    pub(super) is_meant: bool,
}

impl Commit<'_> {
    pub(super) async fn run(&self) -> Result<LoadReport> {
        let before = self.table.layout().await?;
        let (layout, mut report) = fit(before.clone(), self.load)?;
        for (column, of) in &report.widened_columns {
            if *of == ValueType::Real {
                self.refuse_inexact(column).await?;
            }
        }
        let is_empty = self.is_empty().await?;
        report.duplicates = self.written.keys.duplicates;
        let gone = if is_empty { None } else { self.gone().await? };
        report.deleted = gone.as_ref().map_or(0, Spooled::len);
        if let LoadMode::Mirror { at_most_deleted } = self.load.mode
            && self.is_meant
            && report.deleted > at_most_deleted
        {
            return Err(too_many_deleted(&self.table.name, report.deleted, at_most_deleted));
        }
        // Columns come first: whoever reads a row of the load knows them.
        if self.is_meant && before.as_ref() != Some(&layout) {
            self.table.set_layout(&layout).await?;
        }
        let mut writer = self.writer();
        match is_empty {
            true => self.put_all(&mut writer, &mut report).await?,
            false => self.merge_all(&mut writer, &mut report).await?,
        }
        if self.is_meant {
            if let Some(gone) = gone {
                self.send_all(&mut writer, &gone, Verb::Delete, |_| true).await?;
            }
            writer.finish().await?;
            self.held.check()?;
            self.table.set_report(self.load.run, &report).await?;
        }
        Ok(report)
    }

    fn writer(&self) -> Writer {
        let place = &self.table.place;
        let key = key_attributes(&self.load.columns, self.load.key_columns);
        let who = u64::from(std::process::id());
        let [a, b, c, d, ..] = *self.load.run.as_bytes();
        let who = who << 32 | u64::from(u32::from_le_bytes([a, b, c, d]));
        let pace = place.most.get(&self.table.name).map(|most| Pace::new(*most));
        Writer::new(Arc::clone(&place.wire), self.table.dynamo.clone(), key, place.patience, who).paced(pace)
    }

    async fn is_empty(&self) -> Result<bool> {
        let scan = self.table.place.sdk().scan().table_name(&self.table.dynamo).limit(1).consistent_read(true);
        let page = scan.select(Select::Count).send().await;
        let page = page.map_err(|error| told(format!("table `{}` was read", self.table.name), error))?;
        Ok(page.count == 0 && page.last_evaluated_key.is_none())
    }

    /// Refuses to make a column real that holds integers which no real is equal to.
    async fn refuse_inexact(&self, column: &str) -> Result<()> {
        let beyond = |number: &str| AttributeValue::N(number.to_owned());
        let scan = self.table.place.sdk().scan().table_name(&self.table.dynamo).consistent_read(true);
        let scan =
            scan.filter_expression("#x > :most OR #x < :least").expression_attribute_names("#x", attribute(column));
        let scan = scan.expression_attribute_values(":most", beyond("9007199254740992"));
        let scan = scan.expression_attribute_values(":least", beyond("-9007199254740992")).select(Select::Count);
        let mut pages = scan.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| told(format!("the integers of column `{column}` were read"), error))?;
            if page.count > 0 {
                let what = format!("column `{column}` holds integers that no real is equal to");
                return Err(Error::new(ErrorKind::Invalid, what).help("declare it `string` in the table's `columns`"));
            }
        }
        Ok(())
    }

    /// Keys of the items that go: of those that may, those that the load does not have.
    async fn gone(&self) -> Result<Option<Spooled>> {
        let part = match &self.load.mode {
            LoadMode::Upsert => return Ok(None),
            LoadMode::Mirror { .. } => None,
            LoadMode::Part { of } => Some(of.as_str()),
        };
        let key = key_attributes(&self.load.columns, self.load.key_columns);
        let mut gone = Spool::new()?;
        let keys = &self.written.keys;
        keys_of(self.table, &key, part, |item| {
            let json = key_json(&key, item)?;
            if !keys.has(&json[..json.len() - 1])? {
                gone.push(0, json.len() - 1, &json)?;
            }
            Ok(())
        })
        .await?;
        gone.finish().map(Some)
    }

    /// Every row is new.
    async fn put_all(&self, writer: &mut Writer, report: &mut LoadReport) -> Result<()> {
        let written = &self.written;
        report.inserted = written.spool.len() - written.keys.duplicates;
        if !self.is_meant {
            return Ok(());
        }
        self.send_all(writer, &written.spool, Verb::Put, |place| !written.keys.is_dropped(place.index)).await
    }

    /// Sends the wanted ones of these items.
    async fn send_all(
        &self,
        writer: &mut Writer,
        spool: &Spooled,
        verb: Verb,
        is_wanted: impl Fn(&Place) -> bool,
    ) -> Result<()> {
        let mut items = spool.read()?;
        loop {
            self.held.check()?;
            let mut batch = writer.batch();
            while !batch.is_full() {
                let next = |bytes: &mut Vec<u8>| -> Result<Option<(u64, usize)>> {
                    let start = bytes.len();
                    while let Some(place) = items.next(bytes)? {
                        if is_wanted(&place) {
                            return Ok(Some((place.row, place.key)));
                        }
                        bytes.truncate(start);
                    }
                    Ok(None)
                };
                if !batch.add(verb, next)? {
                    break;
                }
            }
            if batch.is_empty() {
                return Ok(());
            }
            writer.send(batch).await?;
        }
    }

    /// Each row is compared with what is there.
    async fn merge_all(&self, writer: &mut Writer, report: &mut LoadReport) -> Result<()> {
        let mut items = self.written.spool.read()?;
        let key = key_attributes(&self.load.columns, self.load.key_columns);
        let mut looked_up: JoinSet<Found> = JoinSet::new();
        let mut batch = writer.batch();
        let mut is_at_end = false;
        loop {
            self.held.check()?;
            while looked_up.len() < LOOK_UPS && !is_at_end {
                let rows = self.next_rows(&mut items)?;
                is_at_end = rows.is_empty();
                if !is_at_end {
                    let (table, key) = (self.table.clone(), key.clone());
                    looked_up.spawn(async move { look_up(&table, &key, rows).await });
                }
            }
            let Some(found) = looked_up.join_next().await else { break };
            let found: Found =
                found.map_err(|error| Error::caused(ErrorKind::Bug, "a look-up came to no end", error))?;
            for (row, there) in found? {
                let Some(row) = self.merged(row, there.as_ref(), writer, report)? else { continue };
                batch.add_row(&row);
                while batch.is_full() {
                    let next = writer.batch();
                    writer.send(std::mem::replace(&mut batch, next)).await?;
                }
            }
        }
        if !batch.is_empty() {
            writer.send(batch).await?;
        }
        Ok(())
    }

    /// The next rows that are looked up together.
    fn next_rows(&self, items: &mut super::spool::Items) -> Result<Vec<Row>> {
        let (mut rows, mut bytes) = (Vec::with_capacity(TOGETHER), 0);
        while rows.len() < TOGETHER && bytes < TOGETHER_BYTES {
            let mut item = Vec::new();
            let Some(place) = items.next(&mut item)? else { break };
            if !self.written.keys.is_dropped(place.index) {
                bytes += item.len();
                rows.push(Row { verb: Verb::Put, number: place.row, key: place.key, item });
            }
        }
        Ok(rows)
    }

    /// What is written of a row; `None` if the item that is there says the same.
    fn merged(
        &self,
        row: Row,
        there: Option<&Item>,
        writer: &mut Writer,
        report: &mut LoadReport,
    ) -> Result<Option<Row>> {
        let Some(there) = there else {
            report.inserted += 1;
            return Ok(self.is_meant.then_some(row));
        };
        let unreadable = |error| Error::caused(ErrorKind::Bug, "a row cannot be read again", error);
        let new: Item = serde_json::from_slice(&row.item).map_err(unreadable)?;
        let item = match merge(there, &new, &self.load.columns) {
            Merged::Same => {
                report.unchanged += 1;
                return Ok(None);
            }
            Merged::Rewritten(item) => {
                report.unchanged += 1;
                item
            }
            Merged::Changed(item) => {
                report.updated += 1;
                item
            }
        };
        if size(&item) > MOST_BYTES {
            let why = format!(
                "with the columns that it had before, the row has {} bytes, more than {MOST_BYTES}",
                size(&item)
            );
            writer.refuse(row.number, why);
            return Ok(None);
        }
        // The key stands first, as everywhere.
        let mut json = row.item[..row.key].to_vec();
        let key = key_attributes(&self.load.columns, self.load.key_columns);
        for (name, value) in item.iter().filter(|(name, _)| !key.contains(name)) {
            json.push(b',');
            super::encode::put_text(name, &mut json);
            json.push(b':');
            json.extend_from_slice(value.to_string().as_bytes());
        }
        json.push(b'}');
        Ok(self.is_meant.then_some(Row { item: json, ..row }))
    }
}

/// A body that asks for the items with these keys.
pub(super) fn asking(table: &str, keys: impl Iterator<Item = Vec<u8>>) -> Bytes {
    let mut body = br#"{"RequestItems":{"#.to_vec();
    super::encode::put_text(table, &mut body);
    body.extend_from_slice(br#":{"ConsistentRead":true,"Keys":["#);
    for (index, key) in keys.enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&key);
    }
    body.extend_from_slice(b"]}}}");
    body.into()
}
