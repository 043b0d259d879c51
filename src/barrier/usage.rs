//! Counts the encryptions under the active key term.
//!
//! The count lives in memory; storage holds an upper bound of it, the reservation, which joins a
//! write's log entry whenever the count passes it. So one entry in a thousand is a few bytes
//! longer, an idle node writes nothing, and after a crash the count is too high by at most
//! [`RESERVATION_STEP`].
//!
//! The count is never too low for the records in storage. Blobs (batch tokens) are written nowhere:
//! those sealed past the reservation since the last write are forgotten by a crash. The limits have
//! room for that: they stand far below what random 192-bit nonces bear.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of encryptions that one reservation covers.
pub(super) const RESERVATION_STEP: u64 = 1024;

/// The path of the stored reservation.
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
    /// The highest reservation that this node committed or adopted.
    reserved: AtomicU64,
}

impl Usage {
    pub(super) fn count(&self, encryptions: u64) -> u64 {
        self.counted.fetch_add(encryptions, Ordering::Relaxed) + encryptions
    }

    pub(super) fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// Returns the reservation that must join the entry that brings the count to `counted`, if one
    /// is due.
    pub(super) fn reservation_due(&self, counted: u64) -> Option<u64> {
        (counted > self.reserved.load(Ordering::Relaxed)).then(|| counted + RESERVATION_STEP)
    }

    /// Notes that this node is about to commit a reservation of its own; returns the one before.
    pub(super) fn reserve(&self, encryptions: u64) -> u64 {
        self.reserved.fetch_max(encryptions, Ordering::Relaxed)
    }

    /// Restores the reservation `before` after a failed commit, so that the next write reserves
    /// anew.
    pub(super) fn unreserve(&self, before: u64) {
        self.reserved.fetch_min(before, Ordering::Relaxed);
    }

    /// Takes over a reservation from storage. One that this node did not make counts as encryptions
    /// that it did not see.
    pub(super) fn adopt(&self, encryptions: u64) {
        if encryptions > self.reserved.fetch_max(encryptions, Ordering::Relaxed) {
            self.counted.fetch_max(encryptions, Ordering::Relaxed);
        }
    }

    /// Starts over, since the key term changed.
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
