//! The job, as every active node reads it.

use crate::barrier::{BarrierError, Batch, Slot, Unsealed, View};
use crate::clock::Timestamp;
use crate::store::Key;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const RECORD: &str = "rewrap";

/// A re-encryption that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Terms below this one are to hold nothing.
    pub below: u32,
    /// The time at which it was asked for.
    pub started: Timestamp,
    /// The time from which no batch token under these terms is valid: they stay until then.
    pub droppable: Timestamp,
}

/// The record on disk.
#[derive(Serialize, Deserialize)]
enum Stored {
    V1 {
        below: u32,
        started_ns: u64,
        droppable_ns: u64,
    },
}

fn view(barrier: &Arc<Unsealed>) -> View {
    barrier.view("core/")
}

/// Returns the storage key of the job, so that it can be watched.
pub(super) fn key(barrier: &Arc<Unsealed>) -> Result<Key, BarrierError> {
    view(barrier).key(RECORD)
}

/// Reads the job, if there is one, and the slot that it is in.
pub(in crate::sys) fn read(barrier: &Arc<Unsealed>) -> Result<(Slot, Option<Job>), BarrierError> {
    let slot = view(barrier).read(RECORD)?;
    let stored: Option<Stored> = slot.record("re-encryption")?;
    let job = stored.map(|stored| match stored {
        Stored::V1 {
            below,
            started_ns,
            droppable_ns,
        } => Job {
            below,
            started: Timestamp(started_ns),
            droppable: Timestamp(droppable_ns),
        },
    });
    Ok((slot, job))
}

/// Adds the job to `batch`, in place of the one in `slot`.
pub(in crate::sys) fn start(batch: &mut Batch, slot: &Slot, job: &Job) -> Result<(), BarrierError> {
    let stored = Stored::V1 {
        below: job.below,
        started_ns: job.started.0,
        droppable_ns: job.droppable.0,
    };
    batch.replace_record(slot, &stored)
}

/// Adds the end of the job in `slot` to `batch`.
pub(in crate::sys) fn remove(batch: &mut Batch, slot: &Slot) {
    batch.remove(slot);
}
