//! The memory that the loop and the endpoints share.

use super::{Config, Look, Tracker};
use crate::sys::ports::Membership;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The memory of autopilot, for the loop that acts on it and the endpoint that shows it.
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
    /// Tells the loop to look now, because the settings changed.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Completes at the next [`Autopilot::wake`], at once when there was one meanwhile.
    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Forgets everything, because this node leads from now on.
    pub(super) fn restart(&self, now: Instant) {
        *self.tracker() = Tracker::new(now);
    }

    /// Notes the state of every member, and forgets those that are members no more.
    pub fn look(&self, config: &Config, membership: &Membership, now: Instant) -> Look {
        self.tracker().look(config, membership, now)
    }

    fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
