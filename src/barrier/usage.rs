//! Counts how often the active key term has encrypted.
//!
//! The count lives in memory; storage holds an upper bound of it, the reservation, which joins a
//! write's log entry whenever the count passes it. So one entry in a thousand is a few bytes
//! longer, an idle node writes nothing, and after a crash the count is too high by at most
//! [`RESERVATION_STEP`].
//!
//! It is never too low for what storage holds. Blobs (batch tokens) are written nowhere: those
//! sealed past the reservation since the last write are forgotten by a crash. The limits have room
//! for that: they stand far below what random 192-bit nonces bear.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// Encryptions that one reservation covers.
pub(super) const RESERVATION_STEP: u64 = 1024;

/// Where the reservation is stored.
pub(super) const USAGE_PATH: &str = "core/key-usage";

/// The stored reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reservation {
    pub(super) key_term: u32,
    pub(super) encryptions: u64,
}

/// The count of one key term.
#[derive(Default)]
pub(super) struct Usage {
    counted: AtomicU64,
    /// Highest reservation this node committed or adopted.
    reserved: AtomicU64,
}

impl Usage {
    pub(super) fn count(&self, encryptions: u64) -> u64 {
        self.counted.fetch_add(encryptions, Ordering::Relaxed) + encryptions
    }

    pub(super) fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// The reservation that must join the entry that brings the count to `counted`.
    pub(super) fn reservation_due(&self, counted: u64) -> Option<u64> {
        (counted > self.reserved.load(Ordering::Relaxed)).then(|| counted + RESERVATION_STEP)
    }

    /// This node is about to commit a reservation of its own; gives back the one before.
    pub(super) fn reserve(&self, encryptions: u64) -> u64 {
        self.reserved.fetch_max(encryptions, Ordering::Relaxed)
    }

    /// The commit failed: `before` stands again, so that the next write reserves anew.
    pub(super) fn unreserve(&self, before: u64) {
        self.reserved.fetch_min(before, Ordering::Relaxed);
    }

    /// Takes over a reservation from storage. One that this node did not make stands for
    /// encryptions that it did not see.
    pub(super) fn adopt(&self, encryptions: u64) {
        if encryptions > self.reserved.fetch_max(encryptions, Ordering::Relaxed) {
            self.counted.fetch_max(encryptions, Ordering::Relaxed);
        }
    }

    /// Starts over: the key term changed.
    pub(super) fn reset(&self) {
        self.counted.store(0, Ordering::Relaxed);
        self.reserved.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserves_once_per_step() {
        let usage = Usage::default();
        let mut reservations = 0;
        for _ in 0..10 * RESERVATION_STEP {
            let counted = usage.count(1);
            if let Some(reservation) = usage.reservation_due(counted) {
                usage.reserve(reservation);
                reservations += 1;
            }
        }
        assert_eq!(reservations, 10);
        assert_eq!(usage.counted(), 10 * RESERVATION_STEP);
    }

    #[test]
    fn adopts_only_what_another_made() {
        let usage = Usage::default();
        usage.count(5);
        usage.reserve(1029);
        usage.adopt(1029);
        assert_eq!(usage.counted(), 5);
        usage.adopt(4000);
        assert_eq!(usage.counted(), 4000);
        assert_eq!(usage.reservation_due(4000), None);
    }
}
