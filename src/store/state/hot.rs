//! Records that were read from fjall lately, so that a hot read costs one map access.
//!
//! The cache also knows keys that are absent: a new key is looked up twice, once by its engine and
//! once by the precondition that it is still absent.

use crate::store::{Key, Record};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// The bytes that an entry costs besides them, about.
const ENTRY_BYTES: u64 = 128;
/// The largest record that is kept, in bytes: a larger one would push out too many others.
const RECORD_BYTES_MAX: usize = 64 << 10;

/// Keys and the records that fjall holds at them. Code that changes a key must [`Hot::forget`] it.
pub(super) struct Hot(Cache<Key, Option<Record>, Weight>);

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Option<Record>> for Weight {
    fn weight(&self, key: &Key, found: &Option<Record>) -> u64 {
        let bytes = key.len() + found.as_ref().map_or(0, |record| record.value.len());
        ENTRY_BYTES + u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl Hot {
    /// Returns a cache of at most `bytes_max` of keys and values.
    pub(super) fn new(bytes_max: u64) -> Self {
        let items = usize::try_from(bytes_max / (4 * ENTRY_BYTES)).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(items, bytes_max, Weight))
    }

    /// Returns the record of `key`. The outer `None` means that it is not known here, the inner
    /// that it is absent.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<Record>> {
        self.0.get(key)
    }

    pub(super) fn keep(&self, key: &[u8], found: &Option<Record>) {
        let bytes = found.as_ref().map_or(0, |record| record.value.len());
        if bytes <= RECORD_BYTES_MAX {
            self.0.insert(Key::copy_from_slice(key), found.clone());
        }
    }

    pub(super) fn forget(&self, key: &Key) {
        self.0.remove(key);
    }

    pub(super) fn forget_all(&self) {
        self.0.clear();
    }
}
