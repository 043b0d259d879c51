//! Listing and changing the members.

use super::error::ChangeError;
use super::member::{Change, MemberInfo, NewMember};
use super::quorum;
use super::shared::Shared;
use super::storage::RaftStorage;
use super::types::{Peer, TypeConfig};
use crate::peer::{Member, PublicKey};
use bytes::Bytes;
use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long a change of the members may take to commit.
const CHANGE_WITHIN: Duration = Duration::from_secs(10);
/// Between attempts while another change is under way.
const CHANGE_RETRY: Duration = Duration::from_millis(50);

pub(super) type Changes = ChangeMembers<u64, Peer>;

impl RaftStorage {
    /// All members, sorted by name; none before this node is in a cluster.
    pub fn members(&self) -> Vec<MemberInfo> {
        self.shared.members()
    }

    /// Index of the entry that made the membership; zero before there is one.
    pub fn members_index(&self) -> u64 {
        self.shared.members_index()
    }

    /// True once this node was told that it is no member any more.
    pub fn is_removed(&self) -> bool {
        let removed = &self.shared.removed;
        removed.load(std::sync::atomic::Ordering::Acquire)
    }

    /// On the leader: adds a node as a learner, and returns once that is committed. A member of
    /// the same name, or with the same key, is replaced.
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

    /// On the leader: changes a member, and returns once that is committed. Removing who is not
    /// there is no error.
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

    /// Says where this node is reached from now on. The leader writes it down as soon as it can be
    /// told.
    pub async fn set_addresses(&self, cluster: &str, api: &str) -> Result<(), ChangeError> {
        {
            let mut me = self.shared.me();
            me.cluster_address = cluster.to_owned();
            me.api_address = api.to_owned();
        }
        self.shared.introduce().await
    }

    /// Whom this node may hear besides the members that it knows of: the leader that told it of a
    /// cluster to join. They are forgotten at the next start.
    pub fn trust(&self, members: Vec<Member>) {
        self.shared.trusted.send_replace(members);
    }
}

impl Shared {
    /// Index of the entry that made the membership in force.
    pub(super) fn members_index(&self) -> u64 {
        let stored = self.membership();
        stored.log_id().as_ref().map_or(0, |id| id.index())
    }

    pub(super) fn members(&self) -> Vec<MemberInfo> {
        let metrics = self.metrics();
        let members = metrics.membership_config.membership();
        let voters: BTreeSet<u64> = members.voter_ids().collect();
        let mut infos: Vec<MemberInfo> = Vec::new();
        for (id, peer) in members.nodes() {
            let mut info = MemberInfo {
                name: peer.name.clone(),
                raft_id: *id,
                cluster_address: peer.cluster_address.clone(),
                api_address: peer.api_address.clone(),
                public_key: PublicKey(Bytes::copy_from_slice(&peer.public_key)),
                voter: voters.contains(id),
                non_voter: peer.non_voter,
                leader: metrics.current_leader == Some(*id),
                ..MemberInfo::default()
            };
            match *id == self.id {
                true => self.fill_own(&mut info),
                false => self.fill(&mut info),
            }
            infos.push(info);
        }
        infos.sort_by(|left, right| left.name.cmp(&right.name));
        infos
    }

    fn fill_own(&self, info: &mut MemberInfo) {
        let status = self.voice.status();
        info.elects = Some(status.elects);
        info.last_contact = Some(Duration::ZERO);
        info.hostname = status.hostname;
        info.version = status.version;
        let (applied, _) = self.applied.state.progress();
        info.last_index = applied.map_or(0, |applied| applied.index);
        info.last_term = applied.map_or(0, |applied| applied.term);
    }

    fn fill(&self, info: &mut MemberInfo) {
        if let Some(contact) = self.voice.contact(info.raft_id) {
            info.elects = Some(contact.status.elects);
            info.last_contact = Some(contact.at.elapsed());
            info.hostname = contact.status.hostname;
            info.version = contact.status.version;
            info.last_index = contact.status.applied;
        }
        let data = self.raft.data_metrics();
        let data = data.borrow_watched();
        let matched = data.replication.as_ref();
        if let Some(Some(matched)) = matched.and_then(|all| all.get(&info.raft_id)) {
            info.last_index = matched.index();
            info.last_term = matched.committed_leader_id().term;
        }
    }

    pub(super) fn ensure_leads(&self) -> Result<(), ChangeError> {
        match self.leads() {
            true => Ok(()),
            false => Err(ChangeError::NotLeader),
        }
    }

    /// Takes the place of `old` away, unless it lives on with another key.
    async fn replace(&self, old: &MemberInfo, new: &Peer) -> Result<(), ChangeError> {
        let silence = self.timing.silence();
        let lives = old.last_contact.is_some_and(|ago| ago < silence);
        if lives && old.public_key.0 != new.public_key {
            return Err(ChangeError::Refused(format!(
                "a node named {} is a member already, and alive at {}: give this one another \
                 node_id, or stop that one and remove it first",
                old.name, old.cluster_address
            )));
        }
        if old.name != new.name && (lives || old.raft_id == self.id) {
            return Err(ChangeError::Refused(format!(
                "identity.key is a copy of that of {}: remove it here and start again",
                old.name
            )));
        }
        if old.raft_id == self.id {
            return Err(ChangeError::Refused(format!(
                "{} is the active node and cannot be replaced",
                old.name
            )));
        }
        if old.voter && quorum::is_last_voter(&self.members(), old) {
            return Err(ChangeError::Refused(format!(
                "{} is the last voter and cannot be replaced",
                old.name
            )));
        }
        crate::telemetry::info!(
            name = old.name,
            "a node that started anew replaces its old self"
        );
        self.remove(old).await
    }

    pub(super) async fn remove(&self, member: &MemberInfo) -> Result<(), ChangeError> {
        let ids = BTreeSet::from([member.raft_id]);
        let change = match member.voter {
            true => Changes::RemoveVoters(ids),
            false => Changes::RemoveNodes(ids),
        };
        self.propose(change, false).await?;
        self.see_off(member).await;
        Ok(())
    }

    /// Tells who was removed.
    pub(super) async fn see_off(&self, member: &MemberInfo) {
        if member.raft_id == self.id {
            // There was nobody to hand over to; raft itself finds a voter.
            self.farewell(self.members_index() + 1);
            return;
        }
        let index = self
            .membership()
            .log_id()
            .as_ref()
            .map_or(0, |at| at.index());
        self.say_farewell(member, index).await;
    }

    async fn promote(&self, member: &MemberInfo) -> Result<(), ChangeError> {
        let silence = self.timing.silence();
        if member.last_contact.is_none_or(|ago| ago > silence) {
            return Err(ChangeError::Refused(format!(
                "{} cannot be promoted: it is not reached",
                member.name
            )));
        }
        if member.non_voter {
            self.set_non_voter(member.raft_id, false).await?;
        }
        let ids = BTreeSet::from([member.raft_id]);
        // Of two configurations in force one may have no vote for it.
        match member.voter && !self.is_joint() {
            true => Ok(()),
            false => self.propose(Changes::AddVoterIds(ids), true).await,
        }
    }

    async fn demote(&self, member: &MemberInfo) -> Result<(), ChangeError> {
        self.set_non_voter(member.raft_id, true).await?;
        let ids = BTreeSet::from([member.raft_id]);
        match member.voter {
            true => self.propose(Changes::RemoveVoters(ids), true).await,
            false => Ok(()),
        }
    }

    async fn set_non_voter(&self, id: u64, non_voter: bool) -> Result<(), ChangeError> {
        let peer = self.membership().membership().get_node(&id).cloned();
        let peer = peer.unwrap_or_default();
        self.set_peer(id, Peer { non_voter, ..peer }).await
    }

    /// Writes a member's record down, unless it stands there already.
    pub(super) async fn set_peer(&self, id: u64, peer: Peer) -> Result<(), ChangeError> {
        if self.membership().membership().get_node(&id) == Some(&peer) {
            return Ok(());
        }
        let nodes = BTreeMap::from([(id, peer)]);
        self.propose(Changes::SetNodes(nodes), true).await
    }

    pub(super) fn ensure_raft_leads(&self) -> Result<(), ChangeError> {
        match self.raft.is_leader() {
            true => Ok(()),
            false => Err(ChangeError::NotLeader),
        }
    }

    /// Proposes a change and waits until it is committed.
    pub(super) async fn propose(&self, change: Changes, retain: bool) -> Result<(), ChangeError> {
        let deadline = Instant::now() + CHANGE_WITHIN;
        loop {
            // A change has two steps. Who waits for it may go away between them.
            let (raft, change) = (self.raft.clone(), change.clone());
            let changing =
                crate::task::spawn(async move { raft.change_membership(change, retain).await });
            let left = deadline.saturating_duration_since(Instant::now());
            let changed = tokio::time::timeout(left, changing).await;
            let late = || ChangeError::Unavailable("no quorum answered in time".into());
            let stopped = |_| ChangeError::Unavailable("raft stopped".into());
            let changed = changed.map_err(|_| late())?.map_err(stopped)?;
            match changed.map_err(sort) {
                Ok(_) => break,
                Err(Sorted::Busy) if Instant::now() < deadline => {}
                Err(Sorted::Busy) => return Err(late()),
                Err(Sorted::Final(error)) => return Err(error),
            }
            tokio::time::sleep(CHANGE_RETRY).await;
        }
        Ok(())
    }
}

enum Sorted {
    /// Another change is under way.
    Busy,
    Final(ChangeError),
}

fn sort(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> Sorted {
    let final_error = match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => ChangeError::NotLeader,
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => match error {
            ChangeMembershipError::InProgress(_)
            | ChangeMembershipError::UncommittedLeaderLog(_) => return Sorted::Busy,
            error => ChangeError::Refused(error.to_string()),
        },
        error => ChangeError::Unavailable(error.to_string()),
    };
    Sorted::Final(final_error)
}
