//! Standing back: a node that let go of leadership does not campaign for a while, as Vault's does
//! after `sys/step-down`, so that leadership moves and stays with the other node.
//!
//! A node that stands back votes for others, and leads when the leader hands leadership to it for
//! want of a better node. It stands back no longer once it finds that no other node can lead: see
//! `Shared::stand_in`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Limits the time of standing back, as Vault does.
const STAND_BACK: Duration = Duration::from_secs(10);

/// The time since which this node stands back, if it does.
#[derive(Default)]
pub(in crate::raft) struct StandingBack(Mutex<Option<Since>>);

struct Since {
    at: Instant,
    /// The last term that this node led.
    term: u64,
}

impl StandingBack {
    /// Notes that this node hands over the term that it leads.
    pub(in crate::raft) fn begin(&self, term: u64) {
        let at = Instant::now();
        self.set(Some(Since { at, term }));
    }

    /// Returns true while this node stands back.
    pub(in crate::raft) fn is_on(&self) -> bool {
        let since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = since.as_ref();
        since.is_some_and(|since| since.at.elapsed() < STAND_BACK)
    }

    /// Ends standing back, since no other node can lead.
    pub(in crate::raft) fn end(&self) {
        self.set(None);
    }

    /// Ends standing back when this node leads a `term` after the one that it handed over: the
    /// others wanted it to.
    pub(in crate::raft) fn leads(&self, term: u64) {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if since.as_ref().is_some_and(|since| since.term < term) {
            *since = None;
        }
    }

    fn set(&self, since: Option<Since>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_when_others_want_this_node_to_lead_or_nobody_else_can() {
        let standing_back = StandingBack::default();
        assert!(!standing_back.is_on());
        standing_back.begin(7);
        standing_back.leads(7);
        assert!(standing_back.is_on(), "raft has not noticed yet");
        standing_back.leads(9);
        assert!(!standing_back.is_on());
        standing_back.begin(9);
        standing_back.end();
        assert!(!standing_back.is_on());
    }

    #[test]
    fn it_ends_after_ten_seconds() {
        let standing_back = StandingBack::default();
        let since = |ago| Since {
            at: Instant::now() - ago,
            term: 1,
        };
        standing_back.set(Some(since(Duration::from_millis(9_900))));
        assert!(standing_back.is_on());
        standing_back.set(Some(since(Duration::from_secs(10))));
        assert!(!standing_back.is_on());
    }
}
