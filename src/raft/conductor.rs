//! Follows what raft does, and sets what hangs on it: who leads, whether this node is alone.

use super::leadership::Leadership;
use super::shared::Shared;
use super::types::TypeConfig;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;
use openraft::metrics::RaftServerMetrics;
use std::sync::Arc;

/// What raft tells of itself.
type Metrics = RaftServerMetrics<TypeConfig>;

/// Runs until raft stops.
pub(super) async fn conduct(shared: Arc<Shared>) {
    let mut metrics = shared.raft.server_metrics();
    let mut applied = shared.raft.watch_apply_progress();
    let mut elects = shared.elects.subscribe();
    loop {
        let seen = metrics.borrow_watched().clone();
        set_alone(&shared, &seen);
        lead_alone(&shared, &seen).await;
        let leadership = leadership(&shared, &seen);
        // Only a leader that is not ready yet has to wait for what it applies.
        let waits = is_leader(&seen) && leadership == Leadership::None && *elects.borrow();
        shared.leadership.send_if_modified(|current| {
            let changes = *current != leadership;
            *current = leadership;
            changes
        });
        tokio::select! {
            changed = metrics.changed() => if changed.is_err() { return },
            changed = elects.changed() => if changed.is_err() { return },
            changed = applied.changed(), if waits => if changed.is_err() { return },
        }
    }
}

fn is_leader(seen: &Metrics) -> bool {
    seen.state == ServerState::Leader
}

fn leadership(shared: &Shared, seen: &Metrics) -> Leadership {
    if is_leader(seen) {
        let term = seen.vote.leader_id.term;
        let (applied, _) = shared.applied.state.progress();
        let is_ready = applied.is_some_and(|applied| applied.term == term);
        return match is_ready && *shared.elects.borrow() {
            true => Leadership::Leader { term },
            false => Leadership::None,
        };
    }
    let leader = seen.current_leader.filter(|leader| *leader != shared.id);
    let node = leader.and_then(|leader| seen.membership_config.membership().get_node(&leader));
    match node {
        Some(peer) => Leadership::Follower {
            leader: peer.clone(),
        },
        None => Leadership::None,
    }
}

/// The only voter everywhere needs nobody's answer.
fn set_alone(shared: &Shared, seen: &Metrics) {
    let id = shared.id;
    let members = &seen.membership_config;
    let Some(at) = members.log_id() else {
        return;
    };
    let decided = Some(at) == seen.committed_membership_config.log_id().as_ref();
    let mut voters = members.membership().voter_ids();
    if decided && is_leader(seen) && voters.all(|voter| voter == id) {
        shared.log.lead_alone(at.index());
    }
}

/// A lone voter asks nobody, so nothing has to run out before it leads.
async fn lead_alone(shared: &Shared, seen: &Metrics) {
    let membership = seen.membership_config.membership();
    let mut voters = membership.voter_ids().peekable();
    let is_alone = voters.peek().is_some() && voters.all(|voter| voter == shared.id);
    if is_alone && !is_leader(seen) && *shared.elects.borrow() {
        // Raft that stopped is noticed by the loop.
        drop(shared.raft.trigger().elect(false).await);
    }
}
