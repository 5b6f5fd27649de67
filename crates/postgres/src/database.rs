//! A Postgres database of the pipeline file.

use std::sync::Arc;

use tidegate_stores::Result;
use tidegate_stores::database::{Database, Source};
use tidegate_stores::warehouse::Warehouse;

use crate::server::Server;
use crate::source::PostgresSource;
use crate::warehouse::PostgresWarehouse;

/// A database on a server. Nothing is reached before it is used.
#[derive(Debug, Clone)]
pub struct PostgresDatabase {
    server: Server,
}

impl PostgresDatabase {
    /// The database that the server's url names.
    pub fn new(server: Server) -> Self {
        Self { server }
    }
}

impl Database for PostgresDatabase {
    fn source(&self) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(PostgresSource::new(self.server.clone())))
    }

    fn warehouse(&self) -> Result<Arc<dyn Warehouse>> {
        Ok(Arc::new(PostgresWarehouse::new(self.server.clone())))
    }

    fn trial(&self) -> Result<Arc<dyn Warehouse>> {
        Ok(Arc::new(PostgresWarehouse::trial(self.server.clone())))
    }
}
