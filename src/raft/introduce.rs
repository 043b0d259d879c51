//! What a node tells others of itself outside raft's own calls.

use super::error::ChangeError;
use super::member::MemberInfo;
use super::parting::PARTING;
use super::rpc::{Answer, Ask};
use super::shared::Shared;
use super::types::Peer;
use crate::peer::Member;
use std::time::Duration;

/// How long one such call may take.
const TELL_WITHIN: Duration = Duration::from_secs(5);

impl Shared {
    /// This node as it should stand in the membership: what it does not know of itself stays.
    pub(super) fn own_record(&self) -> Option<(Peer, Peer)> {
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
        // Who leads is believed; a follower's key is what it is known by.
        if !me.public_key.is_empty() && self.raft.is_leader() {
            wanted.public_key = me.public_key;
        }
        Some((known, wanted))
    }

    /// Has this node's record in the membership brought up to date.
    pub(super) async fn introduce(&self) -> Result<(), ChangeError> {
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

    /// Asks who is taken for the leader first. The leader does not find a node whose address
    /// changed, so that node may not know it: then it asks everybody.
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

    /// Asks a member who is in the cluster, and hears those, too.
    pub(super) async fn ask_members(&self, peer: u64, member: &Member) {
        let asked = self
            .voice
            .ask(peer, member, &Ask::Members, &[], TELL_WITHIN);
        let Ok(Answer::Members(Some((at, members)))) = asked.await else {
            return;
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

    /// Tells a node that it is no member any more. It may be gone already, and not hear.
    pub(super) async fn say_farewell(&self, removed: &MemberInfo, index: u64) {
        let member = Member {
            name: removed.name.clone(),
            address: removed.cluster_address.clone(),
            public_key: removed.public_key.clone(),
        };
        let ask = Ask::Farewell(index);
        let asked = self.voice.ask(removed.raft_id, &member, &ask, &[], PARTING);
        if let Err(error) = asked.await {
            crate::telemetry::debug!(%error, "who was removed was not told");
        }
    }
}
