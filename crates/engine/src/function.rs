//! Hop 5's contract: what a function kind is ([`Kind`]) and what the engine asks of a function ([`Function`]).

use std::path::Path;

use async_trait::async_trait;
use tidegate_model::{self as model, Failure, KindSpec};
use tidegate_stores::Reject;

use crate::Context;

/// A built-in function kind: what it tells about itself, and how a function of it is made.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Name, options, targets.
    pub spec: &'static KindSpec,
    /// Makes a function from its checked description.
    ///
    /// # Errors
    /// What is wrong with options that only the kind itself can judge.
    pub build: Build,
}

/// Makes a function from its checked description and its pipeline.
pub type Build = fn(&model::Function, &model::Pipeline) -> Result<Box<dyn Function>, Failure>;

/// One function of a pipeline, ready to be called for any number of events, several at once.
#[async_trait]
pub trait Function: Send + Sync {
    /// Does the work of one run. May be called again for the same event after a crash: what it writes through the
    /// context is committed once.
    ///
    /// CPU-bound work belongs in `tokio::task::spawn_blocking`, and looks at [`Context::is_cancelled`] now and then.
    ///
    /// # Errors
    /// Why the run has no effect. Its [`model::ErrorKind`] decides whether it is tried again.
    async fn call(&self, context: &Context) -> Result<Outcome, Failure>;

    /// Everything that is wrong with files beside the pipeline file, in `dir`, that the function would read when it is called.
    fn faults_beside(&self, _dir: &Path) -> Vec<Failure> {
        Vec::new()
    }
}

/// What a successful call tells besides its outputs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// A line for people, for example `1000 rows: 990 new, 10 changed`.
    pub note: Option<String>,
    /// The first rows or parts of the input that were refused; at most [`Outcome::KEPT_REJECTS`] are kept.
    pub rejects: Vec<Reject>,
    /// How many were refused in all.
    pub rejected: u64,
}

impl Outcome {
    /// How many refused rows of one run the ledger keeps; the count is always exact.
    pub const KEPT_REJECTS: usize = 1_000;
}
