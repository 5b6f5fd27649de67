//! Listings from the indexes of the state table: lists that each sort by `at` become one, read page by page as it is asked for.

use std::collections::VecDeque;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::try_join_all;
use jiff::Timestamp;
use tidegate_stores::Result;

use super::attributes::{Attribute, Attributes, maybe_text};
use super::change::names;
use super::state::StateTable;
use crate::error::told;

/// One list of one index.
#[derive(Debug, Clone)]
pub(crate) struct Select {
    index: &'static str,
    value: String,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    is_ascending: bool,
    /// Only items with this attribute at this value.
    filter: Option<(&'static str, AttributeValue)>,
}

impl Select {
    /// What is listed under `value`, the newest first.
    pub(crate) fn list(value: impl Into<String>) -> Self {
        Self { index: "list", value: value.into(), since: None, until: None, is_ascending: false, filter: None }
    }

    /// What is about the object `value`, the newest first.
    pub(crate) fn object(value: impl Into<String>) -> Self {
        Self { index: "object", ..Self::list(value) }
    }

    /// Only what is from `since` on.
    #[must_use]
    pub(crate) fn since(self, since: Option<Timestamp>) -> Self {
        Self { since, ..self }
    }

    /// Only what is up to `until`.
    #[must_use]
    pub(crate) fn until(self, until: Timestamp) -> Self {
        Self { until: Some(until), ..self }
    }

    /// The oldest first.
    #[must_use]
    pub(crate) fn ascending(self) -> Self {
        Self { is_ascending: true, ..self }
    }

    /// Only items with the attribute `name` at this value.
    #[must_use]
    pub(crate) fn with(self, name: &'static str, value: impl Attribute) -> Self {
        Self { filter: Some((name, value.attribute())), ..self }
    }

    fn query(&self, table: &StateTable) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
        let mut condition = format!("#{} = :value", self.index);
        let mut call = table.sdk.query().table_name(&table.name).index_name(self.index);
        call = call.expression_attribute_values(":value", self.value.as_str().attribute());
        match (self.since, self.until) {
            (Some(since), Some(until)) => {
                condition += " AND #at BETWEEN :since AND :until";
                call = call.expression_attribute_values(":since", since.attribute());
                call = call.expression_attribute_values(":until", until.attribute());
            }
            (Some(since), None) => {
                condition += " AND #at >= :since";
                call = call.expression_attribute_values(":since", since.attribute());
            }
            (None, Some(until)) => {
                condition += " AND #at <= :until";
                call = call.expression_attribute_values(":until", until.attribute());
            }
            (None, None) => {}
        }
        let filter = self.filter.as_ref().map(|(name, _)| format!("#{name} = :wanted"));
        if let Some((_, value)) = &self.filter {
            call = call.expression_attribute_values(":wanted", value.clone());
        }
        call = call.set_expression_attribute_names(names(Some(&condition), filter.as_deref()));
        call.key_condition_expression(condition).set_filter_expression(filter).scan_index_forward(self.is_ascending)
    }

    /// All of it.
    pub(crate) async fn all(&self, table: &StateTable) -> Result<Vec<Attributes>> {
        let mut listing = Listing::new(table, vec![self.clone()]);
        let mut found = Vec::new();
        while let Some(item) = listing.next().await? {
            found.push(item);
        }
        Ok(found)
    }

    /// How many there are.
    pub(crate) async fn count(&self, table: &StateTable) -> Result<u64> {
        let (mut count, mut after) = (0, None);
        loop {
            let call = self.query(table).select(aws_sdk_dynamodb::types::Select::Count).set_exclusive_start_key(after);
            let page = call.send().await.map_err(|error| told(counting(table), error))?;
            count += u64::from(page.count.unsigned_abs());
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(count);
            }
        }
    }
}

fn counting(table: &StateTable) -> String {
    format!("listing from the state table `{}`", table.name)
}

/// Lists merged into one. All of them sort the same way.
pub(crate) struct Listing<'t> {
    table: &'t StateTable,
    parts: Vec<Part>,
}

struct Part {
    select: Select,
    read: VecDeque<Attributes>,
    after: Option<Attributes>,
    is_at_end: bool,
}

impl<'t> Listing<'t> {
    pub(crate) fn new(table: &'t StateTable, selects: Vec<Select>) -> Self {
        let part = |select| Part { select, read: VecDeque::new(), after: None, is_at_end: false };
        Self { table, parts: selects.into_iter().map(part).collect() }
    }

    /// The next item of all.
    pub(crate) async fn next(&mut self) -> Result<Option<Attributes>> {
        let table = self.table;
        try_join_all(self.parts.iter_mut().map(|part| part.fill(table))).await?;
        let at = |part: &Part| part.read.front().and_then(|item| maybe_text(item, "at").map(str::to_owned));
        let heads = self.parts.iter().enumerate().filter(|(_, part)| !part.read.is_empty());
        let next = match self.parts.first().is_some_and(|part| part.select.is_ascending) {
            true => heads.min_by_key(|(_, part)| at(part)),
            false => heads.max_by_key(|(_, part)| at(part)),
        };
        let Some(next) = next.map(|(index, _)| index) else { return Ok(None) };
        Ok(self.parts[next].read.pop_front())
    }
}

impl Part {
    /// Reads on until something is there or nothing is left.
    async fn fill(&mut self, table: &StateTable) -> Result<()> {
        while self.read.is_empty() && !self.is_at_end {
            let call = self.select.query(table).set_exclusive_start_key(self.after.take());
            let page = call.send().await.map_err(|error| told(counting(table), error))?;
            self.read.extend(page.items.unwrap_or_default());
            self.after = page.last_evaluated_key;
            self.is_at_end = self.after.is_none();
        }
        Ok(())
    }
}
