//! When to look for what is due, without looking at everything.
//!
//! Deadlines are filed in buckets of [`BUCKET_S`] seconds. Which buckets exist is learnt once, at
//! the first question (their number is bounded by the longest life, not by the leases), and kept
//! up with from then on.

use crate::clock::Timestamp;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Seconds of deadlines that share a bucket.
pub(super) const BUCKET_S: u64 = 64;

/// Buckets for which an empty one is kept in mind after its time.
const GRACE_BUCKETS: u64 = 2;

/// The bucket of a deadline.
pub(super) fn bucket_of(deadline: Timestamp) -> u64 {
    deadline.as_secs() / BUCKET_S
}

/// Name of a bucket: sorts as its number does.
pub(super) fn bucket_name(bucket: u64) -> String {
    format!("{bucket:010x}")
}

pub(super) fn parse_bucket(name: &str) -> Option<u64> {
    u64::from_str_radix(name.trim_end_matches('/'), 16).ok()
}

#[derive(Default)]
pub(super) struct Schedule(Mutex<State>);

#[derive(Default)]
struct State {
    /// `None` until learnt.
    buckets: Option<BTreeSet<u64>>,
    /// Nothing is due before; zero when not known.
    quiet_until: Timestamp,
}

impl Schedule {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A deadline was filed (or will be, once a batch commits).
    pub fn note(&self, deadline: Timestamp) {
        let mut state = self.lock();
        state.quiet_until = state.quiet_until.min(deadline);
        if let Some(buckets) = &mut state.buckets {
            buckets.insert(bucket_of(deadline));
        }
    }

    pub fn is_known(&self) -> bool {
        self.lock().buckets.is_some()
    }

    /// Adds what the store holds to what was noted meanwhile.
    pub fn learn(&self, found: impl Iterator<Item = u64>) {
        self.lock().buckets.get_or_insert_default().extend(found);
    }

    /// The buckets in which something may be due, the earliest first; none while it is quiet.
    pub fn candidates(&self, now: Timestamp) -> Vec<u64> {
        let state = self.lock();
        match &state.buckets {
            Some(buckets) if now >= state.quiet_until => {
                buckets.range(..=bucket_of(now)).copied().collect()
            }
            _ => Vec::new(),
        }
    }

    /// `bucket` is empty. It is forgotten once no batch on its way can still file into it.
    pub fn found_empty(&self, bucket: u64, now: Timestamp) {
        if let Some(buckets) = &mut self.lock().buckets
            && bucket + GRACE_BUCKETS < bucket_of(now)
        {
            buckets.remove(&bucket);
        }
    }

    /// Nothing is due before `earliest`, nor before the current bucket ends.
    pub fn found_nothing(&self, earliest: Option<Timestamp>, now: Timestamp) {
        let end = Timestamp::from_secs((bucket_of(now) + 1) * BUCKET_S);
        self.lock().quiet_until = earliest.map_or(end, |earliest| earliest.min(end));
    }

    /// When to ask again; `None` when nothing is filed.
    pub fn next(&self) -> Option<Timestamp> {
        let state = self.lock();
        let Some(buckets) = &state.buckets else {
            return Some(Timestamp::default());
        };
        let first = Timestamp::from_secs(buckets.first()? * BUCKET_S);
        Some(first.max(state.quiet_until))
    }
}
