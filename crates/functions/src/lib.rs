//! Floor 4: the built-in function kinds, one folder each. [`catalog`] lists them; the binary checks pipeline files
//! against it and gives it to the engine.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod alarm;
pub mod b12_validate;
pub mod command;
pub mod convert;
pub mod csv_to_table;
pub mod digest;
pub mod extract;
mod hash;
pub mod http_submit;
pub mod load;
mod predecessor;
pub mod profile_qc;
pub mod publish;
pub mod report;
mod rows;
#[cfg(feature = "sql")]
pub mod sql;
pub mod summarise;
mod together;
pub mod wibl_process;

use tidegate_engine::Kind;

/// Every built-in kind, in the order of the reference.
pub fn catalog() -> Vec<Kind> {
    vec![
        alarm::KIND,
        command::KIND,
        convert::KIND,
        csv_to_table::KIND,
        digest::KIND,
        extract::KIND,
        profile_qc::KIND,
        publish::KIND,
        report::KIND,
        #[cfg(feature = "sql")]
        sql::KIND,
        summarise::KIND,
        wibl_process::KIND,
        b12_validate::KIND,
        http_submit::KIND,
        load::KIND,
    ]
}
