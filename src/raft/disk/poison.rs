//! Stops all writing for good at the first failure.

use std::sync::OnceLock;
use tokio::sync::Notify;

/// The first failure of the storage. Set once, never cleared: after a failed write or flush the
/// contents of the device are unknown.
#[derive(Default)]
pub struct Poison {
    reason: OnceLock<String>,
    set: Notify,
}

impl Poison {
    /// Records the reason of the failure; the first reason stays.
    pub fn set(&self, reason: &str) {
        if self.reason.set(reason.to_owned()).is_ok() {
            tracing::error!(reason, "storage failed; no more writes are accepted");
            self.set.notify_waiters();
        }
    }

    /// Returns the reason, once the node is poisoned.
    pub fn reason(&self) -> Option<String> {
        self.reason.get().cloned()
    }

    /// Returns true once the node is poisoned.
    pub fn is_set(&self) -> bool {
        self.reason.get().is_some()
    }

    /// Waits until the node is poisoned, and returns the reason.
    pub async fn wait(&self) -> String {
        loop {
            let set = self.set.notified();
            if let Some(reason) = self.reason() {
                return reason;
            }
            set.await;
        }
    }
}
