//! What stands for statements in a build without SQL: there are none.

use std::sync::Arc;

use tidegate_engine::{Context, Input};
use tidegate_model::{self as model, ErrorKind, Failure, Pipeline};
use tidegate_stores::Table;

use super::row::Row;

/// Statements, of which there are none.
pub(super) enum Statements {}

/// What no statement gave.
pub(super) struct Found {
    pub(super) note: String,
}

/// Further columns, of which there are none.
#[derive(Default)]
pub(super) struct Columns {}

impl Statements {
    pub(super) fn of(function: &model::Function, _: &Pipeline) -> Result<Option<Self>, Failure> {
        let is_asked = |name: &&str| function.options.contains_key(*name);
        match ["columns", "rows"].iter().find(|name| is_asked(name)) {
            Some(name) => {
                let reason = format!("`{name}` of [function.{}] needs SQL, which this build has not", function.name);
                Err(Failure::new("R0601", ErrorKind::Invalid, reason).help("build it with the feature `sql`"))
            }
            None => Ok(None),
        }
    }

    pub(super) async fn run(&self, _: &Context, _: &Arc<Input>) -> Result<Found, Failure> {
        match *self {}
    }
}

impl Found {
    pub(super) async fn commit(self) -> Result<Columns, Failure> {
        Ok(Columns::default())
    }
}

impl Columns {
    pub(super) async fn join(&self, row: Row, _: &dyn Table, _: Option<&model::Table>) -> Result<Row, Failure> {
        Ok(row)
    }
}
