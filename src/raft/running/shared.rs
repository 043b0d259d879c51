//! The parts of an open storage that its handle and its tasks share.

use super::leadership::Leadership;
use super::lease::Lease;
use super::moves::Moves;
use super::readers::Readers;
use super::refusals::Refusals;
use super::standing_back::StandingBack;
use crate::peer::{Member, PublicKey};
use crate::raft::applying::state_machine::{Applied, StateMachine};
use crate::raft::log_store::LogStore;
use crate::raft::speaking::voice::Voice;
use crate::raft::timing::Timing;
use crate::raft::wire::record::Position;
use crate::raft::wire::types::{Peer, StoredMembership, TypeConfig, position};
use openraft::Raft;
use openraft::async_runtime::WatchReceiver;
use openraft::metrics::RaftServerMetrics;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Limits the time until the entry that removed this node is applied here.
const BELIEVE_WITHIN: Duration = Duration::from_secs(5);

/// Raft's own account of its vote, its members and its leader.
pub(in crate::raft) type Metrics = RaftServerMetrics<TypeConfig>;

/// The parts of one open storage.
pub(in crate::raft) struct Shared {
    pub(in crate::raft) id: u64,
    /// This node's record, as it describes itself.
    pub(in crate::raft) me: Mutex<Peer>,
    pub(in crate::raft) raft: Raft<TypeConfig, StateMachine>,
    pub(in crate::raft) log: LogStore,
    pub(in crate::raft) applied: Arc<Applied>,
    pub(in crate::raft) timing: Timing,
    pub(in crate::raft) voice: Arc<Voice>,
    pub(in crate::raft) leadership: watch::Sender<Leadership>,
    /// Nodes that this one hears besides the members that it knows of.
    pub(in crate::raft) trusted: watch::Sender<Vec<Member>>,
    /// Refusals of candidates whose log was too short.
    pub(in crate::raft) refusals: Refusals,
    /// True while this node is sealed and others need entries that only it holds.
    pub(in crate::raft) needed: watch::Sender<bool>,
    /// The index of the entry that made the membership in force.
    pub(in crate::raft) members_at: watch::Sender<u64>,
    pub(in crate::raft) readers: Readers,
    /// Held during a change of the members, so that they go one after the other.
    pub(in crate::raft) changing: tokio::sync::Mutex<()>,
    pub(in crate::raft) introducing: tokio::sync::Mutex<()>,
    pub(in crate::raft) moves: Moves,
    /// Held during a handover of leadership, so that one runs at a time.
    pub(in crate::raft) handing: tokio::sync::Mutex<()>,
    /// Held while this node waits for the end of the lease of a leader that is gone.
    pub(in crate::raft) succeeding: tokio::sync::Mutex<()>,
    pub(in crate::raft) standing_back: StandingBack,
    pub(in crate::raft) lease: Lease,
    /// True once this node was told that it is no member any more.
    pub(in crate::raft) removed: AtomicBool,
    /// The index of the entry that removed this node.
    pub(in crate::raft) removed_at: AtomicU64,
    /// True once this node was told to stop; raft that stops before that has failed.
    pub(in crate::raft) closing: AtomicBool,
}

impl Shared {
    /// Returns true while this node is unsealed and can prove it, can write, and was not removed.
    pub(in crate::raft) fn may_lead(&self) -> bool {
        let is_member = !self.removed.load(Ordering::Acquire);
        // Without a network, as in recovery mode, there is no peer to prove anything to.
        let can_prove = self.voice.network.is_none() || self.voice.proofs.may_lead();
        let is_unsealed = *self.voice.elects.borrow() && can_prove;
        is_unsealed && is_member && !self.applied.poison.is_set()
    }

    /// Returns true while this node serves as leader.
    pub(in crate::raft) fn leads(&self) -> bool {
        self.may_lead() && self.raft.is_leader()
    }

    /// Returns once consensus, the state machine and the thread that writes the log have each
    /// answered a question that was queued behind their work; `None` when one of them has ended.
    pub(in crate::raft) async fn take_turns(&self) -> Option<()> {
        self.raft.is_initialized().await.ok()?;
        let passes = self.raft.with_state_machine(|_| Box::pin(async {}));
        passes.await.ok()?;
        self.log.take_turn().await.ok()
    }

    /// Returns raft's newest account of itself.
    pub(in crate::raft) fn metrics(&self) -> Metrics {
        self.raft.server_metrics().borrow_watched().clone()
    }

    /// Returns the membership in force, which may not be committed yet.
    pub(in crate::raft) fn membership(&self) -> Arc<StoredMembership> {
        self.metrics().membership_config
    }

    /// Locks this node's record, as it describes itself.
    pub(in crate::raft) fn me(&self) -> MutexGuard<'_, Peer> {
        self.me.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true when `id` is a node that this one hears, and `key` is its key.
    pub(in crate::raft) fn is_peer(&self, id: u64, key: &PublicKey) -> bool {
        let metrics = self.metrics();
        let configs = [
            metrics.membership_config,
            metrics.committed_membership_config,
        ];
        let nodes = configs
            .iter()
            .filter_map(|config| config.membership().get_node(&id));
        let known: Vec<&[u8]> = nodes.map(|node| &*node.public_key).collect();
        may_speak(&known, &self.trusted.borrow(), key)
    }

    /// Believes that this node was removed once the entry at `at` is committed and applied in its
    /// own log, and names other members only.
    pub(in crate::raft) async fn believe_removal(&self, at: Position) {
        let mut applied = self.raft.watch_apply_progress();
        let is_applied = async {
            while self.applied.told().is_none_or(|told| told < at.index) {
                if applied.changed().await.is_err() {
                    return;
                }
            }
        };
        if tokio::time::timeout(BELIEVE_WITHIN, is_applied)
            .await
            .is_err()
        {
            return;
        }
        let metrics = self.metrics();
        let committed = &metrics.committed_membership_config;
        let is_entry = committed.log_id().as_ref().map(position) == Some(at);
        if is_entry && committed.membership().get_node(&self.id).is_none() {
            self.farewell(at.index);
        }
    }

    /// Notes that this node was removed by the entry at `index`.
    pub(in crate::raft) fn farewell(&self, index: u64) {
        let members = self.membership();
        let known = members.log_id().as_ref().map_or(0, |at| at.index());
        // It may have that entry itself.
        let is_member = members.membership().get_node(&self.id).is_some();
        let is_news = index > known || (index == known && !is_member);
        if is_news {
            self.removed_at.store(index, Ordering::Release);
        }
        if is_news && !self.removed.swap(true, Ordering::AcqRel) {
            tracing::warn!("this node was removed from the cluster");
            self.leadership.send_replace(Leadership::None);
            self.trusted.send_modify(|_| {});
        }
    }
}

/// Returns true when the holder of `key` may speak for a node whose keys, by the memberships that
/// this node knows, are `known`. A member has its own key and no other. For a node that is no
/// member yet those speak that this node was told to trust.
fn may_speak(known: &[&[u8]], trusted: &[Member], key: &PublicKey) -> bool {
    match known {
        [] => trusted.iter().any(|member| member.public_key == *key),
        known => known.contains(&&*key.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_speaks_for_a_member_without_its_key() {
        let key = |byte: u8| PublicKey(vec![byte; 44].into());
        let trusted = [Member {
            name: "other".into(),
            address: "other:8201".into(),
            public_key: key(2),
        }];
        let (one, two) = (key(1), key(2));
        assert!(may_speak(&[&one.0], &[], &one));
        assert!(!may_speak(&[&one.0], &[], &two), "another member");
        assert!(
            !may_speak(&[&one.0], &trusted, &two),
            "also while it is trusted"
        );
        assert!(may_speak(&[], &trusted, &two), "for who is not known yet");
        assert!(!may_speak(&[], &trusted, &one), "who is neither");
    }
}
