//! What a Lambda function logs: JSON, a line each, with the id of the request. Alarms count the lines that have `settled`.

use tidegate_engine::Observer;
use tidegate_model::RunState;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// Starts it. The libraries below us are heard when they warn.
pub(super) fn start() {
    let ours =
        ["tidegate", "tidegate_engine", "tidegate_stores", "tidegate_functions", "tidegate_smtp", "tidegate_aws"];
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets(ours.map(|target| (target, LevelFilter::INFO)))
        // Its spans hold the id of the request.
        .with_target("lambda_runtime", LevelFilter::INFO);
    let layer = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_writer(std::io::stderr);
    tracing_subscriber::registry().with(filter).with(layer).init();
}

/// Logs how each attempt ended.
pub(super) fn observer() -> Observer {
    Box::new(|attempt, settlement| {
        let (function, event, run) = (&attempt.function, attempt.event.name(), settlement.run);
        let (settled, number) = (settlement.state.as_str(), attempt.number);
        match (settlement.state, &settlement.failure) {
            (RunState::Waiting, Some(failure)) => {
                tracing::warn!(function, event, %run, attempt = number, %failure, "failed, will be tried again");
            }
            (RunState::Failed, Some(failure)) => {
                tracing::warn!(settled, function, event, %run, attempt = number, %failure, "failed");
            }
            _ => {
                let (note, rejected) = (settlement.note.as_deref(), settlement.rejected);
                tracing::info!(settled, function, event, %run, attempt = number, rejected, note, "settled");
            }
        }
    })
}
