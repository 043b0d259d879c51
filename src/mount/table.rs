//! The mount table, and snapshots of it for requests.

use super::entry::with_slash;
use super::{Class, Entry, MountError, Purges};
use crate::barrier::{BarrierError, Batch, Codec, Slot, Unsealed, View};
use crate::store::{CommitError, Key, Observer, Revision};
use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Most mounts; the table is one record and is read whole.
pub const MOUNTS_MAX: usize = 1024;
/// Most finished remounts whose status is kept.
const MIGRATIONS_MAX: usize = 64;
const RECORD: &str = "mounts";
const MIGRATIONS: &str = "remounts";

/// The stored form; the variant is the version.
#[derive(Serialize, Deserialize)]
enum TableRecord {
    V1(Vec<Entry>),
}

/// Returns the codec that shows the record `name`, below `core/`, as text.
pub fn codec(name: &str) -> Option<Codec> {
    match name {
        RECORD => Some(Codec::of::<TableRecord>()),
        MIGRATIONS => Some(Codec::of::<Vec<Migration>>()),
        _ => None,
    }
}

/// A finished remount, for `sys/remount/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The UUID.
    pub id: String,
    /// The full path before.
    pub source: String,
    /// The full path after.
    pub target: String,
}

/// Reads and changes the mount table.
pub struct Table {
    view: View,
    purges: Purges,
    current: ArcSwap<Snapshot>,
    loading: Mutex<()>,
    watch: Arc<Watch>,
}

/// The table at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    generation: u64,
    revision: Revision,
    entries: Vec<Arc<Entry>>,
    by_path: HashMap<String, Arc<Entry>>,
}

/// Counts the changes of the record. A snapshot carries the count from before it was read, so a
/// reader that starts after a change was acknowledged never takes an older one.
struct Watch {
    key: Key,
    generation: AtomicU64,
}

impl Observer for Watch {
    fn applied(&self, _revision: Revision, keys: &[Key]) {
        if keys.is_empty() || keys.contains(&self.key) {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Table {
    /// Returns the table of `barrier`, which follows its storage. Reads nothing yet.
    pub fn new(barrier: &Arc<Unsealed>) -> Result<Self, BarrierError> {
        let view = barrier.view("core/");
        let watch = Arc::new(Watch {
            key: view.key(RECORD)?,
            generation: AtomicU64::new(1),
        });
        barrier.storage().observe(Arc::downgrade(&watch) as _);
        Ok(Self {
            view,
            purges: Purges::new(barrier),
            current: ArcSwap::default(),
            loading: Mutex::new(()),
            watch,
        })
    }

    /// Adds the first table to `batch`: `sys/`, `cubbyhole/` and `auth/token/`.
    pub fn install(&self, batch: &mut Batch) -> Result<(), BarrierError> {
        let mut system = Entry::new(Class::Secret, "sys", "system");
        system.description = "system endpoints used for control, policy and debugging".into();
        system.seal_wrap = true;
        system.config.passthrough_request_headers = vec!["Accept".into()];
        let mut cubbyhole = Entry::new(Class::Secret, "cubbyhole", "cubbyhole");
        cubbyhole.description = "per-token private secret storage".into();
        cubbyhole.local = true;
        let mut token = Entry::new(Class::Auth, "token", "token");
        token.description = "token based credentials".into();
        let slot = self.view.read(RECORD)?.as_absent();
        let entries = vec![system, cubbyhole, token];
        batch.replace_record(&slot, &TableRecord::V1(entries))
    }

    /// Returns the table as it is applied on this node.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>, BarrierError> {
        let current = self.current.load_full();
        if current.generation == self.watch.generation.load(Ordering::Acquire) {
            return Ok(current);
        }
        let _one = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.watch.generation.load(Ordering::Acquire);
        let snapshot = Arc::new(self.load(generation)?);
        self.current.store(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// Adds "mount `entry`" to `batch`.
    pub fn add(&self, batch: &mut Batch, entry: Entry) -> Result<(), MountError> {
        let (slot, mut entries) = self.read()?;
        check_path(&entry)?;
        if let Some(taken) = overlapping(&entries, entry.class, &entry.path, None) {
            return Err(MountError::InUse(taken));
        }
        if entries.len() >= MOUNTS_MAX {
            return Err(MountError::TooMany);
        }
        entries.push(entry);
        Ok(write(batch, &slot, entries)?)
    }

    /// Adds "change this mount" to `batch`. It conflicts unless the table is still the one in
    /// `seen`, from which the change follows.
    pub fn tune(
        &self,
        batch: &mut Batch,
        seen: &Snapshot,
        class: Class,
        path: &str,
        change: impl FnOnce(&mut Entry),
    ) -> Result<(), MountError> {
        let (slot, mut entries) = self.read()?;
        if slot.revision() != seen.revision {
            return Err(BarrierError::from(CommitError::Conflict).into());
        }
        let path = with_slash(path);
        let Some(entry) = entries
            .iter_mut()
            .find(|e| e.class == class && e.path == path)
        else {
            return Err(MountError::NothingToTune(path));
        };
        change(entry);
        Ok(write(batch, &slot, entries)?)
    }

    /// Adds "unmount this and purge its records" to `batch`. Does nothing, and returns `None`,
    /// where nothing is mounted.
    pub fn remove(
        &self,
        batch: &mut Batch,
        class: Class,
        path: &str,
    ) -> Result<Option<Entry>, MountError> {
        let path = with_slash(path);
        if is_needed(class, &path) {
            return Err(match class {
                Class::Secret => MountError::CannotUnmount(path),
                Class::Auth => MountError::CannotDisableToken,
            });
        }
        let (slot, mut entries) = self.read()?;
        let found = entries
            .iter()
            .position(|e| e.class == class && e.path == path);
        let Some(index) = found else {
            return Ok(None);
        };
        let entry = entries.remove(index);
        self.purges.mark(batch, &entry);
        write(batch, &slot, entries)?;
        Ok(Some(entry))
    }

    /// Adds "move this mount" to `batch`; both are full paths (`auth/old`, `auth/new`).
    pub fn rename(&self, batch: &mut Batch, from: &str, to: &str) -> Result<Migration, MountError> {
        let (from, to) = (with_slash(from), with_slash(to));
        let (class, source) = classify(&from);
        let (target_class, target) = classify(&to);
        if is_needed(class, source) {
            return Err(MountError::CannotRemount(from));
        }
        if class != target_class || is_reserved(target_class, target) {
            return Err(MountError::BadDestination(to));
        }
        crate::path::check(&to)?;
        crate::path::check_ends(target)?;
        let (slot, mut entries) = self.read()?;
        let index = entries
            .iter()
            .position(|e| e.class == class && e.path == source);
        let index = index.ok_or_else(|| MountError::NoMatch(from.clone()))?;
        if let Some(taken) = overlapping(&entries, class, target, Some(index)) {
            return Err(MountError::DestinationInUse(taken));
        }
        if let Some(entry) = entries.get_mut(index) {
            entry.path = target.to_owned();
        }
        write(batch, &slot, entries)?;
        let migration = Migration {
            id: uuid::Uuid::new_v4().to_string(),
            source: from,
            target: to,
        };
        let slot = self.view.read(MIGRATIONS)?;
        let mut migrations = migrations(&slot)?;
        migrations.push(migration.clone());
        let excess = migrations.len().saturating_sub(MIGRATIONS_MAX);
        migrations.drain(..excess);
        batch.replace_record(&slot, &migrations)?;
        Ok(migration)
    }

    /// Returns a finished remount.
    pub fn migration(&self, id: &str) -> Result<Option<Migration>, BarrierError> {
        let migrations = migrations(&self.view.read(MIGRATIONS)?)?;
        Ok(migrations.into_iter().find(|m| m.id == id))
    }

    /// Returns the markers of unmounted subtrees that are still to be purged.
    pub fn purges(&self) -> &Purges {
        &self.purges
    }

    fn read(&self) -> Result<(Slot, Vec<Entry>), BarrierError> {
        let slot = self.view.read(RECORD)?;
        let record = slot.record("mount table")?;
        let entries = record.map_or_else(Vec::new, |TableRecord::V1(entries)| entries);
        Ok((slot, entries))
    }

    fn load(&self, generation: u64) -> Result<Snapshot, BarrierError> {
        let (slot, entries) = self.read()?;
        let mut entries: Vec<Arc<Entry>> = entries.into_iter().map(Arc::new).collect();
        entries.sort_by_key(|entry| entry.full_path());
        let by_path = entries
            .iter()
            .map(|entry| (entry.full_path(), Arc::clone(entry)))
            .collect();
        Ok(Snapshot {
            generation,
            revision: slot.revision(),
            entries,
            by_path,
        })
    }
}

fn migrations(slot: &Slot) -> Result<Vec<Migration>, BarrierError> {
    Ok(slot.record("remount")?.unwrap_or_default())
}

fn write(batch: &mut Batch, slot: &Slot, entries: Vec<Entry>) -> Result<(), BarrierError> {
    batch.replace_record(slot, &TableRecord::V1(entries))
}

impl Snapshot {
    /// Returns the log entry that wrote this table.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Returns all mounts, by full path.
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// Returns the mounts of one class, by path.
    pub fn of(&self, class: Class) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries
            .iter()
            .filter(move |entry| entry.class == class)
    }

    /// Returns the mount at exactly `path` (without `auth/`, with or without a slash at its end).
    pub fn get(&self, class: Class, path: &str) -> Option<&Arc<Entry>> {
        let full = format!("{}{}", class.api_prefix(), with_slash(path));
        self.by_path.get(&full)
    }

    /// Returns the mount that serves `path`.
    pub fn resolve(&self, path: &str) -> Option<&Arc<Entry>> {
        for (at, _) in path.match_indices('/') {
            if let Some(entry) = path.get(..=at).and_then(|prefix| self.by_path.get(prefix)) {
                return Some(entry);
            }
        }
        self.by_path.get(&format!("{path}/"))
    }
}

fn classify(full: &str) -> (Class, &str) {
    match full.strip_prefix("auth/") {
        Some(rest) if !rest.is_empty() => (Class::Auth, rest),
        _ => (Class::Secret, full),
    }
}

fn is_needed(class: Class, path: &str) -> bool {
    match class {
        Class::Secret => matches!(path, "sys/" | "cubbyhole/" | "identity/" | "auth/"),
        Class::Auth => path == "token/",
    }
}

fn is_reserved(class: Class, path: &str) -> bool {
    class == Class::Secret
        && ["sys/", "auth/", "cubbyhole/", "identity/"]
            .iter()
            .any(|reserved| path.starts_with(reserved))
}

fn check_path(entry: &Entry) -> Result<(), MountError> {
    crate::path::check(&entry.full_path())?;
    crate::path::check_ends(&entry.path)?;
    if is_reserved(entry.class, &entry.path) {
        return Err(MountError::Reserved(entry.path.clone()));
    }
    Ok(())
}

/// Returns the path of a mount that holds `path`, or that lies in `path`.
fn overlapping(entries: &[Entry], class: Class, path: &str, but: Option<usize>) -> Option<String> {
    let mut others = entries.iter().enumerate();
    others
        .find(|(index, entry)| {
            Some(*index) != but
                && entry.class == class
                && (entry.path.starts_with(path) || path.starts_with(&entry.path))
        })
        .map(|(_, entry)| entry.path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::store::Inmem;

    async fn table() -> (Arc<Unsealed>, Table) {
        let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
        let table = Table::new(&barrier).unwrap();
        let mut batch = Batch::new();
        table.install(&mut batch).unwrap();
        barrier.commit(batch, Timestamp(1)).await.unwrap();
        (barrier, table)
    }

    async fn mount(barrier: &Unsealed, table: &Table, path: &str) -> Result<(), MountError> {
        let mut batch = Batch::new();
        table.add(&mut batch, Entry::new(Class::Secret, path, "kv"))?;
        barrier.commit(batch, Timestamp(1)).await.unwrap();
        Ok(())
    }

    #[tokio::test]
    async fn a_snapshot_follows_the_record() {
        let (barrier, table) = table().await;
        assert!(table.snapshot().unwrap().resolve("secret/data/x").is_none());
        mount(&barrier, &table, "secret").await.unwrap();
        let snapshot = table.snapshot().unwrap();
        assert_eq!(snapshot.resolve("secret/data/x").unwrap().path, "secret/");
        assert_eq!(snapshot.resolve("secret").unwrap().path, "secret/");
        assert!(snapshot.resolve("secrets/x").is_none());
        assert_eq!(snapshot.resolve("auth/token/create").unwrap().kind, "token");
        assert!(snapshot.resolve("auth/nope/x").is_none());
        let other = Table::new(&barrier).unwrap();
        assert!(other.snapshot().unwrap().resolve("secret/x").is_some());
    }

    #[tokio::test]
    async fn no_mount_lies_within_another() {
        let (barrier, table) = table().await;
        mount(&barrier, &table, "x/y").await.unwrap();
        for (path, message) in [
            ("x/y", "path is already in use at x/y/"),
            ("x/y/z", "path is already in use at x/y/"),
            ("x", "path is already in use at x/y/"),
            ("sys/foo", "cannot mount \"sys/foo/\""),
            ("auth", "cannot mount \"auth/\""),
            ("k ", "path cannot begin or end with white space"),
            (" k", "path cannot begin or end with white space"),
        ] {
            let error = mount(&barrier, &table, path).await.unwrap_err();
            assert_eq!(error.to_string(), message, "{path}");
        }
        mount(&barrier, &table, "x/yy").await.unwrap();
        for (path, taken) in [("k", true), ("k ", false), (" k", false)] {
            let entry = Entry::new(Class::Auth, path, "userpass");
            let added = table.add(&mut Batch::new(), entry);
            assert_eq!(added.is_ok(), taken, "{path:?}");
        }
    }

    #[tokio::test]
    async fn two_mounts_at_once_cannot_both_win() {
        let (barrier, table) = table().await;
        let (mut first, mut second) = (Batch::new(), Batch::new());
        table
            .add(&mut first, Entry::new(Class::Secret, "a", "kv"))
            .unwrap();
        table
            .add(&mut second, Entry::new(Class::Secret, "a", "kv"))
            .unwrap();
        barrier.commit(first, Timestamp(1)).await.unwrap();
        assert!(barrier.commit(second, Timestamp(1)).await.is_err());
    }

    #[tokio::test]
    async fn a_change_that_follows_from_an_older_table_is_not_made() {
        let (barrier, table) = table().await;
        mount(&barrier, &table, "a").await.unwrap();
        let seen = table.snapshot().unwrap();
        let tuned = |seen: &Snapshot| {
            let mut batch = Batch::new();
            let change = |entry: &mut Entry| entry.description = "mine".into();
            let tuned = table.tune(&mut batch, seen, Class::Secret, "a", change);
            tuned.map(|()| batch)
        };
        let meanwhile = tuned(&seen).unwrap();
        mount(&barrier, &table, "b").await.unwrap();
        let late = barrier.commit(meanwhile, Timestamp(1)).await;
        let conflict =
            |error: &BarrierError| matches!(error, BarrierError::Commit(CommitError::Conflict));
        assert!(late.is_err_and(|error| conflict(&error)));
        let refused = tuned(&seen).map(drop);
        assert!(matches!(refused, Err(MountError::Barrier(error)) if conflict(&error)));
        let seen = table.snapshot().unwrap();
        barrier
            .commit(tuned(&seen).unwrap(), Timestamp(1))
            .await
            .unwrap();
        assert_eq!(
            table
                .snapshot()
                .unwrap()
                .resolve("a/x")
                .unwrap()
                .description,
            "mine"
        );
    }

    #[tokio::test]
    async fn remounting_keeps_the_uuid() {
        let (barrier, table) = table().await;
        mount(&barrier, &table, "x/y").await.unwrap();
        let uuid = table
            .snapshot()
            .unwrap()
            .resolve("x/y/")
            .unwrap()
            .uuid
            .clone();
        let mut batch = Batch::new();
        let migration = table.rename(&mut batch, "x/y", "x/z").unwrap();
        barrier.commit(batch, Timestamp(1)).await.unwrap();
        let snapshot = table.snapshot().unwrap();
        assert!(snapshot.resolve("x/y/a").is_none());
        assert_eq!(snapshot.resolve("x/z/a").unwrap().uuid, uuid);
        assert_eq!(table.migration(&migration.id).unwrap(), Some(migration));
        for (from, to, message) in [
            ("x/y", "x/z", "no matching mount at \"x/y/\""),
            ("sys", "k", "cannot remount \"sys/\""),
            ("x/z", "sys/foo", "cannot remount to destination sys/foo/"),
            ("x/z", "auth/foo", "cannot remount to destination auth/foo/"),
            ("x/z", "x/z ", "path cannot begin or end with white space"),
        ] {
            let error = table.rename(&mut Batch::new(), from, to).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[tokio::test]
    async fn unmounting_leaves_a_purge() {
        let (barrier, table) = table().await;
        mount(&barrier, &table, "a").await.unwrap();
        let mut batch = Batch::new();
        assert!(
            table
                .remove(&mut batch, Class::Secret, "a")
                .unwrap()
                .is_some()
        );
        barrier.commit(batch, Timestamp(1)).await.unwrap();
        assert!(table.snapshot().unwrap().resolve("a/x").is_none());
        assert!(table.purges().next().unwrap().is_some());
        let error = table
            .remove(&mut Batch::new(), Class::Secret, "sys")
            .unwrap_err();
        assert_eq!(error.to_string(), "cannot unmount \"sys/\"");
        assert!(
            table
                .remove(&mut Batch::new(), Class::Secret, "n")
                .unwrap()
                .is_none()
        );
    }
}
