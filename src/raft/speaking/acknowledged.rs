//! Acknowledgements of members in this node's term as leader, and the time from which each counts.
//!
//! A member that cannot prove its keys may be a stolen card that acknowledges what it never wrote.
//! So its acknowledgement waits for those of unsealed voters, as long as enough of them live to
//! be a quorum: then nothing counts as committed on a thief's word alone, and of two leaders that
//! a thief elected in one term none commits anything while they reach each other.

use crate::raft::wire::types::LogId;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The acknowledgements that an open storage got as leader.
#[derive(Default)]
pub(in crate::raft) struct Acknowledged {
    inner: Mutex<Inner>,
    /// Notified when a member acknowledged entries.
    pub(in crate::raft) changed: Notify,
}

#[derive(Default)]
struct Inner {
    term: u64,
    upto: HashMap<u64, LogId>,
    /// The voters, as one or two overlapping quorums.
    configs: Vec<BTreeSet<u64>>,
}

impl Acknowledged {
    /// Sets the voters, as one or two overlapping quorums.
    pub(in crate::raft) fn set_voters(&self, configs: &[BTreeSet<u64>]) {
        let mut inner = self.lock();
        if inner.configs != configs {
            inner.configs = configs.to_vec();
        }
    }

    /// Notes that `member` acknowledged all entries up to `last`, to the leader of `term`.
    pub(in crate::raft) fn note(&self, term: u64, member: u64, last: Option<LogId>) {
        let Some(last) = last else { return };
        let mut inner = self.lock();
        inner.begin(term);
        if inner.term == term {
            let upto = inner.upto.entry(member).or_insert(last);
            *upto = last.max(*upto);
        }
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Returns true when `member` acknowledged all entries up to `last` in `term`.
    pub(in crate::raft) fn has(&self, term: u64, member: u64, last: &LogId) -> bool {
        let inner = self.lock();
        inner.term == term && inner.upto.get(&member).is_some_and(|upto| upto >= last)
    }

    /// Returns true while the acknowledgement of `last` by `member` must wait: it votes, and enough
    /// voters besides that `are_unsealed` have not acknowledged as much. `me` is the leader.
    pub(in crate::raft) fn waits(
        &self,
        term: u64,
        me: u64,
        member: u64,
        last: &LogId,
        are_unsealed: impl Fn(u64) -> bool,
    ) -> bool {
        let inner = self.lock();
        let counts = |id: u64| id == me || (id != member && are_unsealed(id));
        let has = |id: u64| {
            id == me || (inner.term == term && inner.upto.get(&id).is_some_and(|upto| upto >= last))
        };
        let configs = inner.configs.iter();
        let mut needed = configs.filter(|voters| voters.contains(&member)).peekable();
        if needed.peek().is_none() {
            return false;
        }
        let count = |voters: &BTreeSet<u64>, is: &dyn Fn(u64) -> bool| {
            voters.iter().filter(|id| is(**id)).count() >= quorum(voters.len())
        };
        let (mut can, mut did) = (true, true);
        for voters in needed {
            can &= count(voters, &|id| counts(id));
            did &= count(voters, &|id| counts(id) && has(id));
        }
        can && !did
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Drops acknowledgements of older terms.
    fn begin(&mut self, term: u64) {
        if term > self.term {
            self.term = term;
            self.upto.clear();
        }
    }
}

/// Returns the number of voters that must agree, of `voters`.
pub(in crate::raft) fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::wire::record::Position;
    use crate::raft::wire::types::log_id;

    fn at(index: u64) -> LogId {
        log_id(Position { term: 5, index })
    }

    #[test]
    fn a_sealed_voter_waits_for_those_that_are_unsealed() {
        let acknowledged = Acknowledged::default();
        acknowledged.set_voters(&[BTreeSet::from([1, 2, 3])]);
        let waits = |last, lives: bool| acknowledged.waits(5, 1, 3, &last, |id| lives && id == 2);
        assert!(waits(at(7), true), "the unsealed one has nothing yet");
        assert!(!waits(at(7), false), "without it there is no other quorum");
        acknowledged.note(5, 2, Some(at(7)));
        assert!(!waits(at(7), true));
        assert!(waits(at(8), true));
        acknowledged.note(6, 2, Some(at(7)));
        assert!(waits(at(7), true), "said in another term");
        assert!(!acknowledged.waits(6, 1, 9, &at(8), |_| true), "no voter");
    }

    #[test]
    fn both_of_two_overlapping_quorums_count() {
        let acknowledged = Acknowledged::default();
        acknowledged.set_voters(&[BTreeSet::from([1, 2, 3]), BTreeSet::from([1, 3, 4])]);
        let waits = || acknowledged.waits(5, 1, 3, &at(7), |id| id == 2 || id == 4);
        acknowledged.note(5, 2, Some(at(7)));
        assert!(waits());
        acknowledged.note(5, 4, Some(at(9)));
        assert!(!waits());
        assert!(acknowledged.has(5, 4, &at(9)) && !acknowledged.has(5, 4, &at(10)));
    }
}
