//! The times at which to look for due leases, without looking at all of them.
//!
//! Deadlines are filed in buckets of [`BUCKET_S`] seconds. The existing buckets are learnt once, at
//! the first question (their number is bounded by the longest life, not by the leases), and kept
//! up with from then on; again when everything was replaced.

use crate::clock::Timestamp;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Seconds of deadlines that share a bucket.
pub(super) const BUCKET_S: u64 = 64;

/// Buckets for which an empty one is kept in mind after its time.
const GRACE_BUCKETS: u64 = 2;

/// Returns the bucket of a deadline.
pub(super) fn bucket_of(deadline: Timestamp) -> u64 {
    deadline.as_secs() / BUCKET_S
}

/// Returns the name of a bucket, which sorts as its number does.
pub(super) fn bucket_name(bucket: u64) -> String {
    format!("{bucket:010x}")
}

pub(super) fn parse_bucket(name: &str) -> Option<u64> {
    u64::from_str_radix(name.trim_end_matches('/'), 16).ok()
}

#[derive(Default)]
pub(super) struct Schedule(Mutex<Deadlines>);

#[derive(Default)]
struct Deadlines {
    buckets: BTreeSet<u64>,
    /// True when the store was asked since it was last replaced.
    is_known: bool,
    /// Number of times that everything was replaced.
    replaced: u64,
    /// The time before which nothing is due; zero when not known.
    quiet_until: Timestamp,
    /// Number of changes of what is filed.
    stirred: u64,
}

impl Schedule {
    fn lock(&self) -> MutexGuard<'_, Deadlines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a deadline was filed (or will be, once a batch commits). Returns true when it is
    /// before all that was known.
    pub fn note(&self, deadline: Timestamp) -> bool {
        let mut state = self.lock();
        let is_first = state.quiet_until.is_zero() || deadline < state.quiet_until;
        state.quiet_until = state.quiet_until.min(deadline);
        state.buckets.insert(bucket_of(deadline));
        is_first
    }

    /// Lets what was noted be looked for anew, for it may be there now, wherever that was.
    pub fn stir(&self) {
        let mut state = self.lock();
        state.stirred += 1;
        state.quiet_until = Timestamp::default();
    }

    /// Notes that everything was replaced, so that the store's buckets are to be learnt again.
    pub fn forget(&self) {
        let mut state = self.lock();
        state.is_known = false;
        state.replaced += 1;
        state.quiet_until = Timestamp::default();
    }

    /// Returns the number that [`Schedule::learn`] asks for; `None` when there is nothing to learn.
    pub fn unknown(&self) -> Option<u64> {
        let state = self.lock();
        (!state.is_known).then_some(state.replaced)
    }

    /// Adds the store's buckets, read after [`Schedule::unknown`] gave `replaced`, to those that
    /// were noted meanwhile.
    pub fn learn(&self, replaced: u64, found: impl Iterator<Item = u64>) {
        let mut state = self.lock();
        state.buckets.extend(found);
        state.is_known = state.replaced == replaced;
    }

    /// Returns the buckets in which something may be due, the earliest first, and the number that
    /// [`Schedule::found_nothing`] asks for; `None` while it is quiet.
    pub fn candidates(&self, now: Timestamp) -> Option<(Vec<u64>, u64)> {
        let state = self.lock();
        if !state.is_known || now < state.quiet_until {
            return None;
        }
        let due: Vec<u64> = state.buckets.range(..=bucket_of(now)).copied().collect();
        (!due.is_empty()).then_some((due, state.stirred))
    }

    /// Notes that `bucket` is empty. It is forgotten once no batch on its way can still file into
    /// it.
    pub fn found_empty(&self, bucket: u64, now: Timestamp) {
        let mut state = self.lock();
        // What is not known may be there again.
        if state.is_known && bucket + GRACE_BUCKETS < bucket_of(now) {
            state.buckets.remove(&bucket);
        }
    }

    /// Notes that nothing is due before `earliest`, nor before the current bucket ends, unless
    /// something was changed since [`Schedule::candidates`] gave `seen`.
    pub fn found_nothing(&self, earliest: Option<Timestamp>, now: Timestamp, seen: u64) {
        let end = Timestamp::from_secs((bucket_of(now) + 1) * BUCKET_S);
        let mut state = self.lock();
        if !state.is_known || state.stirred != seen {
            return;
        }
        state.quiet_until = earliest.map_or(end, |earliest| earliest.min(end));
    }

    /// Returns the time to ask again; `None` when nothing is filed.
    pub fn next(&self) -> Option<Timestamp> {
        let state = self.lock();
        if !state.is_known {
            return Some(Timestamp::default());
        }
        let first = Timestamp::from_secs(state.buckets.first()? * BUCKET_S);
        Some(first.max(state.quiet_until))
    }
}
