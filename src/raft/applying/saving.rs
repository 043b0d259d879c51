//! Saves checkpoints when they are due, and purges the log that they hold.

use super::state_machine::{Applied, StateMachine, blocking};
use crate::raft::log_store::LogStore;
use crate::raft::wire::record::Position;
use crate::raft::wire::types::{LogId, TypeConfig};
use crate::store::state::StateError;
use openraft::Raft;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::Fatal;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The time between attempts to save a checkpoint on a full disk.
const FULL_RETRY: Duration = Duration::from_secs(1);
/// The time between looks at a disk that is nearly full, so that space that others freed is noticed
/// without a request.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The time in which deletions gather before their space is given back, and the most of it: a merge
/// of everything is followed by a pause of [`REST`] times its length.
const GATHER: Duration = Duration::from_secs(1);
const GATHER_MAX: Duration = Duration::from_secs(60);
const REST: u32 = 4;

/// The message for a client whose write would not fit into a checkpoint.
pub(in crate::raft) const NO_CHECKPOINT: &str = "no space left on device: the state cannot be \
    saved; nothing was written. Free some space on the data directory's device";

/// Limits the time that raft takes to learn of a checkpoint.
const KNOWS_WITHIN: Duration = Duration::from_secs(1);

/// Saves the checkpoints of an open storage, and purges its log.
pub(in crate::raft) struct Saver {
    pub(in crate::raft) raft: Raft<TypeConfig, StateMachine>,
    pub(in crate::raft) log: LogStore,
    pub(in crate::raft) applied: Arc<Applied>,
    /// See [`crate::raft::Options::log_bytes_kept`].
    pub(in crate::raft) log_bytes_kept: usize,
}

impl Saver {
    /// Saves a checkpoint whenever one is due, and purges the entries that it holds, but for the
    /// newest.
    pub(in crate::raft) async fn run(self) {
        let applied = &self.applied;
        let mut low = applied.space.follow();
        let mut told = applied.state.saved().position;
        let mut rest = GATHER;
        let mut owed = Owed::Nothing;
        loop {
            let is_short = applied.space.is_low() || applied.is_disk_full();
            tokio::select! {
                () = applied.due.notified() => {}
                changed = low.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(LOOK_EVERY), if is_short => {}
            }
            if applied.poison.is_set() {
                return;
            }
            if applied.space.is_low() && applied.state.is_dirty() && owed == Owed::Nothing {
                owed = Owed::Merge;
            }
            if applied.state.is_checkpoint_due() {
                save(applied).await;
            }
            if applied.space.is_low() && owed != Owed::Nothing {
                tokio::time::sleep(rest).await;
                (rest, owed) = give_back(applied, owed).await;
            }
            if is_short || applied.space.is_low() || applied.space.lacks_reserve() {
                settle(applied).await;
            }
            let saved = applied.state.saved().position;
            let wants_room = applied.take_want_of_room()
                || applied.is_disk_full()
                || (applied.space.is_low() && saved != told);
            if saved == told && !wants_room {
                continue;
            }
            let bytes_kept = if wants_room { 0 } else { self.log_bytes_kept };
            if purge(&self.raft, &self.log, saved, bytes_kept)
                .await
                .is_err()
            {
                return;
            }
            told = saved;
        }
    }
}

/// Tells whether what was deleted keeps space that a merge would give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::raft) enum Owed {
    Nothing,
    Merge,
    /// There was no space for the merge, and the log has said so.
    MergeRefused,
}

/// Saves what is applied and has it give back the space of what was deleted. Returns the pause
/// before the next time, and what is still owed.
pub(in crate::raft) async fn give_back(applied: &Arc<Applied>, owed: Owed) -> (Duration, Owed) {
    let begun = Instant::now();
    save(applied).await;
    if applied.poison.is_set() || applied.is_disk_full() {
        return (GATHER, owed);
    }
    let merging = Arc::clone(applied);
    let mut left = Owed::Nothing;
    match blocking(move || merging.state.give_back()).await {
        Ok(Ok(())) => {}
        Ok(Err(StateError::DiskFull)) => {
            if owed != Owed::MergeRefused {
                tracing::warn!(
                    "the disk is too full for a merge, so what was deleted keeps its space until \
                     some is freed otherwise"
                );
            }
            left = Owed::MergeRefused;
        }
        Ok(Err(error)) => applied.poison.set(&error.to_string()),
        Err(error) => applied.poison.set(&error.to_string()),
    }
    ((begun.elapsed() * REST).clamp(GATHER, GATHER_MAX), left)
}

/// Looks at the disk, and makes the reserve again when there is plenty of space.
async fn settle(applied: &Arc<Applied>) {
    let settling = Arc::clone(applied);
    // A task that panicked is told of by the runtime.
    drop(blocking(move || settling.space.settle()).await);
    applied.note_room(!applied.space.is_low());
}

/// Tells raft of the last checkpoint, and purges the entries that it holds, but for the last `kept`
/// bytes. A lone node keeps none, since no other has to catch up.
pub(in crate::raft) async fn purge(
    raft: &Raft<TypeConfig, StateMachine>,
    log: &LogStore,
    saved: Option<Position>,
    kept: usize,
) -> Result<(), Fatal<TypeConfig>> {
    raft.trigger().snapshot().await?;
    let knows = raft.wait(Some(KNOWS_WITHIN));
    let saved = saved.map_or(0, |saved| saved.index);
    let is_known = move |id: &Option<LogId>| id.as_ref().is_some_and(|id| id.index() >= saved);
    // A checkpoint that raft does not know of yet goes with the next one.
    drop(
        knows
            .metrics(|seen| is_known(&seen.snapshot), "the checkpoint")
            .await,
    );
    match log.surplus(if has_followers(raft) { kept } else { 0 }) {
        Some(upto) => raft.trigger().purge_log(upto).await,
        None => Ok(()),
    }
}

/// Returns true when the cluster has another member, which may ask for entries.
pub(in crate::raft) fn has_followers(raft: &Raft<TypeConfig, StateMachine>) -> bool {
    let metrics = raft.metrics();
    let members = metrics.borrow_watched().membership_config.nodes().count();
    members > 1
}

async fn save(applied: &Arc<Applied>) {
    let saving = Arc::clone(applied);
    match blocking(move || saving.state.checkpoint()).await {
        Ok(Ok(_)) => applied.set_disk_full(false),
        Ok(Err(StateError::DiskFull)) => {
            if !applied.is_disk_full() {
                tracing::warn!("the disk is full: no checkpoint can be saved, trying again");
            }
            applied.set_disk_full(true);
            tokio::time::sleep(FULL_RETRY).await;
        }
        Ok(Err(error)) => applied.poison.set(&error.to_string()),
        Err(error) => applied.poison.set(&error.to_string()),
    }
}
