//! How the last attempts went. In memory: a node that becomes active looks at its files anew.

use crate::clock::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How one setting fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// When the next attempt is due.
    pub next: Timestamp,
    /// When the one under way began; zero while there is none.
    pub started: Timestamp,
    /// The last one that was begun.
    pub last_start: Timestamp,
    /// And when it ended.
    pub last_end: Timestamp,
    /// Where it is; empty when it failed.
    pub last_url: String,
    /// Why it failed; empty when it did not.
    pub last_error: String,
    /// Failures in a row.
    pub consecutive_errors: u64,
}

/// The settings' fates, by name.
#[derive(Debug, Default)]
pub struct Auto(Mutex<BTreeMap<String, Status>>);

impl Auto {
    /// What is known of `name`.
    pub fn status(&self, name: &str) -> Status {
        self.all().get(name).cloned().unwrap_or_default()
    }

    pub(super) fn all(&self) -> MutexGuard<'_, BTreeMap<String, Status>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Status {
    /// As the API answers it.
    pub fn data(&self) -> Map<String, Value> {
        let time = |at: Timestamp| match at.is_zero() {
            true => json!(""),
            false => json!(at.rfc3339()),
        };
        let fields = [
            ("consecutive_errors", json!(self.consecutive_errors)),
            ("last_snapshot_end", time(self.last_end)),
            ("last_snapshot_error", json!(self.last_error)),
            ("last_snapshot_start", time(self.last_start)),
            ("last_snapshot_url", json!(self.last_url)),
            ("next_snapshot_start", time(self.next)),
            ("snapshot_start", time(self.started)),
        ];
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect()
    }
}
