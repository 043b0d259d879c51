//! Memory that all requests in flight share, so that many large ones cannot take the machine.
//!
//! A request charges its memory before it uses it, and gives it back when it is answered. The
//! requests of strangers have a share of their own, and so have those that operators must always be
//! able to send. A request with a good token draws on two shares: its beginning on one, the rest on
//! the other, so that a few large requests keep no small ones out.

use super::limits::SMALL_BYTES_MAX;
use crate::memory::Requests;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The shares of the memory, by the kind of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// Requests of anyone at an endpoint that operators must always be able to use.
    Operators,
    /// Requests of anyone at an open path, and all requests without a good token.
    Strangers,
    /// Requests with a good token.
    Clients,
}

/// The memory in use, for each share.
#[derive(Debug)]
pub(super) struct Budget {
    operators: Pool,
    strangers: Pool,
    small: Pool,
    large: Pool,
}

#[derive(Debug)]
struct Pool {
    used: AtomicUsize,
    bytes_max: usize,
}

/// The requests in flight hold too much memory; the client may try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Budget {
    pub(super) fn new(requests: Requests) -> Arc<Self> {
        let pool = |bytes_max| Pool {
            used: AtomicUsize::new(0),
            bytes_max,
        };
        Arc::new(Self {
            operators: pool(requests.operators_bytes),
            strangers: pool(requests.strangers_bytes),
            small: pool(requests.small_bytes),
            large: pool(requests.large_bytes),
        })
    }

    /// Returns an empty charge to `share`.
    pub(super) fn charge(self: &Arc<Self>, share: Share) -> Charge {
        Charge {
            budget: Arc::clone(self),
            share,
            held: 0,
            held_large: 0,
        }
    }
}

impl Pool {
    fn take(&self, bytes: usize) -> Result<(), Exhausted> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.bytes_max {
            self.give_back(bytes);
            return Err(Exhausted);
        }
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The memory that one request holds; given back on drop.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Arc<Budget>,
    share: Share,
    held: usize,
    held_large: usize,
}

impl Charge {
    /// Charges `bytes` more.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let is_small = self.held.saturating_add(bytes) <= SMALL_BYTES_MAX;
        let taken = match self.share {
            Share::Clients if !is_small => Err(Exhausted),
            _ => self.pool().take(bytes),
        };
        match (taken, self.share) {
            (Ok(()), _) => self.held += bytes,
            (Err(Exhausted), Share::Clients) => {
                self.budget.large.take(bytes)?;
                self.held_large += bytes;
            }
            (Err(Exhausted), Share::Operators | Share::Strangers) => return Err(Exhausted),
        }
        Ok(())
    }

    fn pool(&self) -> &Pool {
        match self.share {
            Share::Operators => &self.budget.operators,
            Share::Strangers => &self.budget.strangers,
            Share::Clients => &self.budget.small,
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.pool().give_back(self.held);
        self.budget.large.give_back(self.held_large);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_beyond_the_limit_and_gives_back() {
        let budget = Budget::new(Requests::default());
        let most = Requests::default().strangers_bytes;
        let mut first = budget.charge(Share::Strangers);
        first.grow(most - 40).unwrap();
        let mut second = budget.charge(Share::Strangers);
        assert_eq!(second.grow(41), Err(Exhausted));
        second.grow(40).unwrap();
        drop(first);
        second.grow(most - 40).unwrap();
        for share in [Share::Operators, Share::Clients] {
            budget.charge(share).grow(1).expect("it has its own share");
        }
        drop(second);
        assert_eq!(budget.strangers.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn each_share_is_as_large_as_it_was_told() {
        let budget = Budget::new(Requests {
            operators_bytes: 10,
            strangers_bytes: 20,
            small_bytes: 30,
            large_bytes: 40,
        });
        for (share, most) in [
            (Share::Operators, 10),
            (Share::Strangers, 20),
            (Share::Clients, 30 + 40),
        ] {
            let mut charge = budget.charge(share);
            for _ in 0..most {
                charge.grow(1).expect("there is room");
            }
            assert_eq!(charge.grow(1), Err(Exhausted), "{share:?}");
        }
    }

    #[test]
    fn large_requests_keep_no_small_ones_out() {
        let budget = Budget::new(Requests::default());
        let mut large = budget.charge(Share::Clients);
        large.grow(SMALL_BYTES_MAX).unwrap();
        while large.grow(SMALL_BYTES_MAX).is_ok() {}
        let mut second = budget.charge(Share::Clients);
        second.grow(SMALL_BYTES_MAX).expect("a small one");
        assert_eq!(second.grow(1), Err(Exhausted), "it is not small any more");
        let mut many = Vec::new();
        loop {
            let mut small = budget.charge(Share::Clients);
            if small.grow(SMALL_BYTES_MAX).is_err() {
                break;
            }
            many.push(small);
        }
        assert!(many.len() + 3 > Requests::default().small_bytes / SMALL_BYTES_MAX);
        drop((large, second, many));
        for pool in [&budget.small, &budget.large] {
            assert_eq!(pool.used.load(Ordering::Relaxed), 0);
        }
    }
}
