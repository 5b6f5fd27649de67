//! What stands for AWS in a build that does not know it: nothing is ever there.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_engine::Clock;
use tidegate_model::{Failure, Pipeline};
use tidegate_stores::bucket::Surroundings;
use tidegate_stores::mail::{MailRecord, Outbox};
use tidegate_stores::{Ledger, Tables};

use super::Places;
use crate::exit::Stop;
use crate::project::Project;

/// It cannot be.
pub(crate) enum OnAws {}

/// None is known.
pub(crate) fn is_on_aws(_: &str) -> bool {
    false
}

/// There is none.
pub(crate) fn find(_: &Pipeline) -> Result<OnAws, Stop> {
    Err(Stop::wrong("this tidegate was built without AWS"))
}

impl OnAws {
    pub(crate) fn placed(&self, _: &Pipeline) -> Pipeline {
        match *self {}
    }

    pub(crate) fn ledger(&self) -> Arc<dyn Ledger> {
        match *self {}
    }

    pub(crate) fn tables(&self, _: &Project) -> Arc<dyn Tables> {
        match *self {}
    }

    pub(crate) fn outbox(&self) -> Result<Arc<dyn Outbox>, Stop> {
        match *self {}
    }

    pub(crate) async fn wake_sender(&self, _: &Project, _: &MailRecord) -> Result<(), Stop> {
        match *self {}
    }

    pub(crate) fn secret(&self, _: &str) -> Result<String, Failure> {
        match *self {}
    }

    pub(crate) fn complete(&self, _: &mut BTreeMap<String, String>) {
        match *self {}
    }

    pub(crate) fn lend_credentials<'a>(&self, _: Surroundings<'a>) -> Surroundings<'a> {
        match *self {}
    }
}

pub(super) async fn places(_: &Project, aws: &OnAws, _: &Clock) -> Result<Places, Stop> {
    match *aws {}
}
