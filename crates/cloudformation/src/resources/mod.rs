//! What a stack is made of, a file a kind of resource.

pub(crate) mod alarm;
pub(crate) mod bucket;
pub(crate) mod event;
pub(crate) mod function;
pub(crate) mod intake;
pub(crate) mod queue;
pub(crate) mod schedule;
pub(crate) mod state;
pub(crate) mod table;
