//! Tells the other members this node's addresses, when they changed since the last start.

use super::addresses::Addresses;
use super::shared::Shared;
use crate::raft::{ChangeError, RaftStorage};
use std::sync::Arc;
use std::time::Duration;

/// The time between attempts while there are other nodes that may hear of it. A node without others
/// waits until it leads itself.
const RETRY: Duration = Duration::from_secs(5);

/// Tells the members in the background until one has taken the addresses. Nothing is written where
/// nothing changed.
pub(super) fn spawn(shared: &Arc<Shared>) {
    let Some(raft) = shared.leadership.raft().cloned() else {
        return;
    };
    let (addresses, shared) = (shared.addresses(), Arc::downgrade(shared));
    crate::task::spawn(async move {
        let mut leads = raft.leadership();
        while !is_told(&raft, &addresses).await {
            let Some(has_others) = shared.upgrade().map(|node| node.leadership.has_others()) else {
                return;
            };
            tokio::select! {
                changed = leads.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(RETRY), if has_others => {}
            }
        }
    });
}

async fn is_told(raft: &RaftStorage, addresses: &Addresses) -> bool {
    let cluster = addresses.cluster_host_port();
    match raft.set_addresses(&cluster, &addresses.api).await {
        Ok(()) => true,
        Err(ChangeError::Refused(why)) => {
            tracing::error!(%why, "the members cannot be told where this node is");
            true
        }
        Err(error) => {
            crate::telemetry::debug!(%error, "the members do not know yet where this node is");
            false
        }
    }
}
