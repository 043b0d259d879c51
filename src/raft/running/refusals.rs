//! Candidates that this node refused because their logs are too short.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// Remembers the first of a row of refusals.
#[derive(Default)]
pub(in crate::raft) struct Refusals {
    since: Mutex<Option<Instant>>,
    pub(in crate::raft) noted: Notify,
}

impl Refusals {
    /// A candidate was refused.
    pub(in crate::raft) fn note(&self) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.get_or_insert_with(Instant::now);
        drop(since);
        self.noted.notify_one();
    }

    /// When the first one was refused since the last [`Refusals::clear`].
    pub(in crate::raft) fn since(&self) -> Option<Instant> {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is a leader.
    pub(in crate::raft) fn clear(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
