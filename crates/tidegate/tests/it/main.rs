//! The binary as people use it: every test starts it in a temporary directory and reads what they would read.

#![expect(clippy::unwrap_used, reason = "in a test, what cannot be done ends it")]

mod bathymetry;
#[cfg(all(feature = "aws", unix))]
mod cargo_lambda;
mod cloud;
mod cloud_batches;
#[cfg(feature = "aws")]
mod cloud_conservation;
#[cfg(all(feature = "aws", unix))]
mod cloud_laptop;
mod cloud_templates;
#[cfg(feature = "aws")]
mod deploy;
mod flow;
mod generated;
#[cfg(feature = "aws")]
mod github;
#[cfg(all(feature = "aws", feature = "sql"))]
mod guard;
mod lambda;
#[cfg(all(feature = "aws", feature = "sql"))]
mod least_privilege;
mod mail;
#[cfg(feature = "aws")]
mod ministack;
mod package;
mod place;
mod postgres;
mod processes;
mod review;
mod star;
mod submission;
mod synth;
mod terminal;
mod uploads;
mod warehouse;
mod wrong;
