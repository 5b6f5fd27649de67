//! The binary as people use it: every test starts it in a temporary directory and reads what they would read.

mod flow;
mod generated;
mod place;
mod processes;
mod wrong;
