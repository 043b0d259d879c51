//! What the loop and the endpoints share.

use super::{Config, Look, Tracker};
use crate::sys::ports::Membership;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// What autopilot remembers, for the loop that acts on it and the endpoint that shows it.
#[derive(Debug)]
pub struct Autopilot {
    tracker: Mutex<Tracker>,
    woken: Notify,
}

impl Default for Autopilot {
    fn default() -> Self {
        Self {
            tracker: Mutex::new(Tracker::new(Instant::now())),
            woken: Notify::new(),
        }
    }
}

impl Autopilot {
    /// The members or the settings changed: the loop looks now. Whoever adds a learner must say
    /// so, or nobody watches it.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Completes at the next [`Autopilot::wake`], at once when there was one meanwhile.
    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Forgets everything: this node leads from now on.
    pub(super) fn restart(&self, now: Instant) {
        *self.tracker() = Tracker::new(now);
    }

    /// Sees how everybody is.
    pub fn look(&self, config: &Config, membership: &Membership, now: Instant) -> Look {
        self.tracker().look(config, membership, now)
    }

    fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
