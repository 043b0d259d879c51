//! Candidates that this node refused because their logs are too short.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// Remembers the first of a row of refusals.
#[derive(Default)]
pub(super) struct Refusals {
    since: Mutex<Option<Instant>>,
    pub(super) noted: Notify,
}

impl Refusals {
    /// A candidate was refused.
    pub(super) fn note(&self) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.get_or_insert_with(Instant::now);
        drop(since);
        self.noted.notify_one();
    }

    /// When the first one was refused since the last [`Refusals::clear`].
    pub(super) fn since(&self) -> Option<Instant> {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is a leader.
    pub(super) fn clear(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
