//! Tells other nodes of this one outside raft's own calls.

use super::error::ChangeError;
use super::member::MemberInfo;
use super::parting::PARTING;
use crate::peer::Member;
use crate::raft::running::shared::Shared;
use crate::raft::wire::message::{Answer, Append, Ask};
use crate::raft::wire::types::Peer;
use bytes::Bytes;
use openraft::entry::RaftEntry;
use openraft::raft::AppendEntriesRequest;
use openraft::storage::RaftLogReader;
use std::time::Duration;

/// The number of entries before a removal that the removed member is sent along with it, since it
/// may lack them.
const FAREWELL_ENTRIES_MAX: u64 = 64;
/// Limits the time of one such call.
const TELL_WITHIN: Duration = Duration::from_secs(5);

impl Shared {
    /// Returns this node's record in the membership, and the record as it should be: fields that
    /// this node does not know of itself stay.
    pub(in crate::raft) fn own_record(&self) -> Option<(Peer, Peer)> {
        let known = self.membership().membership().get_node(&self.id).cloned()?;
        let me = self.me().clone();
        let mut wanted = known.clone();
        let fields = [
            (&mut wanted.name, me.name),
            (&mut wanted.cluster_address, me.cluster_address),
            (&mut wanted.api_address, me.api_address),
        ];
        for (field, mine) in fields {
            if !mine.is_empty() {
                *field = mine;
            }
        }
        // A leader is believed; a follower is known by its key.
        if !me.public_key.is_empty() && self.raft.is_leader() {
            wanted.public_key = me.public_key;
        }
        Some((known, wanted))
    }

    /// Has this node's record in the membership brought up to date.
    pub(in crate::raft) async fn introduce(&self) -> Result<(), ChangeError> {
        // One after the other, so that an older record does not come after a newer one.
        let _one = self.introducing.lock().await;
        let Some((known, wanted)) = self.own_record() else {
            return Ok(());
        };
        if known == wanted {
            return Ok(());
        }
        if self.raft.is_leader() {
            let _one = self.changing.lock().await;
            return self.set_peer(self.id, wanted).await;
        }
        self.ask_to_be_found(&wanted).await
    }

    /// Asks the member that is taken for the leader first, and then all others: the leader does not
    /// find a node whose address changed, so that node may not know the leader.
    async fn ask_to_be_found(&self, wanted: &Peer) -> Result<(), ChangeError> {
        let metrics = self.metrics();
        let members = metrics.membership_config.membership();
        let mut others: Vec<(u64, Member)> = members
            .nodes()
            .filter(|(id, _)| **id != self.id)
            .map(|(id, peer)| (*id, peer.member()))
            .collect();
        others.sort_by_key(|(id, _)| metrics.current_leader != Some(*id));
        let mut failed = ChangeError::NotLeader;
        for (id, member) in others {
            let Peer {
                name,
                cluster_address,
                api_address,
                ..
            } = wanted.clone();
            let ask = Ask::Addresses(name, cluster_address, api_address);
            match self.voice.ask(id, &member, &ask, &[], TELL_WITHIN).await {
                Ok(_) => return Ok(()),
                Err(error) => failed = ChangeError::Unavailable(error.to_string()),
            }
        }
        Err(failed)
    }

    /// Asks a member for the members, and trusts those as well.
    pub(in crate::raft) async fn ask_members(&self, peer: u64, member: &Member) {
        let asked = self
            .voice
            .ask(peer, member, &Ask::Members, &[], TELL_WITHIN);
        let proofs = &self.voice.proofs;
        let (at, members) = match asked.await {
            Ok(Answer::Members(Some(told))) if proofs.required().is_none() => told,
            Ok(Answer::Roster(at, members, proof)) if proofs.is_roster(at, &members, &proof) => {
                (at, members)
            }
            // Sealed members cannot sign a roster; another may.
            _ => return,
        };
        let known = self.membership();
        if known
            .log_id()
            .as_ref()
            .is_some_and(|known| known.index() >= at.index)
        {
            return;
        }
        let nodes = members.nodes.iter().filter(|(id, _)| **id != self.id);
        let members: Vec<Member> = nodes.map(|(_, node)| node.member()).collect();
        self.trusted.send_if_modified(|trusted| {
            let changes = *trusted != members;
            *trusted = members;
            changes
        });
    }

    /// Tells a node that it is no member any more. The node may be gone already, and not hear.
    pub(in crate::raft) async fn say_farewell(&self, removed: &MemberInfo, index: u64) {
        let member = Member {
            name: removed.name.clone(),
            address: removed.cluster_address.clone(),
            public_key: removed.public_key.clone(),
        };
        let (ask, bodies) = match self.removal(index).await {
            Some((append, bodies)) => (Ask::Removed(append), bodies),
            None => (Ask::Farewell(index), Vec::new()),
        };
        let asked = self
            .voice
            .ask(removed.raft_id, &member, &ask, &bodies, PARTING);
        if let Err(error) = asked.await {
            crate::telemetry::debug!(%error, "who was removed was not told");
        }
    }

    /// Returns the entries up to the one at `index`, which removed a member and is committed, as
    /// that member's own log needs them; `None` where the cluster requires no proofs.
    async fn removal(&self, index: u64) -> Option<(Append, Vec<Bytes>)> {
        self.voice.proofs.required()?;
        let mut log = self.log.clone();
        let first = index.saturating_sub(FAREWELL_ENTRIES_MAX);
        let read = log.limited_get_log_entries(first, index + 1).await;
        let mut entries = read.unwrap_or_default();
        if entries.last().map(RaftEntry::index) != Some(index) {
            // Too large for one message: the last ones must do.
            let read = log
                .limited_get_log_entries(index.saturating_sub(1), index + 1)
                .await;
            entries = read.unwrap_or_default();
        }
        let prev = entries.first().map(|entry| entry.log_id());
        entries.drain(..1.min(entries.len()));
        let request = AppendEntriesRequest {
            vote: self.metrics().vote,
            prev_log_id: prev,
            leader_commit: entries.last().map(|entry| entry.log_id()),
            entries,
        };
        Some(Append::of(request))
    }
}
