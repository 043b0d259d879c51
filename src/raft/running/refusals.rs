//! Candidates that this node refused because their logs are too short.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// Remembers the first of a series of refusals.
#[derive(Default)]
pub(in crate::raft) struct Refusals {
    since: Mutex<Option<Instant>>,
    pub(in crate::raft) noted: Notify,
}

impl Refusals {
    /// Notes that a candidate was refused.
    pub(in crate::raft) fn note(&self) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.get_or_insert_with(Instant::now);
        drop(since);
        self.noted.notify_one();
    }

    /// Returns the time of the first refusal since the last [`Refusals::clear`].
    pub(in crate::raft) fn since(&self) -> Option<Instant> {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the refusals, since there is a leader.
    pub(in crate::raft) fn clear(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
