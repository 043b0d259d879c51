//! Limits how often a member that does not prove its keys moves to another address.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time between two moves of a member that does not prove its keys. An honest member tries no
/// sooner.
const MOVES_EVERY: Duration = Duration::from_secs(3);

/// The times at which members that do not prove their keys moved last.
#[derive(Default)]
pub(in crate::raft) struct Moves(Mutex<HashMap<u64, Instant>>);

impl Moves {
    /// Returns true once in [`MOVES_EVERY`] for each member.
    pub(in crate::raft) fn may(&self, member: u64, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|_, at| now.saturating_duration_since(*at) < MOVES_EVERY);
        let is_first = !last.contains_key(&member);
        last.entry(member).or_insert(now);
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_moves_seldom() {
        let (moves, now) = (Moves::default(), Instant::now());
        assert!(moves.may(1, now) && moves.may(2, now));
        assert!(!moves.may(1, now + MOVES_EVERY / 2));
        assert!(moves.may(1, now + MOVES_EVERY));
        assert!(!moves.may(1, now + MOVES_EVERY));
    }
}
