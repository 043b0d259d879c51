//! Batches in their sealed form.
//!
//! Every entry with sealed records expects the keyring that they were sealed by. So none is ever
//! added under a key term that was dropped meanwhile, however long the entry was on its way.

use super::batch::Target;
use super::keys::Keys;
use super::reserved;
use crate::store::{Key, Precondition, Transaction};
use std::sync::Arc;

/// The most times that one batch is sealed: each takes a keyring that changed meanwhile.
pub(super) const SEALS_MAX: usize = 8;

/// A batch on its way to the store.
pub(super) struct SealedBatch {
    pub(super) transaction: Transaction,
    /// The keys that sealed it.
    pub(super) keys: Arc<Keys>,
    /// The place of each operation that is a sealed record.
    pub(super) places: Vec<Option<Target>>,
    /// The reservation before the one that joined it.
    pub(super) reserved_before: Option<u64>,
}

impl SealedBatch {
    /// Returns true where the keys in use seal differently from the batch's.
    pub(super) fn is_outdated(&self, keys: &Keys) -> bool {
        keys.revision != self.keys.revision && self.encryptions() > 0
    }

    pub(super) fn encryptions(&self) -> u64 {
        self.places.iter().flatten().count() as u64
    }

    /// Adds the condition that the keyring is still the one that sealed.
    pub(super) fn expect_keyring(&mut self) {
        self.transaction.preconditions.push(Precondition {
            key: Key::from_static(reserved::KEYRING),
            revision: self.keys.revision,
        });
    }
}
