//! Lists and changes the members.

use super::error::ChangeError;
use super::member::MemberInfo;
use super::quorum;
use crate::peer::PublicKey;
use crate::raft::running::shared::Shared;
use crate::raft::wire::types::{Peer, TypeConfig};
use bytes::Bytes;
use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Limits the time until a change of the members is committed.
const CHANGE_WITHIN: Duration = Duration::from_secs(10);
/// The time between attempts while another change is under way.
const CHANGE_RETRY: Duration = Duration::from_millis(50);

pub(in crate::raft) type Changes = ChangeMembers<u64, Peer>;

impl Shared {
    /// Returns the index of the entry that made the membership in force.
    pub(in crate::raft) fn members_index(&self) -> u64 {
        let stored = self.membership();
        stored.log_id().as_ref().map_or(0, |id| id.index())
    }

    pub(in crate::raft) fn members(&self) -> Vec<MemberInfo> {
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

    pub(in crate::raft) fn ensure_leads(&self) -> Result<(), ChangeError> {
        match self.leads() {
            true => Ok(()),
            false => Err(ChangeError::NotLeader),
        }
    }

    /// Removes `old`, whose name or key `new` has. Refuses when that node is alive under another
    /// name or with another key, is this node, or is the last voter.
    pub(in crate::raft) async fn replace(
        &self,
        old: &MemberInfo,
        new: &Peer,
    ) -> Result<(), ChangeError> {
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

    pub(in crate::raft) async fn remove(&self, member: &MemberInfo) -> Result<(), ChangeError> {
        let ids = BTreeSet::from([member.raft_id]);
        let change = match member.voter {
            true => Changes::RemoveVoters(ids),
            false => Changes::RemoveNodes(ids),
        };
        self.propose(change, false).await?;
        self.see_off(member).await;
        Ok(())
    }

    /// Tells a member that it was removed.
    pub(in crate::raft) async fn see_off(&self, member: &MemberInfo) {
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

    pub(in crate::raft) async fn promote(&self, member: &MemberInfo) -> Result<(), ChangeError> {
        let silence = self.timing.silence();
        if member.last_contact.is_none_or(|ago| ago > silence) {
            return Err(ChangeError::Refused(format!(
                "{} cannot be promoted: it is not reached",
                member.name
            )));
        }
        if !self.knows_members(member.raft_id) {
            return Err(ChangeError::Refused(format!(
                "{} cannot be promoted: the log has not reached it yet",
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

    /// Returns true when the member has acknowledged the log up to the members in force, on the
    /// leader. One that has not does not know whom to ask for their votes.
    fn knows_members(&self, id: u64) -> bool {
        let data = self.raft.data_metrics();
        let data = data.borrow_watched();
        let matched = data.replication.as_ref().and_then(|all| all.get(&id));
        let matched = matched.and_then(Option::as_ref).map(|at| at.index());
        id == self.id || matched >= Some(self.members_index())
    }

    pub(in crate::raft) async fn demote(&self, member: &MemberInfo) -> Result<(), ChangeError> {
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

    /// Writes a member's record into the membership, unless it is there already.
    pub(in crate::raft) async fn set_peer(&self, id: u64, peer: Peer) -> Result<(), ChangeError> {
        if self.membership().membership().get_node(&id) == Some(&peer) {
            return Ok(());
        }
        let nodes = BTreeMap::from([(id, peer)]);
        self.propose(Changes::SetNodes(nodes), true).await
    }

    pub(in crate::raft) fn ensure_raft_leads(&self) -> Result<(), ChangeError> {
        match self.raft.is_leader() {
            true => Ok(()),
            false => Err(ChangeError::NotLeader),
        }
    }

    /// Proposes a change and waits until it is committed, and until this node's own account shows
    /// it.
    pub(in crate::raft) async fn propose(
        &self,
        change: Changes,
        retain: bool,
    ) -> Result<(), ChangeError> {
        let deadline = Instant::now() + CHANGE_WITHIN;
        loop {
            // A change has two steps. The caller that waits for it may go away between them.
            let (raft, change) = (self.raft.clone(), change.clone());
            let changing =
                crate::task::spawn(async move { raft.change_membership(change, retain).await });
            let left = deadline.saturating_duration_since(Instant::now());
            let changed = tokio::time::timeout(left, changing).await;
            let late = || ChangeError::Unavailable("no quorum answered in time".into());
            let stopped = |_| ChangeError::Unavailable("raft stopped".into());
            let changed = changed.map_err(|_| late())?.map_err(stopped)?;
            match changed.map_err(sort) {
                Ok(done) => {
                    self.see_members(done.log_id.index(), deadline).await;
                    return Ok(());
                }
                Err(Sorted::Busy) if Instant::now() < deadline => {}
                Err(Sorted::Busy) => return Err(late()),
                Err(Sorted::Final(error)) => return Err(error),
            }
            tokio::time::sleep(CHANGE_RETRY).await;
        }
    }

    /// Waits until raft's account of the members is that of the entry at `index` or a later one:
    /// raft may answer a caller just before it publishes what it did.
    async fn see_members(&self, index: u64, deadline: Instant) {
        let mut metrics = self.raft.server_metrics();
        let seen = async {
            while self.members_index() < index {
                if metrics.changed().await.is_err() {
                    return;
                }
            }
        };
        let left = deadline.saturating_duration_since(Instant::now());
        drop(tokio::time::timeout(left, seen).await);
    }
}

enum Sorted {
    /// Another change is under way; it is tried again.
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
