//! Saving checkpoints when they are due.

use super::state_machine::{Applied, StateMachine, blocking};
use super::types::TypeConfig;
use crate::store::state::StateError;
use openraft::Raft;
use std::sync::Arc;
use std::time::Duration;

/// Between attempts to save a checkpoint on a full disk.
const FULL_RETRY: Duration = Duration::from_secs(1);

/// Saves a checkpoint whenever one is due, and lets raft purge the log up to it.
pub(super) async fn save_when_due(raft: Raft<TypeConfig, StateMachine>, applied: Arc<Applied>) {
    let mut told = applied.state.saved().position;
    loop {
        applied.due.notified().await;
        if applied.poison.is_set() {
            return;
        }
        if applied.state.is_checkpoint_due() {
            save(&applied).await;
        }
        let saved = applied.state.saved().position;
        if saved != told && raft.trigger().snapshot().await.is_err() {
            return;
        }
        told = saved;
    }
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
