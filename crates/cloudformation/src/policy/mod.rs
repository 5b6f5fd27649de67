//! Who may do what on AWS, as data: [`mod@derive`] makes it from the grants of the pipeline file, [`mod@deploy`] for whoever puts a stack there, [`evaluate`] answers whether a role
//! may do something, [`explain`] says in words what each permission is for.

pub mod deploy;
pub mod derive;
pub mod evaluate;
pub mod explain;
mod statement;

pub use statement::{Condition, Effect, Statement, document};
