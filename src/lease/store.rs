//! The leases in the barrier.

use super::agenda::{Agenda, Item};
use super::failure::{Failure, FailureRecord};
use super::record::{Lease, LeaseRecord, Undo};
use crate::barrier::{BarrierError, Batch, Slot, Unsealed, View};
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{Key, Revision};
use std::sync::Arc;

/// Most leases that one call returns; the caller asks again for the rest.
pub const LIST_MAX: usize = 10_000;

/// Leases that are read at a time where all are looked at.
const PAGE: usize = 1024;

/// The leases and entries that [`Store::due`] and [`Store::to_revoke`] found.
#[derive(Debug, Default)]
pub struct Due {
    /// Leases that have ended.
    pub leases: Vec<Lease>,
    /// Entries that differ from what their lease says.
    pub strays: Vec<Stray>,
}

/// An entry of an index that its lease has no more: its end was committed by a request that had
/// read the lease before it was renewed.
#[derive(Debug)]
pub struct Stray {
    entry: String,
    id: String,
    /// The revision of the lease, which must still be so, or absent, when the entry goes.
    revision: Revision,
    of_secret: bool,
}

impl Due {
    /// Returns true when there are neither leases nor strays.
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty() && self.strays.is_empty()
    }

    /// Returns true when there are `limit` of one of them.
    pub fn is_full(&self, limit: usize) -> bool {
        self.leases.len() >= limit || self.strays.len() >= limit
    }
}

/// Reads and writes leases.
pub struct Store {
    records: View,
    owners: View,
    failures: View,
    /// The ends of tokens.
    ends: Agenda,
    /// The revocations that engines are to make of what they granted: at the end of each lease, and
    /// once more after each attempt that failed. It is the queue of revocations.
    revocations: Agenda,
}

impl Store {
    /// Creates the store of the leases of `barrier`. Reads nothing.
    pub fn new(barrier: &Arc<Unsealed>) -> Self {
        Self {
            records: barrier.view("sys/lease/id/"),
            owners: barrier.view("sys/lease/owner/"),
            failures: barrier.view("sys/lease/failed/"),
            ends: Agenda::new(barrier, "sys/lease/expiry/"),
            revocations: Agenda::new(barrier, "sys/lease/revoke/"),
        }
    }

    /// Reads a lease that has not ended.
    pub fn lookup(&self, id: &str, now: Timestamp) -> Result<Option<Lease>, BarrierError> {
        Ok(self.read(id)?.filter(|lease| !lease.is_expired(now)))
    }

    /// Reads a lease, ended or not.
    pub fn read(&self, id: &str) -> Result<Option<Lease>, BarrierError> {
        if id.is_empty() || id.ends_with('/') || crate::path::check(id).is_err() {
            return Ok(None);
        }
        let found = self.records.get_record::<LeaseRecord>(id, "lease")?;
        Ok(found.map(|(revision, stored)| stored.into_lease(id.to_owned(), revision)))
    }

    /// Returns the lease as it will be once `batch` is committed: what it writes, or else what is
    /// stored.
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
        // Its id is new: nothing is in these places.
        let record = LeaseRecord::from_lease(lease);
        self.records.put_record_blindly(batch, &lease.id, &record)?;
        self.agenda(lease)
            .put(batch, &lease.id, lease.expire_time)?;
        if !lease.owner.is_empty() {
            self.owners
                .put_blindly(batch, &owner_entry(lease), Secret::new(Vec::new()));
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
        if lease.expire_time != expire_time {
            self.agenda(lease)
                .delete(batch, &lease.id, lease.expire_time);
        }
        self.write(batch, &renewed)?;
        Ok(renewed)
    }

    /// Adds the end of `lease` at `now` to `batch`, after which its engine revokes it. After
    /// failures, revoking starts over. The lease stays until that is done; the token that it dies
    /// with has it no more.
    pub fn end(
        &self,
        batch: &mut Batch,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<(), BarrierError> {
        if !lease.owner.is_empty() {
            self.owners.delete(batch, &owner_entry(lease));
        }
        let failure = self.failure(&lease.id)?;
        if lease.is_expired(now) && failure.is_none() {
            return Ok(());
        }
        self.forget_time(batch, lease, failure.as_ref());
        let ended = Lease {
            expire_time: now,
            ..lease.clone()
        };
        self.write(batch, &ended)
    }

    /// Adds the failure to revoke `lease` (as read, and ended) to `batch`.
    pub fn fail(
        &self,
        batch: &mut Batch,
        lease: &Lease,
        before: Option<&Failure>,
        failure: &Failure,
    ) -> Result<(), BarrierError> {
        batch.keep(&self.slot(lease));
        self.forget_time(batch, lease, before);
        if !failure.is_irrevocable() {
            self.revocations.put(batch, &lease.id, failure.retry_at)?;
        }
        let record = FailureRecord::V1(failure.clone());
        // Failures change with their lease only, which is kept as it was read.
        self.failures.put_record_blindly(batch, &lease.id, &record)
    }

    /// Returns the outcome of the attempts to revoke the lease `id`; `None` when none failed.
    pub fn failure(&self, id: &str) -> Result<Option<Failure>, BarrierError> {
        let found = self.failures.get_record::<FailureRecord>(id, "lease")?;
        Ok(found.map(|(_, FailureRecord::V1(failure))| failure))
    }

    /// Shows leases that could not be revoked and are not tried any more to `show`, until it has
    /// had enough and returns false.
    pub fn irrevocable(
        &self,
        mut show: impl FnMut(Lease, Failure) -> bool,
    ) -> Result<(), BarrierError> {
        let mut after = String::new();
        loop {
            let ids = self.failures.walk_after("", &after, PAGE)?;
            for id in &ids {
                let failure = self.failure(id)?.filter(Failure::is_irrevocable);
                if let (Some(failure), Some(lease)) = (failure, self.read(id)?)
                    && !show(lease, failure)
                {
                    return Ok(());
                }
            }
            match ids.last() {
                Some(last) if ids.len() == PAGE => after.clone_from(last),
                _ => return Ok(()),
            }
        }
    }

    fn forget_time(&self, batch: &mut Batch, lease: &Lease, failure: Option<&Failure>) {
        let time = failure.map_or(lease.expire_time, |failure| failure.retry_at);
        self.agenda(lease).delete(batch, &lease.id, time);
        if failure.is_some() {
            self.failures.delete(batch, &lease.id);
        }
    }

    fn agenda(&self, lease: &Lease) -> &Agenda {
        match lease.undo {
            Undo::Token(_) => &self.ends,
            Undo::Secret { .. } => &self.revocations,
        }
    }

    /// Adds the removal of this lease to `batch`. The caller undoes what it stands for.
    pub fn remove(&self, batch: &mut Batch, lease: &Lease) -> Result<(), BarrierError> {
        let failure = match lease.undo {
            Undo::Token(_) => None,
            Undo::Secret { .. } => self.failure(&lease.id)?,
        };
        self.records.delete(batch, &lease.id);
        self.forget_time(batch, lease, failure.as_ref());
        if !lease.owner.is_empty() {
            self.owners.delete(batch, &owner_entry(lease));
        }
        Ok(())
    }

    /// Lists the names directly below `prefix` (empty, or ending in `/`), for `sys/leases/lookup/`.
    pub fn list(&self, prefix: &str) -> Result<Vec<String>, BarrierError> {
        self.records.list(prefix)
    }

    /// Lists leases below `prefix` (empty, or ending in `/`), at most `limit`, ended ones included.
    pub fn below(&self, prefix: &str, limit: usize) -> Result<Vec<Lease>, BarrierError> {
        let names = self.records.walk(prefix, limit.min(LIST_MAX))?;
        self.read_all(names.iter().map(|name| format!("{prefix}{name}")))
    }

    /// Lists leases as [`Store::below`] does, from behind the lease `after` on (an id; empty: from
    /// the beginning). Returns the id to go on behind, too; `None` when there was nothing more.
    pub fn below_after(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Option<(Vec<Lease>, String)>, BarrierError> {
        let after = after.strip_prefix(prefix).unwrap_or_default();
        let names = self.records.walk_after(prefix, after, limit)?;
        let Some(last) = names.last().map(|name| format!("{prefix}{name}")) else {
            return Ok(None);
        };
        let leases = self.read_all(names.iter().map(|name| format!("{prefix}{name}")))?;
        Ok(Some((leases, last)))
    }

    /// Lists leases that die with the token `owner`, at most `limit`.
    pub fn owned_by(&self, owner: &str, limit: usize) -> Result<Vec<Lease>, BarrierError> {
        if owner.is_empty() {
            return Ok(Vec::new());
        }
        let ids = self
            .owners
            .walk(&format!("{owner}/"), limit.min(LIST_MAX))?;
        self.read_all(ids.into_iter())
    }

    /// Finds leases of tokens that have ended at `now`, at most `limit`, the earliest buckets
    /// first, and as many deadlines that no lease has any more. Costs nothing when there is
    /// neither.
    pub fn due(&self, now: Timestamp, limit: usize) -> Result<Due, BarrierError> {
        let mut due = Due::default();
        self.ends.due(now, limit, |item| {
            match self.read(&item.id)? {
                Some(lease) if lease.expire_time == item.time => due.leases.push(lease),
                lease => due.strays.push(Stray::new(item, lease.as_ref(), false)),
            }
            Ok(!due.is_full(limit))
        })?;
        Ok(due)
    }

    /// Finds leases as [`Store::due`] does, for those that an engine is to revoke, and leaves out
    /// those that are `busy`.
    pub fn to_revoke(
        &self,
        now: Timestamp,
        limit: usize,
        busy: impl Fn(&str) -> bool,
    ) -> Result<Due, BarrierError> {
        let mut due = Due::default();
        self.revocations.due(now, limit, |item| {
            if busy(&item.id) {
                return Ok(true);
            }
            let failure = self.failure(&item.id)?;
            let time = |lease: &Lease| failure.as_ref().map_or(lease.expire_time, |f| f.retry_at);
            match self.read(&item.id)? {
                Some(lease) if time(&lease) == item.time => due.leases.push(lease),
                lease => due.strays.push(Stray::new(item, lease.as_ref(), true)),
            }
            Ok(!due.is_full(limit))
        })?;
        Ok(due)
    }

    /// Adds the precondition to `batch` that `lease` is still as it was read.
    pub fn expect(&self, batch: &mut Batch, lease: &Lease) {
        batch.keep(&self.slot(lease));
    }

    /// Adds the removal of this entry to `batch`.
    pub fn forget(&self, batch: &mut Batch, stray: &Stray) {
        batch.keep(&self.records.known(&stray.id, stray.revision));
        let agenda = match stray.of_secret {
            true => &self.revocations,
            false => &self.ends,
        };
        agenda.delete_entry(batch, &stray.entry);
    }

    /// Returns the time at which [`Store::due`] is worth asking again; `None` when no token has a
    /// lease.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.ends.next()
    }

    /// Returns when there is a lease of a token that may be due before [`Store::next_due`] said.
    pub async fn due_changed(&self) {
        self.ends.changed().await;
    }

    /// Returns the time at which [`Store::to_revoke`] is worth asking again; `None` when no engine
    /// has a lease.
    pub fn next_revocation(&self) -> Option<Timestamp> {
        self.revocations.next()
    }

    /// Returns when there may be something to revoke before [`Store::next_revocation`] said.
    pub async fn revocations_changed(&self) {
        self.revocations.changed().await;
    }

    /// Notes that a log entry that wrote `keys` is applied.
    pub fn applied(&self, keys: &[Key]) {
        self.revocations.applied(keys);
    }

    /// Notes that all of the store was replaced, so that there may be leases that this node never
    /// saw.
    pub fn replaced(&self) {
        self.ends.replaced();
        self.revocations.replaced();
    }

    /// Counts the leases that are stored, ended ones included: work in proportion to their number.
    pub fn count_all(&self) -> Result<u64, BarrierError> {
        self.records.count()
    }

    /// Counts the leases below `prefix`, up to [`LIST_MAX`].
    pub fn count(&self, prefix: &str) -> Result<usize, BarrierError> {
        Ok(self.records.walk(prefix, LIST_MAX)?.len())
    }

    /// Returns the slot of the record that `lease` was read from.
    fn slot(&self, lease: &Lease) -> Slot {
        self.records.known(&lease.id, lease.revision)
    }

    /// Adds a write of `lease` to `batch`, in place of the record that it was read from.
    fn write(&self, batch: &mut Batch, lease: &Lease) -> Result<(), BarrierError> {
        batch.replace_record(&self.slot(lease), &LeaseRecord::from_lease(lease))?;
        self.agenda(lease).put(batch, &lease.id, lease.expire_time)
    }

    fn read_all(&self, ids: impl Iterator<Item = String>) -> Result<Vec<Lease>, BarrierError> {
        let mut leases = Vec::new();
        for id in ids {
            leases.extend(self.read(&id)?);
        }
        Ok(leases)
    }
}

impl Stray {
    fn new(item: Item, lease: Option<&Lease>, of_secret: bool) -> Self {
        Self {
            entry: item.entry,
            id: item.id,
            revision: lease.map_or(Revision(0), |lease| lease.revision),
            of_secret,
        }
    }
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
            world.leases.remove(&mut batch, &found).expect("removes");
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
            world.leases.remove(&mut batch, &read).expect("removes");
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
            assert_eq!(world.leases.ends.len(), usize::from(again));
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
