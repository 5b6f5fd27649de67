//! Floor 1: pictures for people, from numbers to SVG text or PNG bytes. No I/O, no async, no clock, no fonts of the
//! system: the same numbers give the same picture on every machine.
//!
//! [`deployment()`] is the picture of one deployment, made to be read by a skipper. What it is made of serves other
//! pictures too: a [`Chart`] has two axes, a [`Map`] has a coastline; both draw [`Series`] into a frame of a
//! [`Picture`], which knows how to be written.
//!
//! ```
//! use tidegate_plots::{Axis, Chart, Frame, Picture, Series};
//!
//! let (temperature, depth) = ([18.2, 17.9, 13.1], [0.0, 20.0, 80.0]);
//! let mut picture = Picture::new(400, 300, "A profile");
//! let chart = Chart {
//!     x: Axis::numbers("Temperature (°C)", temperature),
//!     y: Axis::numbers("Depth (m)", depth).downwards(),
//!     series: vec![Series::flagged(&temperature, &depth, &[1, 1, 3])],
//! };
//! chart.draw(&mut picture, Frame::new(60.0, 20.0, 320.0, 230.0));
//! assert!(picture.svg().starts_with("<svg"));
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod axis;
mod chart;
mod clip;
mod coast;
mod degrees;
mod deployment;
mod flag;
mod font;
mod map;
mod picture;
mod png;
mod projection;
mod series;
mod svg;
mod thin;
mod ticks;

pub use axis::Axis;
pub use chart::Chart;
pub use deployment::{Deployment, deployment};
pub use flag::{Flag, legend};
pub use map::{Map, Place};
pub use picture::{Anchor, Colour, Frame, Mark, Picture, Shape, Text};
pub use series::Series;
