//! Hints at votes above this node's own, from the answers of members.
//!
//! An answer bears no proof of the vote in it, so raft is never shown one. But an honest member
//! that granted a higher vote takes nothing from a leader below it, so a node has to lead above it.
//! These hints tell when that seems to be so, and how far above: a lie costs a new term now and
//! then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Limits how far one hint lifts the term.
const LIFT_MAX: u64 = 1000;
/// The time after which a hint that was not repeated is forgotten.
const KEPT: Duration = Duration::from_secs(2);
/// The time for which a member must repeat a hint before a leader heeds it.
const PATIENCE: Duration = Duration::from_secs(1);
/// The time for which a leader that heeded a hint heeds no other; twice as long after each further
/// one.
const REST_MIN: Duration = Duration::from_secs(10);
/// The longest such time.
const REST_MAX: Duration = Duration::from_secs(3600);

struct Hint {
    term: u64,
    first: Instant,
    last: Instant,
}

#[derive(Default)]
struct Inner {
    hints: HashMap<u64, Hint>,
    /// The time at which a leader last heeded a hint, and the time for which it heeds no other.
    heeded: Option<(Instant, Duration)>,
}

/// Hints of members, by their raft id.
#[derive(Default)]
pub(in crate::raft) struct Hints(Mutex<Inner>);

impl Hints {
    /// Notes that `member` told of a vote in `term`.
    pub(in crate::raft) fn note(&self, member: u64, term: u64) {
        self.note_at(member, term, Instant::now());
    }

    fn note_at(&self, member: u64, term: u64, now: Instant) {
        let mut inner = self.lock();
        let hint = inner.hints.entry(member).or_insert(Hint {
            term,
            first: now,
            last: now,
        });
        if now.saturating_duration_since(hint.last) > KEPT {
            hint.first = now;
        }
        hint.term = term;
        hint.last = now;
    }

    /// Returns the term to lift this node's own to, which is `own`, while no node leads.
    pub(in crate::raft) fn for_candidate(&self, own: u64) -> Option<u64> {
        self.highest(own, Duration::ZERO, Instant::now())
    }

    /// Returns the term to lead above, `own` being this leader's; rarely, since leading again is an
    /// interruption that a liar may want.
    pub(in crate::raft) fn for_leader(&self, own: u64) -> Option<u64> {
        self.for_leader_at(own, Instant::now())
    }

    fn for_leader_at(&self, own: u64, now: Instant) -> Option<u64> {
        let term = self.highest(own, PATIENCE, now)?;
        let mut inner = self.lock();
        let rest = match inner.heeded {
            Some((at, rest)) if now.saturating_duration_since(at) < rest => return None,
            Some((at, rest)) if now.saturating_duration_since(at) < 4 * rest => {
                (2 * rest).min(REST_MAX)
            }
            _ => REST_MIN,
        };
        inner.heeded = Some((now, rest));
        inner.hints.clear();
        Some(term)
    }

    fn highest(&self, own: u64, patience: Duration, now: Instant) -> Option<u64> {
        let mut inner = self.lock();
        let age = |at: Instant| now.saturating_duration_since(at);
        inner.hints.retain(|_, hint| age(hint.last) <= KEPT);
        let hints = inner.hints.values();
        let lasting = hints.filter(|hint| hint.term > own && age(hint.first) >= patience);
        let highest = lasting.map(|hint| hint.term).max()?;
        Some(highest.min(own.saturating_add(LIFT_MAX)))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_follows_a_hint_at_once_and_not_far() {
        let hints = Hints::default();
        assert_eq!(hints.for_candidate(5), None);
        hints.note(2, 4);
        assert_eq!(hints.for_candidate(5), None, "lower");
        hints.note(2, 9);
        assert_eq!(hints.for_candidate(5), Some(9));
        hints.note(3, u64::MAX);
        assert_eq!(hints.for_candidate(5), Some(5 + LIFT_MAX));
        assert_eq!(hints.for_candidate(u64::MAX - 1), Some(u64::MAX));
    }

    #[test]
    fn a_leader_follows_only_a_lasting_hint_and_rarely() {
        let hints = Hints::default();
        let begun = Instant::now();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let mut led = Vec::new();
        for tenth in 0..6000 {
            let now = at(tenth * 100);
            hints.note_at(2, 9, now);
            if hints.for_leader_at(5, now) == Some(9) {
                led.push(tenth / 10);
            }
        }
        assert_eq!(led, [1, 11, 31, 71, 151, 311], "seconds");
        let calm = at(600_000 + 4_000_000);
        hints.note_at(2, 9, calm);
        assert_eq!(hints.for_leader_at(5, calm), None, "it is new again");
    }
}
