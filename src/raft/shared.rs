//! What the storage's handle and its tasks share.

use super::leadership::Leadership;
use super::log_store::LogStore;
use super::state_machine::{Applied, StateMachine};
use super::timing::Timing;
use super::types::{Peer, StoredMembership, TypeConfig};
use openraft::Raft;
use openraft::async_runtime::WatchReceiver;
use std::sync::Arc;
use tokio::sync::watch;

/// One per open storage.
pub(super) struct Shared {
    pub(super) id: u64,
    /// This node as its options describe it.
    pub(super) me: Peer,
    pub(super) raft: Raft<TypeConfig, StateMachine>,
    pub(super) log: LogStore,
    pub(super) applied: Arc<Applied>,
    pub(super) timing: Timing,
    /// Whether this node may lead: it is unsealed.
    pub(super) elects: watch::Sender<bool>,
    pub(super) leadership: watch::Sender<Leadership>,
}

impl Shared {
    /// True while this node serves as leader.
    pub(super) fn leads(&self) -> bool {
        *self.elects.borrow() && self.raft.is_leader()
    }

    /// The leader that this node has accepted, or that it is.
    pub(super) fn leader(&self) -> Option<u64> {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        metrics.current_leader
    }

    /// The membership in force, which may not be committed yet.
    pub(super) fn membership(&self) -> Arc<StoredMembership> {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        Arc::clone(&metrics.membership_config)
    }
}
