//! Floor 1: the science: ocean profiles from fishing gear, and soundings of passing vessels. No I/O, no async, no clock: columns in, flags out.
//!
//! | module | what it does |
//! |---|---|
//! | [`deployment`], [`series`] | what a sensor measured, in little memory |
//! | [`screen`], [`reset`], [`leg`] | which rows count, resets of the sensor, hauls |
//! | [`vessel`], [`gear`], [`sensor`] | whose data they are, how the gear behaves, what the header says |
//! | [`depth`], [`position`] | depth from pressure, distances |
//! | [`rules`], [`qc`], [`flag`] | rule sets as data, the tests, the flags |
//! | [`mod@check`] | all of it in order: hop 6 of the main path |
//! | [`overrides`], [`publication`] | decisions of people, and what may be public |
//! | [`sounding`] | crowd-sourced depths: their time and place from a logger's counter |
//!
//! Columns are packed: 20 million rows with their flags take about 250 MB.
//!
//! ```
//! use tidegate_ocean::check::{Setting, check};
//! use tidegate_ocean::deployment::{Builder, Row};
//! use tidegate_ocean::rules::RuleSet;
//! use tidegate_ocean::vessel::{Vessel, Vessels};
//!
//! let mut rows = Builder::default();
//! for second in 0..60_i64 {
//!     let time = (1_624_507_268 + 3 * second) * 1_000_000;
//!     let pressure = second.min(59 - second) as f64;
//!     rows.push(Row { line: second as u64 + 17, time, latitude: -35.1, longitude: 174.3, pressure, temperature: 17.5 - pressure / 100.0, is_cut: false });
//! }
//! let header = [("moana_serial_number", "38"), ("deck_unit_serial_number", "5101")];
//! let header = header.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
//! let table = [("Mangopare serial number", "38"), ("Deck unit serial number", "5101"), ("Fishing method", "Research"), ("Date supplied", "09/06/2021")];
//! let vessels = Vessels(vec![Vessel::read(|column| table.iter().find(|(name, _)| *name == column).map(|(_, value)| *value))]);
//! let now = "2021-07-01T00:00:00Z".parse()?;
//! let setting = Setting { rules: &RuleSet::default(), vessels: &vessels, overrides: &[], now };
//! let checked = check(rows.finish("MOANA_0038_13.csv", header), &setting);
//! assert!(checked.is_delivered);
//! assert_eq!(checked.flags.expect("tests ran").overall.counts()[1], 60);
//! # Ok::<(), jiff::Error>(())
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod attribute;
pub mod check;
pub mod deployment;
pub mod depth;
pub mod flag;
pub mod gear;
pub mod leg;
pub mod overrides;
pub mod position;
pub mod publication;
pub mod qc;
pub mod reset;
pub mod rules;
pub mod screen;
pub mod sensor;
pub mod series;
pub mod sounding;
mod time;
pub mod vessel;
