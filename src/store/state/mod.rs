//! The durable key-value state: a bounded overlay in memory over one fjall keyspace.
//!
//! Owns what has been applied: records, the position of the last applied entry, the membership
//! (opaque here) and the clock's floor. It is the only place that names fjall.
//!
//! Invariants
//! - fjall is filled only by ingestion: sorted, whole or not at all, past its journal. What is not
//!   ingested yet lives in the overlay and can be replayed from the log.
//! - A checkpoint is one ingestion: records, tombstones and the [`Mark`] that says how far it goes.
//! - A read looks at the overlay first, so that it never sees an older record than the applied one.
//!
//! It never reads a clock, a key or the network, and never writes on a timer.
//!
//! # Keys and values in fjall
//!
//! ```text
//! key    00                    the mark (postcard, version first)
//! key    01 <key>              a record
//! value  <revision: 8 bytes LE> <value>
//! ```

mod error;
mod hot;
mod image;
mod mark;
mod overlay;
pub mod probe;
mod scan;
mod tree;

pub use error::StateError;
pub use image::{Image, ImageItem};
pub use mark::{Mark, Position};

use super::{Key, Op, Record, Revision, Transaction, Visit};
use crate::clock::Timestamp;
use hot::Hot;
use overlay::{Frozen, Overlay};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tree::Tree;

/// When a checkpoint is due.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of records in the overlay.
    pub overlay_bytes_max: usize,
    /// Records in the overlay.
    pub overlay_records_max: usize,
    /// Bytes of applied transactions since the last checkpoint, which a restart would replay.
    pub replay_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            overlay_bytes_max: 2 << 20,
            overlay_records_max: 8192,
            replay_bytes_max: 4 << 20,
        }
    }
}

/// What one log entry does to the state.
#[derive(Debug)]
pub enum Change<'a> {
    /// Nothing but move the position.
    Nothing,
    /// Run a transaction that took `bytes` in the log.
    Run(&'a Transaction, usize),
    /// Replace the membership.
    Membership(Vec<u8>),
}

/// Records over fjall. All methods may be called from any thread; only one applies at a time.
pub struct State {
    limits: Limits,
    memory: RwLock<Memory>,
    tree: RwLock<Arc<Tree>>,
    hot: Hot,
    checkpointing: Mutex<()>,
}

struct Memory {
    active: Overlay,
    frozen: Option<Arc<Frozen>>,
    mark: Mark,
    /// The mark that fjall holds.
    saved: Mark,
    /// Counts checkpoints, so that a scan notices that records moved.
    generation: u64,
}

impl State {
    /// Opens the state in `path`, or makes an empty one.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, StateError> {
        let tree = Tree::open(path)?;
        let mark = tree.mark()?.unwrap_or_default();
        Ok(Self {
            limits,
            memory: RwLock::new(Memory {
                active: Overlay::default(),
                frozen: None,
                mark: mark.clone(),
                saved: mark,
                generation: 0,
            }),
            tree: RwLock::new(Arc::new(tree)),
            hot: Hot::new(),
            checkpointing: Mutex::new(()),
        })
    }

    /// The record at `key`, as applied.
    pub fn get(&self, key: &[u8]) -> Result<Option<Record>, StateError> {
        let generation = {
            let memory = self.read();
            if let Some(found) = memory.find(key) {
                return Ok(found);
            }
            if let Some(found) = self.hot.get(key) {
                return Ok(found);
            }
            memory.generation
        };
        let found = self.tree().get(key)?;
        let memory = self.read();
        // Kept only while fjall is as it was and nothing newer waits in memory: whoever applies
        // holds the lock alone, so nothing comes between this look and the keeping.
        if memory.generation == generation && memory.find(key).is_none() {
            self.hot.keep(key, &found);
        }
        Ok(found)
    }

    /// Visits keys as [`super::Storage::scan`] says.
    pub fn scan(
        &self,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8]) -> Visit,
    ) -> Result<(), StateError> {
        scan::scan(self, prefix, visit)
    }

    /// Applies one entry. False: a precondition did not hold, and only the position moved.
    pub fn apply(&self, position: Position, change: Change<'_>) -> Result<bool, StateError> {
        // Only the applier changes records, so what is checked here still holds below.
        let holds = match &change {
            Change::Run(transaction, _) => self.holds(transaction)?,
            Change::Nothing | Change::Membership(_) => true,
        };
        let mut memory = self.write();
        memory.mark.position = Some(position);
        match change {
            Change::Nothing => {}
            Change::Membership(bytes) => memory.mark.membership = Some((position, bytes)),
            Change::Run(transaction, bytes) => {
                memory.mark.time_floor = memory.mark.time_floor.max(transaction.time);
                memory.active.replay_bytes += bytes;
                if holds {
                    let revision = Revision(position.index);
                    for op in &transaction.ops {
                        memory.active.put(op, revision);
                    }
                    touched(transaction).for_each(|key| self.hot.forget(key));
                }
            }
        }
        Ok(holds)
    }

    fn holds(&self, transaction: &Transaction) -> Result<bool, StateError> {
        for precondition in &transaction.preconditions {
            let found = self.get(&precondition.key)?;
            if found.map_or(Revision(0), |record| record.revision) != precondition.revision {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How far this state is.
    pub fn mark(&self) -> Mark {
        self.read().mark.clone()
    }

    /// The last applied entry and the clock's floor.
    pub fn progress(&self) -> (Option<Position>, Timestamp) {
        let memory = self.read();
        (memory.mark.position, memory.mark.time_floor)
    }

    /// How far fjall is: what survives without the log.
    pub fn saved(&self) -> Mark {
        self.read().saved.clone()
    }

    /// True when the overlay has grown enough for a checkpoint.
    pub fn is_checkpoint_due(&self) -> bool {
        let memory = self.read();
        memory.frozen.is_some() || memory.active.exceeds(&self.limits, 1)
    }

    /// True when the overlay has grown so far that no more may be applied before a checkpoint.
    pub fn is_overfull(&self) -> bool {
        self.read().active.exceeds(&self.limits, 2)
    }

    /// True when a checkpoint would save records.
    pub fn is_dirty(&self) -> bool {
        let memory = self.read();
        memory.frozen.is_some() || !memory.active.is_empty()
    }

    /// Saves everything applied so far. On an error the records stay in memory and readable; the
    /// next call tries again.
    pub fn checkpoint(&self) -> Result<Mark, StateError> {
        let _one = self
            .checkpointing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Twice when an earlier attempt failed: what was frozen then, and what came since.
        loop {
            let Some(frozen) = self.freeze() else {
                return Ok(self.saved());
            };
            self.tree().ingest(&frozen)?;
            let mut memory = self.write();
            memory.saved = frozen.mark.clone();
            memory.frozen = None;
            memory.generation += 1;
            if !memory.active.exceeds(&self.limits, 1) {
                return Ok(memory.saved.clone());
            }
        }
    }

    fn freeze(&self) -> Option<Arc<Frozen>> {
        let mut memory = self.write();
        if memory.frozen.is_none() {
            if memory.mark == memory.saved {
                return None;
            }
            let map = std::mem::take(&mut memory.active).into_map();
            memory.frozen = Some(Arc::new(Frozen {
                map,
                mark: memory.mark.clone(),
            }));
        }
        memory.frozen.clone()
    }

    /// The checkpoint as a stream of records, with its mark. `None` before the first one.
    pub fn image(&self) -> Result<Option<(Mark, Image)>, StateError> {
        self.tree().image()
    }

    /// Replaces everything by `image`, which stands at `mark`.
    pub fn install(&self, mark: &Mark, image: Image) -> Result<(), StateError> {
        let _one = self
            .checkpointing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let fresh = Arc::new(self.tree().successor(mark, image)?);
        let mut memory = self.write();
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        memory.active = Overlay::default();
        memory.frozen = None;
        memory.mark = mark.clone();
        memory.saved = mark.clone();
        memory.generation += 1;
        self.hot.forget_all();
        let old = std::mem::replace(&mut *tree, fresh);
        drop(tree);
        drop(memory);
        old.retire()
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
    /// The outer `None`: not in memory, ask fjall. The inner: deleted.
    fn find(&self, key: &[u8]) -> Option<Option<Record>> {
        let found = self.active.get(key);
        found
            .or_else(|| self.frozen.as_ref().and_then(|frozen| frozen.map.get(key)))
            .cloned()
    }
}

/// Keys that an operation touches.
pub fn touched(transaction: &Transaction) -> impl Iterator<Item = &Key> {
    transaction.ops.iter().map(|op| match op {
        Op::Put { key, .. } | Op::Delete { key } => key,
    })
}

#[cfg(test)]
mod tests;
