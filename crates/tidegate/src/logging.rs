//! Where `tracing` goes: stderr, as text or, with `--json`, as JSON lines.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// Starts it. Warnings are shown, `-v` shows what is done, `-vv` how, `-q` only errors.
pub(crate) fn start(verbose: u8, quiet: bool, json: bool) {
    let ours = match verbose {
        _ if quiet => LevelFilter::ERROR,
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    // The libraries below us are heard only when they warn, or when everything is asked for.
    let filter =
        Targets::new().with_default(if verbose > 2 { ours } else { ours.min(LevelFilter::WARN) }).with_targets(
            ["tidegate", "tidegate_engine", "tidegate_stores", "tidegate_functions", "tidegate_smtp"]
                .map(|target| (target, ours)),
        );
    // What the SDK of AWS could not find out is told by our own error, with what helps; its warnings beside that only confuse.
    let of_sdk = if verbose > 0 { LevelFilter::WARN } else { LevelFilter::OFF };
    let filter = filter.with_target("aws_", if verbose > 2 { ours } else { of_sdk });
    let is_terminal = std::io::stderr().is_terminal();
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && is_terminal;
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(verbose > 1);
    let registry = tracing_subscriber::registry().with(filter);
    if json {
        registry.with(layer.json()).init();
    } else if is_terminal && verbose == 0 {
        // Whoever reads along needs no times.
        registry.with(layer.with_ansi(colours).without_time().compact()).init();
    } else {
        registry.with(layer.with_ansi(colours).compact()).init();
    }
}
