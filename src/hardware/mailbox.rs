//! Passes orders from the node to a light's thread: only the newest order is kept, and the node
//! never waits for a device.

use super::condition::Condition;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A device that keeps its thread for longer than this is slow.
pub(super) const SLOW: Duration = Duration::from_secs(1);
/// The time for which a device must have been quick before it is reported as slow again.
const SLOW_AGAIN: Duration = Duration::from_secs(60);

/// An order to a light's thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Show(Condition),
    /// Make the light dark, and end.
    Off,
}

pub(super) struct Mailbox {
    /// The light's name, for the log.
    name: String,
    state: Mutex<Mail>,
    posted: Condvar,
    ended: Condvar,
}

#[derive(Default)]
struct Mail {
    order: Option<Order>,
    /// The time since which the device keeps the thread.
    busy_since: Option<Instant>,
    /// The time at which the device was last seen to be slow.
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

    /// Leaves an order in place of one that was not taken. Orders after [`Order::Off`] are ignored.
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

    /// Waits for an order, for ever or for the given time.
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

    /// Calls the device, and measures the time that it takes.
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

    /// Notes that the thread has ended.
    pub(super) fn end(&self) {
        self.state().has_ended = true;
        self.ended.notify_all();
    }

    /// Waits for the thread's end until `deadline`; returns true if it came.
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
