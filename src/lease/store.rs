//! Leases in the barrier.

use super::record::{Lease, Stored};
use super::schedule::{Schedule, bucket_name, bucket_of, parse_bucket};
use crate::barrier::{BarrierError, Batch, Unsealed, View};
use crate::clock::Timestamp;
use crate::secret::Secret;
use std::sync::Arc;

/// Most leases that one call gives back; ask again for the rest.
pub const LIST_MAX: usize = 10_000;

/// Reads and writes leases.
pub struct Store {
    records: View,
    expiry: View,
    owners: View,
    schedule: Schedule,
}

impl Store {
    /// Leases of `barrier`. Reads nothing.
    pub fn new(barrier: &Arc<Unsealed>) -> Self {
        Self {
            records: barrier.view("sys/lease/id/"),
            expiry: barrier.view("sys/lease/expiry/"),
            owners: barrier.view("sys/lease/owner/"),
            schedule: Schedule::default(),
        }
    }

    /// A lease that has not ended.
    pub fn lookup(&self, id: &str, now: Timestamp) -> Result<Option<Lease>, BarrierError> {
        Ok(self.read(id)?.filter(|lease| !lease.is_expired(now)))
    }

    /// A lease, ended or not.
    pub fn read(&self, id: &str) -> Result<Option<Lease>, BarrierError> {
        if id.is_empty() || id.ends_with('/') || crate::path::check(id).is_err() {
            return Ok(None);
        }
        let found = self.records.get_record::<Stored>(id, "lease")?;
        Ok(found.map(|(revision, stored)| stored.into_lease(id.to_owned(), revision)))
    }

    /// Adds a new lease to `batch`.
    pub fn register(&self, batch: &mut Batch, lease: &Lease) -> Result<(), BarrierError> {
        self.write(batch, lease)?;
        if !lease.owner.is_empty() {
            self.owners
                .put(batch, &owner_entry(lease), Secret::new(Vec::new()));
        }
        Ok(())
    }

    /// Moves the deadline of `lease` (as read) to `expire_time`.
    pub fn renew(
        &self,
        batch: &mut Batch,
        lease: &Lease,
        expire_time: Timestamp,
        now: Timestamp,
    ) -> Result<Lease, BarrierError> {
        let renewed = Lease {
            expire_time,
            last_renewal: now,
            ..lease.clone()
        };
        self.records.expect(batch, &lease.id, lease.revision);
        if lease.expire_time != expire_time {
            self.expiry.delete(batch, &expiry_entry(lease));
        }
        self.write(batch, &renewed)?;
        Ok(renewed)
    }

    /// Adds "forget this lease" to `batch`. What it stands for is the caller's to undo.
    pub fn remove(&self, batch: &mut Batch, lease: &Lease) {
        self.records.delete(batch, &lease.id);
        self.expiry.delete(batch, &expiry_entry(lease));
        if !lease.owner.is_empty() {
            self.owners.delete(batch, &owner_entry(lease));
        }
    }

    /// Names directly below `prefix` (empty, or ending in `/`), for `sys/leases/lookup/`.
    pub fn list(&self, prefix: &str) -> Result<Vec<String>, BarrierError> {
        self.records.list(prefix)
    }

    /// Leases below `prefix` (empty, or ending in `/`), at most `limit`, ended ones included.
    pub fn below(&self, prefix: &str, limit: usize) -> Result<Vec<Lease>, BarrierError> {
        let names = self.records.walk(prefix, limit.min(LIST_MAX))?;
        self.read_all(names.iter().map(|name| format!("{prefix}{name}")))
    }

    /// Leases that die with the token `owner`, at most `limit`.
    pub fn owned_by(&self, owner: &str, limit: usize) -> Result<Vec<Lease>, BarrierError> {
        if owner.is_empty() {
            return Ok(Vec::new());
        }
        let ids = self
            .owners
            .walk(&format!("{owner}/"), limit.min(LIST_MAX))?;
        self.read_all(ids.into_iter())
    }

    /// Leases that have ended at `now`, at most `limit`, the earliest buckets first. Costs
    /// nothing when none has.
    pub fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Lease>, BarrierError> {
        if !self.schedule.is_known() {
            let names = self.expiry.list("")?;
            self.schedule
                .learn(names.iter().filter_map(|name| parse_bucket(name)));
        }
        let buckets = self.schedule.candidates(now);
        if buckets.is_empty() {
            return Ok(Vec::new());
        }
        let mut due = Vec::new();
        let mut earliest = None;
        for bucket in buckets {
            self.due_in(bucket, now, limit, &mut due, &mut earliest)?;
            if due.len() >= limit {
                return Ok(due);
            }
        }
        if due.is_empty() {
            self.schedule.found_nothing(earliest, now);
        }
        Ok(due)
    }

    /// When [`Store::due`] is worth asking again; `None` when no lease exists.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.schedule.next()
    }

    /// How many leases exist below `prefix`, counted up to [`LIST_MAX`].
    pub fn count(&self, prefix: &str) -> Result<usize, BarrierError> {
        Ok(self.records.walk(prefix, LIST_MAX)?.len())
    }

    fn due_in(
        &self,
        bucket: u64,
        now: Timestamp,
        limit: usize,
        due: &mut Vec<Lease>,
        earliest: &mut Option<Timestamp>,
    ) -> Result<(), BarrierError> {
        let folder = format!("{}/", bucket_name(bucket));
        let names = self.expiry.walk(&folder, LIST_MAX)?;
        if names.is_empty() {
            self.schedule.found_empty(bucket, now);
        }
        for name in names {
            let Some((deadline, id)) = parse_entry(&name) else {
                continue;
            };
            if deadline > now {
                *earliest = Some(earliest.map_or(deadline, |first| first.min(deadline)));
            } else if due.len() < limit {
                due.extend(self.read(id)?);
            }
        }
        Ok(())
    }

    fn write(&self, batch: &mut Batch, lease: &Lease) -> Result<(), BarrierError> {
        self.schedule.note(lease.expire_time);
        self.records
            .put_record(batch, &lease.id, &Stored::from_lease(lease))?;
        self.expiry
            .put(batch, &expiry_entry(lease), Secret::new(Vec::new()));
        Ok(())
    }

    fn read_all(&self, ids: impl Iterator<Item = String>) -> Result<Vec<Lease>, BarrierError> {
        let mut leases = Vec::new();
        for id in ids {
            leases.extend(self.read(&id)?);
        }
        Ok(leases)
    }
}

/// The whole entry is in its name, so that finding what is due opens no record that is not.
fn expiry_entry(lease: &Lease) -> String {
    let bucket = bucket_name(bucket_of(lease.expire_time));
    format!("{bucket}/{:016x}/{}", lease.expire_time.0, lease.id)
}

fn parse_entry(name: &str) -> Option<(Timestamp, &str)> {
    let (deadline, id) = name.split_once('/')?;
    let deadline = u64::from_str_radix(deadline, 16).ok()?;
    Some((Timestamp(deadline), id))
}

fn owner_entry(lease: &Lease) -> String {
    format!("{}/{}", lease.owner, lease.id)
}
