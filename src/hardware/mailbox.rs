//! Between the node and a light's thread: the last word counts, and nobody waits for a device.

use super::condition::Condition;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A device that keeps its thread for longer is slow.
pub(super) const SLOW: Duration = Duration::from_secs(1);
/// It must have been quick for so long before it is said again that it is slow.
const SLOW_AGAIN: Duration = Duration::from_secs(60);

/// What a light's thread is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Show(Condition),
    /// Dark, and the end.
    Off,
}

pub(super) struct Mailbox {
    /// For the log.
    name: String,
    state: Mutex<Mail>,
    posted: Condvar,
    ended: Condvar,
}

#[derive(Default)]
struct Mail {
    order: Option<Order>,
    /// Since when the device keeps the thread.
    busy_since: Option<Instant>,
    /// When it was last seen to be slow.
    slow_at: Option<Instant>,
    is_off: bool,
    has_ended: bool,
}

impl Mailbox {
    pub(super) fn new(name: String, order: Order) -> Self {
        Self {
            name,
            state: Mutex::new(Mail {
                order: Some(order),
                ..Mail::default()
            }),
            posted: Condvar::new(),
            ended: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, Mail> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves an order in place of one that was not taken. Nothing comes after [`Order::Off`].
    pub(super) fn post(&self, order: Order) {
        let mut state = self.state();
        if state.is_off {
            return;
        }
        state.is_off = order == Order::Off;
        state.order = Some(order);
        if let Some(since) = state.busy_since {
            self.judge(&mut state, since.elapsed());
        }
        self.posted.notify_one();
    }

    /// Waits for an order, for ever or for so long.
    pub(super) fn take(&self, within: Option<Duration>) -> Option<Order> {
        let is_empty = |state: &mut Mail| state.order.is_none();
        let state = self.state();
        let mut state = match within {
            None => self.posted.wait_while(state, is_empty),
            Some(within) => {
                let waited = self.posted.wait_timeout_while(state, within, is_empty);
                Ok(waited.unwrap_or_else(PoisonError::into_inner).0)
            }
        }
        .unwrap_or_else(PoisonError::into_inner);
        state.order.take()
    }

    /// Calls the device, and takes the time.
    pub(super) fn timed<T>(&self, call: impl FnOnce() -> T) -> T {
        let since = Instant::now();
        self.state().busy_since = Some(since);
        let result = call();
        let mut state = self.state();
        state.busy_since = None;
        self.judge(&mut state, since.elapsed());
        result
    }

    fn judge(&self, state: &mut Mail, took: Duration) {
        if took < SLOW {
            return;
        }
        if state.slow_at.is_none_or(|at| at.elapsed() > SLOW_AGAIN) {
            tracing::warn!(
                indicator = self.name,
                "the status light's hardware is slow; nothing waits for it"
            );
        }
        state.slow_at = Some(Instant::now());
    }

    /// The thread is at its end.
    pub(super) fn end(&self) {
        self.state().has_ended = true;
        self.ended.notify_all();
    }

    /// True when the thread came to its end before `deadline`.
    pub(super) fn wait_for_end(&self, deadline: Instant) -> bool {
        let within = deadline.saturating_duration_since(Instant::now());
        let waited = self
            .ended
            .wait_timeout_while(self.state(), within, |state| !state.has_ended);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.has_ended
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}
