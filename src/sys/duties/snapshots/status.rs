//! The outcome of the last attempts. It is in memory: a node that becomes active looks at its files
//! anew.

use crate::clock::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The state of one setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Time at which the next attempt is due.
    pub next: Timestamp,
    /// Start of the attempt under way; zero while there is none.
    pub started: Timestamp,
    /// Start of the last attempt that ended.
    pub last_start: Timestamp,
    /// End of the last attempt.
    pub last_end: Timestamp,
    /// URL of the last snapshot that was written; empty before the first.
    pub last_url: String,
    /// Error of the last attempt; empty when it succeeded.
    pub last_error: String,
    /// Failures in a row.
    pub consecutive_errors: u64,
}

/// The states of all settings, by name.
#[derive(Debug, Default)]
pub struct Auto(Mutex<BTreeMap<String, Status>>);

impl Auto {
    /// Returns the state of the setting `name`.
    pub fn status(&self, name: &str) -> Status {
        self.all().get(name).cloned().unwrap_or_default()
    }

    pub(super) fn all(&self) -> MutexGuard<'_, BTreeMap<String, Status>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Status {
    /// Returns the state as the API answers it.
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
