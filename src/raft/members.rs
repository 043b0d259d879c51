//! Listing and changing the members.

use super::error::ChangeError;
use super::leadership::Leadership;
use super::member::{Change, MemberInfo, NewMember};
use super::storage::RaftStorage;
use crate::peer::{Member, PublicKey};
use bytes::Bytes;
use std::time::Duration;

impl RaftStorage {
    /// All members, sorted by name; none before this node is in a cluster.
    pub fn members(&self) -> Vec<MemberInfo> {
        let shared = &self.shared;
        let stored = shared.membership();
        let members = stored.membership();
        let leader = shared.leader();
        let (applied, _) = shared.applied.state.progress();
        let mut infos: Vec<MemberInfo> = Vec::new();
        for (id, peer) in members.nodes() {
            let mut info = MemberInfo {
                name: peer.name.clone(),
                raft_id: *id,
                cluster_address: peer.cluster_address.clone(),
                api_address: peer.api_address.clone(),
                public_key: PublicKey(Bytes::copy_from_slice(&peer.public_key)),
                voter: members.voter_ids().any(|voter| voter == *id),
                non_voter: peer.non_voter,
                leader: leader == Some(*id),
                ..MemberInfo::default()
            };
            if *id == shared.id {
                info.elects = Some(*shared.elects.borrow());
                info.last_contact = Some(Duration::ZERO);
                info.last_index = applied.map_or(0, |applied| applied.index);
                info.last_term = applied.map_or(0, |applied| applied.term);
                info.version = env!("CARGO_PKG_VERSION").into();
            }
            infos.push(info);
        }
        infos.sort_by(|left, right| left.name.cmp(&right.name));
        infos
    }

    /// Index of the entry that made the membership; zero before there is one.
    pub fn members_index(&self) -> u64 {
        let stored = self.shared.membership();
        stored.log_id().as_ref().map_or(0, |id| id.index())
    }

    /// On the leader: adds a node as a learner. A member of the same name is replaced.
    pub async fn add_member(&self, _member: NewMember) -> Result<(), ChangeError> {
        self.ensure_leads()?;
        Err(ChangeError::Refused("this node has no network".into()))
    }

    /// On the leader: changes a member. Removing who is not there is no error.
    pub async fn change(&self, name: &str, change: Change) -> Result<(), ChangeError> {
        self.ensure_leads()?;
        let is_member = self.members().iter().any(|member| member.name == name);
        match (is_member, change) {
            (false, Change::Remove { .. }) => Ok(()),
            (false, _) => Err(ChangeError::Refused(format!("{name} is not a member"))),
            (true, _) => Err(ChangeError::Refused(
                "the last voter cannot be removed or demoted".into(),
            )),
        }
    }

    /// Says where this node is reached from now on.
    pub async fn set_addresses(&self, _cluster: &str, _api: &str) -> Result<(), ChangeError> {
        Ok(())
    }

    /// Before this node is in a cluster: whom it may hear.
    pub fn trust(&self, _members: Vec<Member>) {}

    pub(super) fn ensure_leads(&self) -> Result<(), ChangeError> {
        match *self.shared.leadership.borrow() {
            Leadership::Leader { .. } => Ok(()),
            Leadership::None | Leadership::Follower { .. } => Err(ChangeError::NotLeader),
        }
    }
}
