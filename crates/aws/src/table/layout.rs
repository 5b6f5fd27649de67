//! What the state table says of a table: its columns, what loads reported, and who is at work on it; and what DynamoDB says of its key.

use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeDefinition, KeyType, ScalarAttributeType};
use serde::{Deserialize, Serialize};
use tidegate_model::{ErrorKind, RunId, ValueType};
use tidegate_stores::table::{check_key, check_type};
use tidegate_stores::{Error, Load, LoadReport, Result};

use super::encode::attribute;
use super::place::Place;
use crate::dynamo::{Attribute, Change, Key, fields, json, maybe_json, nested};
use crate::error::told;

/// Columns of a table, the key's first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout {
    pub(super) columns: Vec<(String, ValueType)>,
    pub(super) key_columns: usize,
}

impl Layout {
    /// Names of the key's attributes.
    pub(super) fn key(&self) -> Vec<String> {
        key_attributes(&self.columns, self.key_columns)
    }
}

/// Names of the attributes that are the first of these columns.
pub(super) fn key_attributes(columns: &[(String, ValueType)], key_columns: usize) -> Vec<String> {
    columns.iter().take(key_columns).map(|(name, _)| attribute(name).to_owned()).collect()
}

/// One table of the pipeline, and the DynamoDB table that it is.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) place: Arc<Place>,
    /// In the pipeline file.
    pub(super) name: String,
    /// In DynamoDB.
    pub(super) dynamo: String,
}

impl Named {
    fn partition(&self) -> String {
        format!("table#{}", self.name)
    }

    fn load_key(&self, run: RunId) -> Key {
        Key::new(self.partition(), format!("load#{run}"))
    }

    /// Where those who load take turns.
    pub(super) fn lock_key(&self) -> Key {
        Key::new(self.partition(), "loading")
    }

    /// The columns; `None` if nothing was ever loaded.
    pub(super) async fn layout(&self) -> Result<Option<Layout>> {
        let item = self.place.state.get(&Key::new(self.partition(), "columns")).await?;
        item.map_or(Ok(None), |item| maybe_json(&item, "columns"))
    }

    /// Notes the columns.
    pub(super) async fn set_layout(&self, layout: &Layout) -> Result<()> {
        let key = Key::new(self.partition(), "columns");
        self.place.state.put(fields(&key, [("columns", nested(layout)?)])).await
    }

    /// What a load of this run has reported.
    pub(super) async fn report_of(&self, run: RunId) -> Result<Option<LoadReport>> {
        let item = self.place.state.get(&self.load_key(run)).await?;
        item.map(|item| json(&item, "report")).transpose()
    }

    /// Notes what the load of a run has done.
    pub(super) async fn set_report(&self, run: RunId, report: &LoadReport) -> Result<()> {
        let change = Change::of(self.load_key(run)).set("report", nested(report)?);
        self.place.state.change(change.set("table", self.dynamo.as_str().attribute())).await.map(drop)
    }

    /// Refuses a load whose key is not that of the table in DynamoDB, or whose table is not there.
    pub(super) async fn check_schema(&self, load: &Load) -> Result<()> {
        let what = || format!("table `{}`, in DynamoDB `{}`", self.name, self.dynamo);
        if load.key_columns > 2 {
            let what = format!("{} cannot have a key of {} columns", what(), load.key_columns);
            return Err(Error::new(ErrorKind::Invalid, what).help("DynamoDB takes two, a partition key and a sort key"));
        }
        let asked = self.place.sdk().describe_table().table_name(&self.dynamo).send().await;
        let described = asked.map_err(|error| {
            let error = told(format!("{} was looked at", what()), error);
            match error.kind {
                ErrorKind::NotFound => error.help("deploy the stack, which makes it, or make it by hand with this key"),
                _ => error,
            }
        })?;
        let Some(table) = described.table else { return Ok(()) };
        let letter = |name: &str| {
            let is_it = |definition: &&AttributeDefinition| definition.attribute_name == name;
            table.attribute_definitions().iter().find(is_it).map(|definition| definition.attribute_type.clone())
        };
        let mut there: Vec<(bool, String, Option<ScalarAttributeType>)> = table
            .key_schema()
            .iter()
            .map(|key| (key.key_type == KeyType::Range, key.attribute_name.clone(), letter(&key.attribute_name)))
            .collect();
        there.sort_by_key(|(is_sort_key, ..)| *is_sort_key);
        let wanted = load.columns[..load.key_columns].iter().map(|(name, value)| {
            let letter = if *value == ValueType::Integer { ScalarAttributeType::N } else { ScalarAttributeType::S };
            (attribute(name).to_owned(), letter)
        });
        let wanted: Vec<(String, ScalarAttributeType)> = wanted.collect();
        if there.iter().map(|(_, name, letter)| (name, letter.as_ref())).eq(wanted.iter().map(|(n, l)| (n, Some(l)))) {
            return Ok(());
        }
        let list = |key: &mut dyn Iterator<Item = (String, String)>| {
            key.map(|(name, letter)| format!("`{name}` ({letter})")).collect::<Vec<_>>().join(", ")
        };
        let is =
            list(&mut there.iter().map(|(_, n, l)| (n.clone(), l.as_ref().map_or("?", |l| l.as_str()).to_owned())));
        let comes = list(&mut wanted.iter().map(|(n, l)| (n.clone(), l.as_str().to_owned())));
        let what = format!("{} has the key {is}, but the load's is {comes}", what());
        Err(Error::new(ErrorKind::Invalid, what)
            .help("declare that key in the pipeline file; DynamoDB never changes one"))
    }
}

/// The columns after a load, and what that changes.
pub(super) fn fit(layout: Option<Layout>, load: &Load) -> Result<(Layout, LoadReport)> {
    let mut report = LoadReport::default();
    let Some(mut layout) = layout else {
        return Ok((Layout { columns: load.columns.clone(), key_columns: load.key_columns }, report));
    };
    check_key(&layout.columns[..layout.key_columns], &load.columns[..load.key_columns])?;
    for (name, value) in &load.columns {
        match layout.columns.iter_mut().find(|(known, _)| known == name) {
            None => {
                layout.columns.push((name.clone(), *value));
                report.new_columns.push(name.clone());
            }
            Some((_, is)) if is == value => {}
            Some((_, is)) => {
                check_type(name, *is, *value)?;
                *is = *value;
                report.widened_columns.push((name.clone(), *value));
            }
        }
    }
    Ok((layout, report))
}
