//! Leases in the barrier.

use super::record::{Lease, LeaseRecord};
use super::schedule::{Schedule, bucket_name, bucket_of, parse_bucket};
use crate::barrier::{BarrierError, Batch, Unsealed, View};
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::store::Revision;
use std::sync::Arc;

/// Most leases that one call gives back; ask again for the rest.
pub const LIST_MAX: usize = 10_000;

/// Bytes of a digest that tell leases of the same nanosecond apart.
const NAME_BYTES: usize = 8;

/// What [`Store::due`] found.
#[derive(Debug, Default)]
pub struct Due {
    /// Leases that have ended.
    pub leases: Vec<Lease>,
    /// Deadlines without a lease.
    pub strays: Vec<Stray>,
}

/// A deadline that its lease has no more: who ended it had read it before it was renewed.
#[derive(Debug)]
pub struct Stray {
    entry: String,
    id: String,
    /// Of the lease, which must still be so, or absent, when the deadline goes.
    revision: Revision,
}

impl Due {
    /// Neither.
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty() && self.strays.is_empty()
    }

    /// Is there `limit` of one of them?
    pub fn is_full(&self, limit: usize) -> bool {
        self.leases.len() >= limit || self.strays.len() >= limit
    }
}

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
        let found = self.records.get_record::<LeaseRecord>(id, "lease")?;
        Ok(found.map(|(revision, stored)| stored.into_lease(id.to_owned(), revision)))
    }

    /// The lease as it will be once `batch` is committed: what it writes, or else what is stored.
    pub fn latest(&self, batch: &Batch, id: &str) -> Result<Option<Lease>, BarrierError> {
        match self.records.pending(batch, id) {
            Some(record) => {
                let stored: LeaseRecord = postcard::from_bytes(record.expose())
                    .map_err(|_| BarrierError::Decode("lease"))?;
                Ok(Some(stored.into_lease(id.to_owned(), Revision(0))))
            }
            None => self.read(id),
        }
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

    /// Leases that have ended at `now`, at most `limit`, the earliest buckets first, and as many
    /// deadlines that no lease has any more. Costs nothing when there is neither.
    pub fn due(&self, now: Timestamp, limit: usize) -> Result<Due, BarrierError> {
        if let Some(replaced) = self.schedule.unknown() {
            let names = self.expiry.list("")?;
            let buckets = names.iter().filter_map(|name| parse_bucket(name));
            self.schedule.learn(replaced, buckets);
        }
        let mut due = Due::default();
        let buckets = self.schedule.candidates(now);
        if buckets.is_empty() {
            return Ok(due);
        }
        let mut earliest = None;
        for bucket in buckets {
            self.due_in(bucket, now, limit, &mut due, &mut earliest)?;
            if due.is_full(limit) {
                return Ok(due);
            }
        }
        if due.is_empty() {
            self.schedule.found_nothing(earliest, now);
        }
        Ok(due)
    }

    /// Adds "`lease` is still as it was read" to `batch`, for what follows from it.
    pub fn expect(&self, batch: &mut Batch, lease: &Lease) {
        self.records.expect(batch, &lease.id, lease.revision);
    }

    /// Adds "forget this deadline" to `batch`.
    pub fn forget(&self, batch: &mut Batch, stray: &Stray) {
        self.records.expect(batch, &stray.id, stray.revision);
        self.expiry.delete(batch, &stray.entry);
    }

    /// When [`Store::due`] is worth asking again; `None` when no lease exists.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.schedule.next()
    }

    /// All of the store was replaced, so that there may be leases that this node never saw.
    pub fn replaced(&self) {
        self.schedule.forget();
    }

    /// How many leases are stored, ended ones included: work in proportion to their number.
    pub fn count_all(&self) -> Result<u64, BarrierError> {
        self.records.count()
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
        due: &mut Due,
        earliest: &mut Option<Timestamp>,
    ) -> Result<(), BarrierError> {
        let folder = format!("{}/", bucket_name(bucket));
        let names = self.expiry.walk(&folder, LIST_MAX)?;
        if names.is_empty() {
            self.schedule.found_empty(bucket, now);
        }
        for name in names {
            let Some(deadline) = parse_deadline(&name) else {
                continue;
            };
            if deadline > now {
                *earliest = Some(earliest.map_or(deadline, |first| first.min(deadline)));
            } else if !due.is_full(limit) {
                self.look_at(&format!("{folder}{name}"), deadline, due)?;
            }
        }
        Ok(())
    }

    fn look_at(&self, entry: &str, deadline: Timestamp, due: &mut Due) -> Result<(), BarrierError> {
        let Some((_, id)) = self.expiry.get_record::<String>(entry, "deadline")? else {
            return Ok(());
        };
        let revision = match self.read(&id)? {
            Some(lease) if lease.expire_time == deadline => {
                due.leases.push(lease);
                return Ok(());
            }
            Some(lease) => lease.revision,
            None => Revision(0),
        };
        let entry = entry.to_owned();
        due.strays.push(Stray {
            entry,
            id,
            revision,
        });
        Ok(())
    }

    fn write(&self, batch: &mut Batch, lease: &Lease) -> Result<(), BarrierError> {
        self.schedule.note(lease.expire_time);
        self.records
            .put_record(batch, &lease.id, &LeaseRecord::from_lease(lease))?;
        self.expiry
            .put_record(batch, &expiry_entry(lease), &lease.id)
    }

    fn read_all(&self, ids: impl Iterator<Item = String>) -> Result<Vec<Lease>, BarrierError> {
        let mut leases = Vec::new();
        for id in ids {
            leases.extend(self.read(&id)?);
        }
        Ok(leases)
    }
}

/// The deadline is in the name, so that finding what is due opens no record that is not. The rest
/// of the name tells leases with the same deadline apart; the record holds the id.
fn expiry_entry(lease: &Lease) -> String {
    let bucket = bucket_name(bucket_of(lease.expire_time));
    let digest = ring::digest::digest(&ring::digest::SHA256, lease.id.as_bytes());
    let name = hex::encode(digest.as_ref().get(..NAME_BYTES).unwrap_or_default());
    format!("{bucket}/{:x}.{name}", lease.expire_time.0)
}

fn parse_deadline(name: &str) -> Option<Timestamp> {
    let (deadline, _) = name.split_once('.')?;
    u64::from_str_radix(deadline, 16).ok().map(Timestamp)
}

fn owner_entry(lease: &Lease) -> String {
    format!("{}/{}", lease.owner, lease.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::Undo;
    use crate::store::Inmem;
    use std::time::Duration;

    struct World {
        barrier: Arc<Unsealed>,
        leases: Store,
    }

    impl World {
        fn new() -> Self {
            let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
            Self {
                leases: Store::new(&barrier),
                barrier,
            }
        }

        async fn commit(&self, batch: Batch) {
            let committed = self.barrier.commit(batch, at(1)).await;
            committed.expect("commits");
        }

        async fn register(&self, lease: &Lease) {
            let mut batch = Batch::new();
            self.leases.register(&mut batch, lease).expect("registers");
            self.commit(batch).await;
        }

        fn due(&self, now: Timestamp) -> Vec<String> {
            let due = self.leases.due(now, 100).expect("reads");
            let mut ids: Vec<String> = due.leases.into_iter().map(|lease| lease.id).collect();
            ids.sort_unstable();
            ids
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn lease(id: &str, ends_s: u64) -> Lease {
        Lease {
            id: id.into(),
            issue_time: at(0),
            expire_time: at(ends_s),
            last_renewal: Timestamp::default(),
            max_expire_time: Timestamp::default(),
            renewable: true,
            owner: "owner".into(),
            undo: Undo::Token("t".into()),
            revision: Revision(0),
        }
    }

    #[tokio::test]
    async fn a_lease_is_due_at_its_deadline_and_not_before() {
        let world = World::new();
        for (id, ends_s) in [("a/1", 100), ("a/2", 101), ("b/3", 1000), ("a/x/1", 100)] {
            world.register(&lease(id, ends_s)).await;
        }
        assert!(world.due(at(99)).is_empty());
        assert_eq!(world.due(at(100)), ["a/1", "a/x/1"]);
        assert_eq!(world.due(at(101)), ["a/1", "a/2", "a/x/1"]);
        for id in ["a/1", "a/2", "a/x/1"] {
            let found = world.leases.read(id).expect("reads").expect("is there");
            let mut batch = Batch::new();
            world.leases.remove(&mut batch, &found);
            world.commit(batch).await;
        }
        assert!(world.due(at(900)).is_empty());
        assert_eq!(world.due(at(1000)), ["b/3"]);
    }

    #[tokio::test]
    async fn another_node_finds_what_is_due_without_being_told() {
        let world = World::new();
        world.register(&lease("a/1", 100)).await;
        let other = Store::new(&world.barrier);
        assert_eq!(
            other.next_due(),
            Some(Timestamp::default()),
            "it must look once"
        );
        assert!(other.due(at(50), 10).expect("reads").is_empty());
        assert!(other.next_due() > Some(at(50)), "and then knows when");
        assert!(other.due(at(80), 10).expect("reads").is_empty());
        assert_eq!(other.next_due(), Some(at(100)));
        assert_eq!(other.due(at(100), 10).expect("reads").leases.len(), 1);
    }

    #[tokio::test]
    async fn what_came_with_a_restore_is_found() {
        let world = World::new();
        world.register(&lease("a/known", 1000)).await;
        assert!(world.due(at(10)).is_empty());
        let elsewhere = Store::new(&world.barrier);
        let mut batch = Batch::new();
        let registered = elsewhere.register(&mut batch, &lease("a/restored", 20));
        registered.expect("registers");
        world.commit(batch).await;
        assert!(world.due(at(30)).is_empty(), "this node was not told");
        world.leases.replaced();
        assert_eq!(world.leases.next_due(), Some(Timestamp::default()));
        assert_eq!(world.due(at(30)), ["a/restored"]);
    }

    #[tokio::test]
    async fn a_lease_filed_while_it_was_quiet_is_found() {
        let world = World::new();
        world.register(&lease("a/late", 63)).await;
        assert!(world.due(at(10)).is_empty());
        world.register(&lease("a/early", 20)).await;
        assert_eq!(world.leases.next_due(), Some(at(20)));
        assert_eq!(world.due(at(20)), ["a/early"]);
    }

    #[tokio::test]
    async fn renewal_moves_the_deadline_and_its_index() {
        let world = World::new();
        world.register(&lease("a/1", 100)).await;
        let found = world.leases.lookup("a/1", at(50)).expect("reads");
        let found = found.expect("is there");
        let mut batch = Batch::new();
        let renewed = world.leases.renew(&mut batch, &found, at(500), at(50));
        world.commit(batch).await;
        assert_eq!(
            renewed.expect("renews").ttl(at(50)),
            Duration::from_secs(450)
        );
        assert!(world.due(at(499)).is_empty());
        assert_eq!(world.due(at(500)), ["a/1"]);
        assert!(
            world
                .leases
                .lookup("a/1", at(500))
                .expect("reads")
                .is_none()
        );
        let mut stale = Batch::new();
        let again = world.leases.renew(&mut stale, &found, at(900), at(60));
        again.expect("prepares");
        assert!(
            world.barrier.commit(stale, at(60)).await.is_err(),
            "it changed meanwhile"
        );
    }

    /// A renewal that commits between the look at a lease and its end leaves its new deadline.
    #[tokio::test]
    async fn a_deadline_without_a_lease_is_found_and_forgotten() {
        let world = World::new();
        for again in [false, true] {
            world.register(&lease("a/1", 100)).await;
            let read = world.leases.read("a/1").expect("reads").expect("is there");
            let mut batch = Batch::new();
            let renewed = world.leases.renew(&mut batch, &read, at(200), at(50));
            renewed.expect("renews");
            world.commit(batch).await;
            let mut batch = Batch::new();
            world.leases.remove(&mut batch, &read);
            world.commit(batch).await;
            if again {
                world.register(&lease("a/1", 5000)).await;
            }
            let due = world.leases.due(at(300), 10).expect("reads");
            assert!(due.leases.is_empty());
            assert_eq!(due.strays.len(), 1);
            let mut batch = Batch::new();
            world.leases.forget(&mut batch, &due.strays[0]);
            world.commit(batch).await;
            assert!(world.leases.due(at(300), 10).expect("reads").is_empty());
            let left = world.leases.expiry.walk("", 10).expect("walks");
            assert_eq!(left.len(), usize::from(again), "{left:?}");
            assert!(world.leases.next_due() > Some(at(300)) || !again);
        }
        assert_eq!(world.due(at(5000)), ["a/1"]);
    }

    #[tokio::test]
    async fn lists_and_owners_follow_the_records() {
        let world = World::new();
        for id in ["a/1", "a/b/2", "c/3"] {
            world.register(&lease(id, 100)).await;
        }
        assert_eq!(world.leases.list("").expect("lists"), ["a/", "c/"]);
        assert_eq!(world.leases.list("a/").expect("lists"), ["1", "b/"]);
        assert_eq!(world.leases.below("a/", 10).expect("reads").len(), 2);
        assert_eq!(world.leases.owned_by("owner", 10).expect("reads").len(), 3);
        assert!(
            world
                .leases
                .owned_by("other", 10)
                .expect("reads")
                .is_empty()
        );
        assert_eq!(world.leases.count("").expect("counts"), 3);
        assert_eq!(world.leases.count_all().expect("counts"), 3);
        for id in ["", "a", "a/", "../a", "a//b"] {
            assert!(world.leases.read(id).expect("reads").is_none(), "{id:?}");
        }
    }
}
