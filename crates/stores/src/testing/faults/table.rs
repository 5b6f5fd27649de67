//! A table that fails when it is told to.

use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use tidegate_model::ValueType;

use super::{Befalls, Call, Fate, fateful, lost};
use crate::{Load, LoadReport, Result, Table, TableLoad};

/// A table, with faults.
pub struct FaultyTable {
    /// The table itself.
    pub inner: Arc<dyn Table>,
    /// What decides over its calls.
    pub fate: Arc<dyn Fate>,
}

fn read(name: &'static str) -> Call {
    Call { seam: "table", name, writes: false }
}

#[async_trait]
impl Table for FaultyTable {
    async fn load(&self, load: Load) -> Result<Box<dyn TableLoad>> {
        let inner = fateful(self.fate.as_ref(), read("load"), self.inner.load(load)).await?;
        Ok(Box::new(FaultyLoad { inner, fate: Arc::clone(&self.fate) }))
    }

    async fn columns(&self) -> Result<Option<(Vec<(String, ValueType)>, usize)>> {
        fateful(self.fate.as_ref(), read("columns"), self.inner.columns()).await
    }

    async fn count(&self) -> Result<u64> {
        fateful(self.fate.as_ref(), read("count"), self.inner.count()).await
    }

    async fn scan(
        &self,
        key: Option<Vec<String>>,
        take: &mut (dyn FnMut(RecordBatch) -> Result<()> + Send),
    ) -> Result<()> {
        fateful(self.fate.as_ref(), read("scan"), self.inner.scan(key, take)).await
    }
}

struct FaultyLoad {
    inner: Box<dyn TableLoad>,
    fate: Arc<dyn Fate>,
}

impl TableLoad for FaultyLoad {
    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<(usize, u64)>> {
        match self.fate.befalls(read("write")) {
            Befalls::Nothing => self.inner.write(batch),
            _ => Err(lost(read("write"))),
        }
    }

    fn preview(&mut self) -> Result<LoadReport> {
        self.inner.preview()
    }

    fn commit(self: Box<Self>) -> Result<LoadReport> {
        let call = Call { seam: "table", name: "commit", writes: true };
        let befalls = self.fate.befalls(call);
        if matches!(befalls, Befalls::Refused | Befalls::Broken) {
            return Err(lost(call));
        }
        let report = self.inner.commit()?;
        self.fate.done(call);
        if befalls == Befalls::AnswerLost { Err(lost(call)) } else { Ok(report) }
    }
}
