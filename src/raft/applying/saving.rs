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
use std::time::Duration;

/// The time between attempts to save a checkpoint on a full disk.
const FULL_RETRY: Duration = Duration::from_secs(1);

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
        let mut told = applied.state.saved().position;
        loop {
            applied.due.notified().await;
            if applied.poison.is_set() {
                return;
            }
            if applied.state.is_checkpoint_due() {
                save(applied).await;
            }
            let saved = applied.state.saved().position;
            let wants_room = applied.take_want_of_room() || applied.is_disk_full();
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
            applied.set_disk_full(true);
            tracing::warn!("the disk is full: no checkpoint can be saved, trying again");
            tokio::time::sleep(FULL_RETRY).await;
        }
        Ok(Err(error)) => applied.poison.set(&error.to_string()),
        Err(error) => applied.poison.set(&error.to_string()),
    }
}
