//! Floor 1: the words of tidegate as plain types. No I/O, no async, no Arrow, no clock.
//!
//! A pipeline file becomes a checked [`Pipeline`]; an object version or a tick becomes an [`Event`];
//! one function on one event is a run with a derived [`RunId`]; what goes wrong is a [`Diagnostic`]
//! (in a file a person wrote) or a [`Failure`] (of a run). Everything above this floor speaks in these types.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod address;
mod aws;
mod codes;
mod diagnostic;
mod duration;
mod event;
mod failure;
mod file;
mod grant;
mod id;
mod key;
mod kind;
mod pipeline;
mod reference;
mod render;
mod run;
mod schema;

pub use address::Address;
pub use aws::{Aws, Needs};
pub use codes::{PAGES, codes, explain};
pub use diagnostic::{Diagnostic, Severity, Span};
pub use duration::{format_duration, parse_duration};
pub use event::{Event, ObjectVersion, Tick};
pub use failure::{ErrorKind, Failure, Place};
pub use file::{Checked, check, nearest};
pub use grant::{Access, Grants};
pub use id::{EventId, MailId, Revision, RunId};
pub use key::{Key, KeyError};
pub use kind::{KindSpec, OptionSpec, OptionType, Targets, TriggerNeed};
pub use pipeline::{
    Bucket, Columns, Cron, Database, Function, KeyGlobs, Mail, Pipeline, Retry, Setting, Table, TableKey, Trigger,
    ValueType,
};
pub use reference::reference;
pub use render::{render, render_json};
pub use run::{Output, RunState};
pub use schema::json_schema;
