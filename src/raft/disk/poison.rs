//! The first failure stops all writing for good.

use std::sync::OnceLock;
use tokio::sync::Notify;

/// Set once, never cleared: after a failed write or flush nobody knows what the device holds.
#[derive(Default)]
pub struct Poison {
    reason: OnceLock<String>,
    set: Notify,
}

impl Poison {
    /// Records why; the first reason stays.
    pub fn set(&self, reason: &str) {
        if self.reason.set(reason.to_owned()).is_ok() {
            tracing::error!(reason, "storage failed; no more writes are accepted");
            self.set.notify_waiters();
        }
    }

    /// Returns the reason, once it is set.
    pub fn reason(&self) -> Option<String> {
        self.reason.get().cloned()
    }

    /// True once it is set.
    pub fn is_set(&self) -> bool {
        self.reason.get().is_some()
    }

    /// Waits until it is set.
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
