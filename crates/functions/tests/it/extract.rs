//! `extract` on SQLite and on a real Postgres: whatever happens to the database, whoever applies the manifests has it.

mod cases;
mod chain;
mod shop;
mod totesys;
