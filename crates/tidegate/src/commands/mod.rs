//! The commands, one file each: `run` takes what was typed and says how it ended.

pub(crate) mod backfill;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
#[cfg(feature = "aws")]
pub(crate) mod deploy;
#[cfg(feature = "aws")]
pub(crate) mod destroy;
pub(crate) mod explain;
mod export;
pub(crate) mod failures;
pub(crate) mod history;
#[cfg(feature = "server")]
pub(crate) mod logger;
pub(crate) mod mail;
pub(crate) mod new;
pub(crate) mod package;
pub(crate) mod plan;
pub(crate) mod put;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schema;
#[cfg(feature = "server")]
pub(crate) mod serve;
pub(crate) mod simulate;
pub(crate) mod status;
pub(crate) mod synth;
pub(crate) mod table;
pub(crate) mod trace;
pub(crate) mod verify;
