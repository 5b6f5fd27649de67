//! What a source has reported, so that an unchanged object is reported once: a hash of key and version each, and only
//! for objects that the last listing still saw, so memory follows the bucket (some 30 bytes an object), not time.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

/// Versions that were reported.
#[derive(Debug, Default)]
pub(super) struct Known {
    seeds: RandomState,
    /// Hash of key and version -> the listing that last saw it.
    versions: HashMap<u64, u32>,
    listing: u32,
}

impl Known {
    /// Notes a version; true if it was not known.
    pub(super) fn insert(&mut self, key: &str, version: impl Hash) -> bool {
        self.versions.insert(self.seeds.hash_one((key, version)), self.listing).is_none()
    }

    /// True if the version is known, which is noted as seen by this listing.
    pub(super) fn sees(&mut self, key: &str, version: impl Hash) -> bool {
        match self.versions.get_mut(&self.seeds.hash_one((key, version))) {
            Some(listing) => {
                *listing = self.listing;
                true
            }
            None => false,
        }
    }

    /// A complete listing begins.
    pub(super) fn begin_listing(&mut self) {
        self.listing = self.listing.wrapping_add(1);
    }

    /// It saw everything: what it did not see is gone, and news if it comes back.
    pub(super) fn end_listing(&mut self) {
        let listing = self.listing;
        self.versions.retain(|_, seen| *seen == listing);
    }
}
