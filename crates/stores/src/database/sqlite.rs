//! Databases in SQLite files: what is there when nothing is installed.

mod catalogue;
mod source;
mod text;

use std::path::PathBuf;
use std::sync::Arc;

use super::{Database, Source};
use crate::Result;
use crate::warehouse::{SqliteWarehouse, Warehouse};

/// A database in a file.
#[derive(Debug, Clone)]
pub struct SqliteDatabase {
    path: PathBuf,
}

impl SqliteDatabase {
    /// The database at `path`. Nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl Database for SqliteDatabase {
    fn source(&self) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(source::SqliteSource::new(self.path.clone())))
    }

    fn warehouse(&self) -> Result<Arc<dyn Warehouse>> {
        Ok(Arc::new(SqliteWarehouse::at(self.path.clone())))
    }

    fn trial(&self) -> Result<Arc<dyn Warehouse>> {
        Ok(Arc::new(SqliteWarehouse::tried_at(self.path.clone())))
    }
}

/// A name as an identifier of SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
