//! The durable key-value state: a bounded overlay in memory over one fjall keyspace.
//!
//! Owns the applied state: records, the position of the last applied entry, the membership (opaque
//! here) and the clock's floor. It is the only place that names fjall.
//!
//! Invariants
//! - fjall is filled only by ingestion: sorted, whole or not at all, past its journal. Records that
//!   are not ingested yet live in the overlay and can be replayed from the log.
//! - A checkpoint is one ingestion: records, tombstones and the [`Mark`] with the last entry in it.
//! - A read looks at the overlay first, so that it never sees an older record than the applied one.
//!
//! It never reads a clock, a key or the network, and never writes on a timer.
//!
//! # Keys and values in fjall
//!
//! ```text
//! key    00                    the mark (postcard, version first)
//! key    00 01                 the keyspace that a restore gathers in: its number, 8 bytes LE
//! key    01 <key>              a record
//! value  <revision: 8 bytes LE> <value>
//! ```

mod arrival;
mod catalog;
mod error;
mod form;
mod hot;
mod image;
mod journal;
mod mark;
mod overlay;
pub mod probe;
mod restore;
mod scan;
mod tree;
mod view;

pub use arrival::Arrival;
pub use error::StateError;
pub use image::{Image, ImageItem};
pub use journal::Journal;
pub use mark::{Mark, Position, Staging};
pub use restore::Restore;
pub use view::View;

use super::space::Space;
use super::{Key, Op, Record, Revision, Transaction, Visit};
use crate::clock::Timestamp;
use crate::memory::{self, Sizes};
use hot::Hot;
use overlay::{Frozen, Kept, Logged, Overlay};
use restore::Staged;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tree::{Opened, Tree};

/// The limits from which a checkpoint is due.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes of records in the overlay.
    pub overlay_bytes_max: usize,
    /// The most records in the overlay.
    pub overlay_records_max: usize,
    /// The most bytes of applied transactions since the last checkpoint, which a restart would
    /// replay.
    pub replay_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(&memory::DEFAULT)
    }
}

/// The bytes to replay from which a checkpoint is due at first, where space is scarce, and where no
/// log holds long values.
const REPLAY_BYTES_LEAST: usize = 4 << 20;

impl Limits {
    /// Returns the limits of a memory profile.
    pub const fn of(sizes: &Sizes) -> Self {
        Self {
            overlay_bytes_max: sizes.overlay_bytes,
            overlay_records_max: sizes.overlay_records,
            replay_bytes_max: sizes.replay_bytes,
        }
    }

    /// Returns the limits with fewer bytes to replay.
    fn with_replay_bytes(&self, bytes: usize) -> Self {
        Self {
            replay_bytes_max: self.replay_bytes_max.min(bytes),
            ..*self
        }
    }
}

/// The most merges of everything in a row: each rewrites only the oldest quarter of the blob files
/// that hold what is gone.
const GIVE_BACK_ROUNDS_MAX: usize = 8;

/// The change that one log entry makes to the state.
#[derive(Debug)]
pub enum Change<'a> {
    /// Moves the position, and changes nothing else.
    Nothing,
    /// Runs a transaction that took `bytes` in the log.
    Run(&'a Transaction, usize),
    /// Replaces the membership.
    Membership(Vec<u8>),
    /// Takes a step of a restore that took `bytes` in the log. The last step may wait for the disk.
    Restore(&'a Restore, usize),
}

/// Records over fjall. All methods may be called from any thread; only one applies at a time.
pub struct State {
    limits: Limits,
    /// The bytes to replay from which a checkpoint is due: more while values are replaced or
    /// deleted soon, which a later checkpoint does not write, and few otherwise.
    replay_bytes: AtomicUsize,
    memory: RwLock<Memory>,
    tree: RwLock<Arc<Tree>>,
    hot: Hot,
    checkpointing: Mutex<()>,
    /// The number of the next keyspace.
    next_number: AtomicU64,
    /// The space on the disk, where somebody follows it.
    space: Option<Arc<Space>>,
    /// The log, which holds long values until a checkpoint.
    journal: OnceLock<Arc<dyn Journal>>,
}

/// The records for a checkpoint.
enum Freeze {
    Nothing,
    Frozen(Arc<Frozen>, Arc<Tree>),
    /// The records that a restore has gathered have no keyspace yet.
    NoKeyspace,
}

/// Keys of the overlay that fjall did not have at a time.
#[derive(Default)]
struct Unsaved {
    keys: Vec<Key>,
    generation: u64,
}

struct Memory {
    active: Overlay,
    frozen: Option<Arc<Frozen>>,
    /// The records that a restore has gathered.
    staged: Option<Staged>,
    /// Keyspaces that were replaced, and that a crash before the next checkpoint needs.
    retiring: Vec<(Position, Arc<Tree>)>,
    mark: Mark,
    /// The mark that fjall holds.
    saved: Mark,
    /// The number of checkpoints, so that a scan notices that records moved.
    generation: u64,
}

impl State {
    /// Opens the state in `path`, or makes an empty one.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, StateError> {
        Self::open_with(path, limits, &memory::DEFAULT)
    }

    /// Opens the state as [`State::open`] does, with caches of these sizes.
    pub fn open_with(path: &Path, limits: Limits, memory: &Sizes) -> Result<Self, StateError> {
        let Opened {
            tree,
            staged,
            next_number,
        } = Tree::open(path, memory.block_cache_bytes)?;
        let mark = tree.mark()?.unwrap_or_default();
        let staged = mark.staging.map(|_| Staged {
            tree: staged.map(Arc::new),
            overlay: Overlay::default(),
        });
        Ok(Self {
            limits,
            replay_bytes: AtomicUsize::new(REPLAY_BYTES_LEAST),
            memory: RwLock::new(Memory {
                active: Overlay::default(),
                frozen: None,
                staged,
                retiring: Vec::new(),
                mark: mark.clone(),
                saved: mark,
                generation: 0,
            }),
            tree: RwLock::new(Arc::new(tree)),
            hot: Hot::new(memory.hot_bytes),
            checkpointing: Mutex::new(()),
            next_number: AtomicU64::new(next_number),
            space: None,
            journal: OnceLock::new(),
        })
    }

    /// Has checkpoints and merges ask `space` before they begin.
    #[must_use]
    pub fn within(mut self, space: Arc<Space>) -> Self {
        space.plan(|| self.tree().merge_bytes());
        self.space = Some(space);
        self
    }

    /// Has `journal`, whose entries are applied here, hold long values until a checkpoint.
    pub fn leave_values_to(&self, journal: Arc<dyn Journal>) {
        // Once for each log that is opened, and that is once.
        drop(self.journal.set(journal));
    }

    /// Returns the record at `key`, as applied.
    pub fn get(&self, key: &[u8]) -> Result<Option<Record>, StateError> {
        loop {
            let (generation, logged) = {
                let memory = self.read();
                let logged = match memory.find(key) {
                    Some(None) => return Ok(None),
                    Some(Some(Kept::Held(record, _))) => return Ok(Some(record.clone())),
                    Some(Some(Kept::Logged(logged))) => Some(*logged),
                    None => None,
                };
                if let Some(found) = self.hot.get(key) {
                    return Ok(found);
                }
                (memory.generation, logged)
            };
            let found = match logged {
                Some(logged) => match self.logged(logged)? {
                    Some(record) => Some(record),
                    // A checkpoint has made the log give it up meanwhile.
                    None if self.read().generation != generation => continue,
                    None => return Err(StateError::Damaged("a value that the log had")),
                },
                None => self.tree().get(key)?,
            };
            let memory = self.read();
            // Kept only while all is as it was and nothing newer waits in memory: an applier holds
            // the lock alone, so nothing comes between this look and the keeping.
            if memory.generation == generation && memory.logged(key) == logged.map(Some) {
                self.hot.keep(key, &found);
            }
            return Ok(found);
        }
    }

    /// Returns the revision of the record at `key`; zero when it is absent.
    fn revision(&self, key: &[u8]) -> Result<Revision, StateError> {
        if let Some(found) = self.read().find(key) {
            return Ok(found.as_ref().map_or(Revision(0), Kept::revision));
        }
        let found = self.get(key)?;
        Ok(found.map_or(Revision(0), |record| record.revision))
    }

    /// Reads a value from the log; `None` when its entry is gone.
    fn logged(&self, logged: Logged) -> Result<Option<Record>, StateError> {
        let Some(journal) = self.journal.get() else {
            return Ok(None);
        };
        let value = journal.value(logged.revision.0, logged.number);
        match value.map_err(|error| StateError::Journal(error.to_string()))? {
            Some(value) => match logged.with(value) {
                Some(record) => Ok(Some(record)),
                None => Err(StateError::Damaged("a value in the log")),
            },
            None => Ok(None),
        }
    }

    /// Visits keys as [`super::Storage::scan`] does.
    pub fn scan(
        &self,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8]) -> Visit,
    ) -> Result<(), StateError> {
        scan::scan(self, prefix, visit)
    }

    /// Applies one entry. Returns false when a precondition did not hold, and only the position
    /// moved.
    pub fn apply(&self, position: Position, change: Change<'_>) -> Result<bool, StateError> {
        // Only the applier changes records, so preconditions that hold here still hold below.
        let holds = match &change {
            Change::Run(transaction, _) => self.holds(transaction)?,
            Change::Nothing | Change::Membership(_) => true,
            Change::Restore(step, bytes) => return self.apply_restore(position, step, *bytes),
        };
        let deletes = |op: &Op| matches!(op, Op::Delete { .. });
        let unsaved = match &change {
            Change::Run(transaction, _) if holds && transaction.ops.iter().any(deletes) => {
                self.unsaved(transaction)?
            }
            _ => Unsaved::default(),
        };
        let mut memory = self.write();
        memory.mark.position = Some(position);
        match change {
            Change::Nothing | Change::Restore(..) => {}
            Change::Membership(bytes) => memory.mark.membership = Some((position, bytes)),
            Change::Run(transaction, bytes) => {
                memory.mark.time_floor = memory.mark.time_floor.max(transaction.time);
                memory.active.replay_bytes += bytes;
                if holds {
                    let revision = Revision(position.index);
                    for (number, op) in transaction.ops.iter().enumerate() {
                        match op {
                            Op::Delete { key } if memory.is_only_in_active(key, &unsaved) => {
                                memory.active.forget(key);
                            }
                            op => memory.active.put(op, revision, number),
                        }
                    }
                    touched(transaction).for_each(|key| self.hot.forget(key));
                    if self.journal.get().is_some() {
                        memory.active.leave_to_log(&self.limits);
                    }
                }
            }
        }
        Ok(holds)
    }

    fn holds(&self, transaction: &Transaction) -> Result<bool, StateError> {
        for precondition in &transaction.preconditions {
            if self.revision(&precondition.key)? != precondition.revision {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Finds the keys that a transaction deletes before a checkpoint has saved them: fjall need not
    /// hear of those.
    fn unsaved(&self, transaction: &Transaction) -> Result<Unsaved, StateError> {
        let mut unsaved = Unsaved {
            keys: Vec::new(),
            generation: self.read().generation,
        };
        for op in &transaction.ops {
            let Op::Delete { key } = op else { continue };
            let is_active = matches!(self.read().active.get(key), Some(Some(_)));
            if is_active && !self.tree().contains(key)? {
                unsaved.keys.push(key.clone());
            }
        }
        Ok(unsaved)
    }

    /// Returns the mark of the applied state.
    pub fn mark(&self) -> Mark {
        self.read().mark.clone()
    }

    /// Returns the last applied entry and the clock's floor.
    pub fn progress(&self) -> (Option<Position>, Timestamp) {
        let memory = self.read();
        (memory.mark.position, memory.mark.time_floor)
    }

    /// Returns the mark of the state in fjall, which survives without the log.
    pub fn saved(&self) -> Mark {
        self.read().saved.clone()
    }

    /// Replaces the last membership, at the place of its entry, and saves that. Changes nothing
    /// while there is none.
    pub fn replace_membership(&self, bytes: Vec<u8>) -> Result<(), StateError> {
        if let Some((_, said)) = &mut self.write().mark.membership {
            *said = bytes;
        }
        self.checkpoint().map(drop)
    }

    /// Returns true when the overlay has grown enough for a checkpoint.
    pub fn is_checkpoint_due(&self) -> bool {
        let memory = self.read();
        memory.frozen.is_some()
            || !memory.retiring.is_empty()
            || memory.exceeds(&self.limits_now(), 1)
    }

    /// Returns true when the overlay has grown so far that no more may be applied before a
    /// checkpoint.
    pub fn is_overfull(&self) -> bool {
        self.read().exceeds(&self.limits_now(), 2)
    }

    fn limits_now(&self) -> Limits {
        let is_scarce = self.space.as_ref().is_some_and(|space| space.is_scarce());
        let is_least = is_scarce || self.journal.get().is_none();
        self.limits.with_replay_bytes(match is_least {
            true => REPLAY_BYTES_LEAST,
            false => self.replay_bytes.load(Ordering::Relaxed),
        })
    }

    /// Decides how many bytes to replay the overlay that comes after `before` may have.
    fn pace(&self, before: &Overlay) {
        let bytes = self.replay_bytes.load(Ordering::Relaxed);
        let bytes = match before.churns() {
            true => (2 * bytes).min(self.limits.replay_bytes_max),
            false => bytes / 2,
        };
        let bytes = bytes.max(REPLAY_BYTES_LEAST);
        self.replay_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Returns true when a checkpoint would save records.
    pub fn is_dirty(&self) -> bool {
        let memory = self.read();
        let staged = memory.staged.as_ref();
        memory.frozen.is_some()
            || !memory.active.is_empty()
            || !memory.retiring.is_empty()
            || staged.is_some_and(|staged| !staged.overlay.is_empty())
    }

    /// Saves all entries applied so far. On an error the records stay in memory and readable; the
    /// next call tries again.
    pub fn checkpoint(&self) -> Result<Mark, StateError> {
        let _one = self
            .checkpointing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Twice when an earlier attempt failed: the records frozen then, and those that came since.
        loop {
            let (frozen, tree) = match self.freeze() {
                Freeze::Nothing => return Ok(self.saved()),
                Freeze::Frozen(frozen, tree) => (frozen, tree),
                Freeze::NoKeyspace => {
                    self.staging_tree()?;
                    continue;
                }
            };
            self.ensure_space(frozen.bytes())?;
            tree.ingest(&frozen, &|logged| self.saved_value(logged))?;
            let mut memory = self.write();
            memory.saved = frozen.mark.clone();
            memory.frozen = None;
            memory.generation += 1;
            let is_done = !memory.exceeds(&self.limits_now(), 1);
            let saved = memory.saved.clone();
            let retired: Vec<_> = memory
                .retiring
                .extract_if(.., |(at, _)| Some(*at) <= saved.position)
                .collect();
            drop(memory);
            for (_, old) in retired {
                old.retire()?;
            }
            tree.stand_in()?;
            if let Some(space) = &self.space {
                space.plan(|| tree.merge_bytes());
            }
            if is_done {
                return Ok(saved);
            }
        }
    }

    /// Returns a record for a checkpoint.
    fn saved_value(&self, logged: Logged) -> Result<Record, StateError> {
        // The log keeps all entries that no checkpoint has.
        let found = self.logged(logged)?;
        found.ok_or(StateError::Damaged("a value that the log had"))
    }

    /// Merges all that is saved, so that records that were deleted or replaced give their space
    /// back now, and not with the merges of the next checkpoints. Does nothing where nobody follows
    /// the space.
    ///
    /// # Errors
    /// [`StateError::DiskFull`] when there is no space for that, not even in the reserve.
    pub fn give_back(&self) -> Result<(), StateError> {
        let Some(space) = &self.space else {
            return Ok(());
        };
        let _one = self
            .checkpointing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let tree = self.tree();
        // The first merge finds out what is stale, the next ones rewrite it.
        let mut stale = u64::MAX;
        for _ in 0..GIVE_BACK_ROUNDS_MAX {
            self.ensure_space(tree.rewrite_bytes())?;
            tree.rewrite()?;
            tree.forget_replaced()?;
            let left = tree.stale_bytes();
            if left == 0 || left >= stale || !space.look() {
                break;
            }
            stale = left;
        }
        space.plan(|| tree.merge_bytes());
        Ok(())
    }

    /// Returns true when a state as large as this one can be written beside it, without the
    /// reserve.
    pub fn has_space_for_another(&self) -> bool {
        let space = self.space.as_ref();
        space.is_none_or(|space| space.has(self.tree().disk_bytes()))
    }

    fn ensure_space(&self, bytes: u64) -> Result<(), StateError> {
        match &self.space {
            Some(space) => space.ensure(bytes).map_err(|_| StateError::DiskFull),
            None => Ok(()),
        }
    }

    fn freeze(&self) -> Freeze {
        let mut memory = self.write();
        if let Some(frozen) = &memory.frozen {
            return Freeze::Frozen(Arc::clone(frozen), self.tree());
        }
        if memory.mark == memory.saved {
            return Freeze::Nothing;
        }
        let staged = match &mut memory.staged {
            Some(staged) if staged.tree.is_none() && !staged.overlay.is_empty() => {
                return Freeze::NoKeyspace;
            }
            Some(staged) => staged.tree.clone().map(|tree| {
                let records = std::mem::take(&mut staged.overlay).into_map();
                (tree, records)
            }),
            None => None,
        };
        let active = std::mem::take(&mut memory.active);
        self.pace(&active);
        let frozen = Arc::new(Frozen {
            map: active.into_map(),
            mark: memory.mark.clone(),
            staged,
        });
        memory.frozen = Some(Arc::clone(&frozen));
        Freeze::Frozen(frozen, self.tree())
    }

    /// Returns the last checkpoint as a stream of records, with its mark. `None` before the first
    /// one. Records that a restore has gathered so far are in it.
    pub fn image(&self) -> Result<Option<(Mark, Image)>, StateError> {
        loop {
            let (tree, staged) = {
                let memory = self.read();
                let staged = memory
                    .staged
                    .iter()
                    .filter_map(|staged| staged.tree.clone());
                let retiring = memory.retiring.iter().map(|(_, tree)| Arc::clone(tree));
                let staged: Vec<_> = staged.chain(retiring).collect();
                (self.tree(), staged)
            };
            match tree.image(&staged)? {
                None => return Ok(None),
                Some((mark, Some(image))) => return Ok(Some((mark, image))),
                // A checkpoint has made one just now: it is known at the next look.
                Some((_, None)) => {}
            }
        }
    }

    /// Returns the last checkpoint at one instant, for an archive. `None` before the first one.
    pub fn view(&self) -> Result<Option<View>, StateError> {
        self.tree().view()
    }

    fn next_number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    fn tree(&self) -> Arc<Tree> {
        Arc::clone(&self.tree.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn exceeds(&self, limits: &Limits, times: usize) -> bool {
        let staged = self.staged.as_ref().map(|staged| &staged.overlay);
        self.active.exceeds(staged, limits, times)
    }

    /// Returns the record of `key`. The outer `None` means that it is not in memory, so fjall must
    /// be asked, the inner that it is deleted.
    fn find(&self, key: &[u8]) -> Option<&Option<Kept>> {
        let found = self.active.get(key);
        found.or_else(|| self.frozen.as_ref().and_then(|frozen| frozen.map.get(key)))
    }

    /// Returns the place in the log of the value of `key`. The outer `None` means that the key is
    /// not in memory, the inner that its value is, or that it is deleted.
    fn logged(&self, key: &[u8]) -> Option<Option<Logged>> {
        self.find(key).map(|found| match found {
            Some(Kept::Logged(logged)) => Some(*logged),
            _ => None,
        })
    }

    /// Returns true when nothing but the active overlay knows `key`, so that it can be forgotten
    /// instead of being marked as deleted.
    fn is_only_in_active(&self, key: &Key, unsaved: &Unsaved) -> bool {
        let is_frozen = || {
            let frozen = self.frozen.as_ref();
            frozen.is_some_and(|frozen| frozen.map.contains_key(key))
        };
        self.generation == unsaved.generation && unsaved.keys.contains(key) && !is_frozen()
    }
}

/// Iterates over the keys that a transaction touches.
pub fn touched(transaction: &Transaction) -> impl Iterator<Item = &Key> {
    transaction.ops.iter().map(|op| match op {
        Op::Put { key, .. } | Op::Delete { key } => key,
    })
}

#[cfg(test)]
mod journal_tests;
#[cfg(test)]
mod restore_tests;
#[cfg(test)]
mod tests;
