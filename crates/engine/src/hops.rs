//! How many runs lie before an object, so that functions which trigger each other are stopped.
//!
//! What a process admits by itself it remembers. What a bucket tells to another process carries the number as metadata: it is there
//! as soon as the object is.

use object_store::{Attribute, Attributes, GetOptions};
use tidegate_model::ObjectVersion;
use tidegate_stores::{Attempt, Result};

use crate::engine::Engine;
use crate::input::path_of;
use crate::wiring::FollowUp;

/// The name under which an object carries the number.
const METADATA: &str = "tidegate-hops";

impl Engine {
    /// What goes with an object that this attempt makes.
    pub(crate) fn attributes_of_output(&self, attempt: &Attempt) -> Attributes {
        match self.wiring.follow_up {
            FollowUp::AtOnce => Attributes::new(),
            FollowUp::ByBucket => {
                Attributes::from_iter([(Attribute::Metadata(METADATA.into()), (attempt.hops + 1).to_string())])
            }
        }
    }

    /// How many runs lie before this object; 0 if it came from outside, or is gone.
    ///
    /// # Errors
    /// If the bucket does not say.
    pub(crate) async fn hops_of(&self, object: &ObjectVersion) -> Result<u32> {
        if self.wiring.follow_up == FollowUp::AtOnce {
            return Ok(self.committing().get(&(object.bucket.clone(), object.key.clone())).copied().unwrap_or(0));
        }
        let is_written = self.functions.values().any(|ready| ready.spec.grants.write_buckets.contains(&object.bucket));
        let (Some(store), Ok(path)) = (self.wiring.buckets.get(&object.bucket).filter(|_| is_written), path_of(object))
        else {
            return Ok(0);
        };
        match store.get_opts(&path, GetOptions { head: true, ..GetOptions::default() }).await {
            Ok(found) => {
                let carried = found.attributes.get(&Attribute::Metadata(METADATA.into()));
                Ok(carried.and_then(|hops| hops.parse().ok()).unwrap_or(0))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
