//! Tables in DynamoDB: the seam `stores::Tables`.

use std::sync::Arc;

use async_trait::async_trait;
use tidegate_stores::{Result, Table, Tables};

use crate::Client;

/// The tables of one account and region.
pub struct DynamoTables {
    client: Client,
    state_table: String,
    name_of: NameOf,
}

/// The DynamoDB table that a table of the pipeline is.
pub type NameOf = Arc<dyn Fn(&str) -> String + Send + Sync>;

impl DynamoTables {
    /// The tables that `name_of` names; what is noted about them is in `state_table`. Nothing is called before it is needed.
    pub fn new(client: &Client, state_table: String, name_of: NameOf) -> Self {
        Self { client: client.clone(), state_table, name_of }
    }
}

#[async_trait]
impl Tables for DynamoTables {
    async fn table(&self, name: &str) -> Result<Arc<dyn Table>> {
        let _ = (&self.client, &self.state_table, (self.name_of)(name));
        unimplemented!("follows")
    }
}
