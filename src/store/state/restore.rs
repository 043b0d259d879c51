//! Replaces all records by records that come through the log, a chunk at a time.
//!
//! The new records gather in a keyspace of their own, which no reader sees. The last step makes
//! that one the state. Until a checkpoint has put a mark into it, the old keyspace stays and counts
//! after a crash, and the log is replayed over it.

use super::mark::Staging;
use super::overlay::Overlay;
use super::tree::Tree;
use super::{Memory, Position, State, StateError};
use crate::clock::Timestamp;
use crate::store::{Key, Op, Revision};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, PoisonError};

/// A step of a restore, as the log carries it. Steps of another restore than the one under way do
/// nothing, on every node alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restore {
    /// Begins a restore; the records that another one had gathered are forgotten.
    Begin {
        /// The restore's id, drawn at random.
        id: u128,
    },
    /// Adds further records.
    Chunk {
        /// The restore's id.
        id: u128,
        /// The chunk's number, counted from zero; a chunk that is not the next does nothing.
        number: u64,
        /// The records, in order of their keys.
        records: Vec<(Key, Bytes)>,
    },
    /// Replaces all records by those that were gathered.
    Commit {
        /// The restore's id.
        id: u128,
        /// The number of chunks.
        chunks: u64,
        /// The least floor of the clock from here on.
        time_floor: Timestamp,
    },
    /// Forgets the records that were gathered.
    Abandon {
        /// The restore's id.
        id: u128,
    },
}

/// The records that a restore has gathered so far.
#[derive(Default)]
pub(super) struct Staged {
    /// The keyspace, made by the first checkpoint that has records for it.
    pub(super) tree: Option<Arc<Tree>>,
    /// The records that that checkpoint did not save.
    pub(super) overlay: Overlay,
}

impl State {
    /// Returns the id of the restore under way, if there is one.
    pub fn restoring(&self) -> Option<u128> {
        self.read().mark.staging.map(|staging| staging.id)
    }

    /// Applies a step. Returns false when it belongs to no restore under way, and only the position
    /// moved.
    pub(super) fn apply_restore(
        &self,
        position: Position,
        step: &Restore,
        bytes: usize,
    ) -> Result<bool, StateError> {
        if let Restore::Commit {
            id,
            chunks,
            time_floor,
        } = step
        {
            return self.commit_restore(position, (*id, *chunks), *time_floor);
        }
        let mut memory = self.write();
        memory.mark.position = Some(position);
        memory.active.replay_bytes += bytes;
        Ok(memory.stage(position, step))
    }

    /// Makes the gathered records the state. Runs beside reads; waits for a checkpoint under way.
    fn commit_restore(
        &self,
        position: Position,
        (id, chunks): (u128, u64),
        time_floor: Timestamp,
    ) -> Result<bool, StateError> {
        let _one = self
            .checkpointing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_whole = self.read().mark.staging == Some(Staging { id, chunks });
        // Outside the lock: it writes.
        let fresh = match is_whole {
            true => Some(self.staging_tree()?),
            false => None,
        };
        let mut memory = self.write();
        memory.mark.position = Some(position);
        let Some(fresh) = fresh else {
            return Ok(false);
        };
        let mut overlay = Overlay::default();
        // A checkpoint that failed may have left some.
        if let Some(frozen) = memory.frozen.take()
            && let Some((_, map)) = &frozen.staged
        {
            overlay.absorb(map.clone());
        }
        if let Some(staged) = memory.staged.take() {
            overlay.absorb(staged.overlay.into_map());
        }
        overlay.replay_bytes = memory.active.replay_bytes;
        memory.active = overlay;
        memory.mark.staging = None;
        memory.mark.time_floor = memory.mark.time_floor.max(time_floor);
        memory.generation += 1;
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *tree, fresh);
        memory.retiring.push((position, old));
        self.hot.forget_all();
        Ok(true)
    }

    /// Returns the keyspace that a restore gathers in, and makes it if need be. Only under
    /// `checkpointing`.
    pub(super) fn staging_tree(&self) -> Result<Arc<Tree>, StateError> {
        let found = self.read().staged.as_ref().and_then(|s| s.tree.clone());
        if let Some(tree) = found {
            return Ok(tree);
        }
        let tree = Arc::new(self.tree().sibling(self.next_number())?);
        let mut memory = self.write();
        let position = memory.mark.position;
        match (&mut memory.staged, position) {
            (Some(staged), _) => staged.tree = Some(Arc::clone(&tree)),
            // The restore was forgotten meanwhile.
            (None, Some(position)) => memory.retiring.push((position, Arc::clone(&tree))),
            (None, None) => {}
        }
        Ok(tree)
    }
}

impl Memory {
    fn stage(&mut self, position: Position, step: &Restore) -> bool {
        match step {
            Restore::Begin { id } => {
                self.forget_staged(position);
                self.mark.staging = Some(Staging { id: *id, chunks: 0 });
                self.staged = Some(Staged::default());
                true
            }
            Restore::Chunk {
                id,
                number,
                records,
            } => {
                let expected = Staging {
                    id: *id,
                    chunks: *number,
                };
                let (Some(staging), Some(staged)) = (&mut self.mark.staging, &mut self.staged)
                else {
                    return false;
                };
                if *staging != expected {
                    return false;
                }
                staging.chunks += 1;
                for (number, (key, value)) in records.iter().enumerate() {
                    let (key, value) = (key.clone(), value.clone());
                    let op = Op::Put { key, value };
                    staged.overlay.put(&op, Revision(position.index), number);
                }
                true
            }
            Restore::Abandon { id } => {
                let is_it = self.mark.staging.is_some_and(|staging| staging.id == *id);
                if is_it {
                    self.forget_staged(position);
                }
                is_it
            }
            Restore::Commit { .. } => false,
        }
    }

    fn forget_staged(&mut self, position: Position) {
        self.mark.staging = None;
        let staged = self.staged.take();
        let tree = staged.and_then(|staged| staged.tree);
        self.retiring.extend(tree.map(|tree| (position, tree)));
        // A failed checkpoint may have left records for it, which are not wanted any more, either;
        // its other records are.
        if let Some(frozen) = self.frozen.take() {
            self.frozen = Some(Arc::new(frozen.without_staged()));
        }
    }
}
