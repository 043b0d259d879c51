//! The first failure stops all writing for good.

use std::sync::OnceLock;

/// Set once, never cleared: after a failed write or flush nobody knows what the device holds.
#[derive(Default)]
pub struct Poison(OnceLock<String>);

impl Poison {
    /// Records why; the first reason stays.
    pub fn set(&self, reason: &str) {
        if self.0.set(reason.to_owned()).is_ok() {
            tracing::error!(reason, "storage failed; no more writes are accepted");
        }
    }

    /// Why, once it is set.
    pub fn reason(&self) -> Option<String> {
        self.0.get().cloned()
    }

    /// True once it is set.
    pub fn is_set(&self) -> bool {
        self.0.get().is_some()
    }
}
