//! Memory that all requests in flight share, so that many large ones cannot take the machine.
//!
//! A request charges what it holds before it holds it, and gives it back when it is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The shared counter.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicUsize,
    bytes_max: usize,
}

/// Too much is in flight already: the client may try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Budget {
    pub(super) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            bytes_max,
        })
    }

    /// An empty charge.
    pub(super) fn charge(self: &Arc<Self>) -> Charge {
        Charge {
            budget: Arc::clone(self),
            held: 0,
        }
    }
}

/// What one request holds; given back on drop.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Arc<Budget>,
    held: usize,
}

impl Charge {
    /// Takes `bytes` more.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let before = self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.budget.bytes_max {
            self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Exhausted);
        }
        self.held += bytes;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_beyond_the_limit_and_gives_back() {
        let budget = Budget::new(100);
        let mut first = budget.charge();
        first.grow(60).unwrap();
        let mut second = budget.charge();
        assert_eq!(second.grow(41), Err(Exhausted));
        second.grow(40).unwrap();
        drop(first);
        second.grow(60).unwrap();
        drop(second);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}
