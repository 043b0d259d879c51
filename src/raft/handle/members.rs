//! Lists and changes the members, for the rooms above.

use super::storage::RaftStorage;
use crate::peer::Member;
use crate::raft::members::change::Changes;
use crate::raft::members::error::ChangeError;
use crate::raft::members::member::{Change, MemberInfo, NewMember};
use crate::raft::members::quorum;
use crate::raft::wire::types::Peer;
use std::collections::BTreeMap;
use tokio::sync::watch;

impl RaftStorage {
    /// Returns all members, sorted by name; none before this node is in a cluster.
    pub fn members(&self) -> Vec<MemberInfo> {
        self.shared.members()
    }

    /// Follows the members: the index of the entry that made the membership, zero before there is
    /// one. Each change is shown by [`RaftStorage::members`] before it is told here.
    pub fn members_at(&self) -> watch::Receiver<u64> {
        self.shared.members_at.subscribe()
    }

    /// Returns the index of the entry that made the membership; zero before there is one.
    pub fn members_index(&self) -> u64 {
        self.shared.members_index()
    }

    /// Returns true once this node was told that it is no member any more.
    pub fn is_removed(&self) -> bool {
        let removed = &self.shared.removed;
        removed.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Adds a node as a learner, on the leader, and returns once that is committed. Replaces a
    /// member of the same name, or with the same key.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] when a living member has that name and another key, or that key
    /// and another name.
    pub async fn add_member(&self, member: NewMember) -> Result<(), ChangeError> {
        let _one = self.shared.changing.lock().await;
        self.shared.ensure_leads()?;
        let shared = &self.shared;
        let peer = Peer {
            name: member.name,
            cluster_address: member.cluster_address,
            public_key: member.public_key.0.to_vec(),
            api_address: member.api_address,
            non_voter: member.non_voter,
        };
        let members = shared.members();
        let same = members.iter().find(|old| old.raft_id == member.raft_id);
        if let Some(same) = same {
            let is_voter = same.voter;
            let peer = Peer {
                // A voter that comes again is a voter still.
                non_voter: peer.non_voter && !is_voter,
                ..peer
            };
            return shared.set_peer(member.raft_id, peer).await;
        }
        for old in &members {
            if old.name == peer.name || old.public_key.0 == peer.public_key {
                shared.replace(old, &peer).await?;
            }
        }
        let nodes = BTreeMap::from([(member.raft_id, peer)]);
        shared.propose(Changes::AddNodes(nodes), true).await
    }

    /// Changes a member, on the leader, and returns once that is committed. Removing a name that is
    /// no member's is no error.
    pub async fn change(&self, name: &str, change: Change) -> Result<(), ChangeError> {
        let shared = &self.shared;
        let _one = shared.changing.lock().await;
        shared.ensure_leads()?;
        let members = shared.members();
        let Some(member) = members.iter().find(|member| member.name == name) else {
            return match change {
                Change::Remove { .. } => Ok(()),
                Change::Promote | Change::Demote => {
                    Err(ChangeError::Refused(format!("{name} is not a member")))
                }
            };
        };
        match change {
            Change::Remove { force } => {
                quorum::check(&members, member, "removed", force, shared.timing.silence())?;
                match member.raft_id == shared.id && !shared.heirs().await.is_empty() {
                    true => shared.leave().await,
                    false => shared.remove(member).await,
                }
            }
            Change::Promote => shared.promote(member).await,
            Change::Demote => {
                quorum::check(&members, member, "demoted", false, shared.timing.silence())?;
                shared.demote(member).await
            }
        }
    }

    /// Sets the addresses at which peers and clients reach this node. The leader writes them down
    /// as soon as it can be told.
    pub async fn set_addresses(&self, cluster: &str, api: &str) -> Result<(), ChangeError> {
        {
            let mut me = self.shared.me();
            me.cluster_address = cluster.to_owned();
            me.api_address = api.to_owned();
        }
        self.shared.introduce().await
    }

    /// Trusts `members` besides the members that this node knows of: the leader that told it of a
    /// cluster to join. They are forgotten at the next start.
    pub fn trust(&self, members: Vec<Member>) {
        self.shared.trusted.send_replace(members);
    }
}
