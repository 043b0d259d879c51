//! The cluster as the endpoints see it, over the replicated store.

use super::shared::Shared;
use crate::raft::{Change, ChangeError, MemberInfo, RaftStorage};
use crate::store::BoxFuture;
use crate::sys::{
    Challenge, Cluster, JoinAnswer, JoinRequest, JoinTokenMade, MemberChange, MemberError,
    MemberStatus, Membership, TOKEN_ID_BYTES,
};
use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// A handle on the cluster that keeps no node alive: the router that holds it belongs to the node.
pub(super) struct ClusterPort(Weak<Shared>);

impl Shared {
    /// Returns the cluster of this node; `None` for a store without other nodes.
    pub(super) fn cluster(self: &Arc<Self>) -> Option<Arc<dyn Cluster>> {
        self.leadership.raft()?;
        Some(Arc::new(ClusterPort(Arc::downgrade(self))))
    }
}

impl ClusterPort {
    fn node(&self) -> Result<Arc<Shared>, MemberError> {
        let shared = self.0.upgrade();
        shared.ok_or_else(|| MemberError::Unavailable("the node is stopping".into()))
    }

    fn raft(&self) -> Result<Arc<RaftStorage>, MemberError> {
        let raft = self.node()?.leadership.raft().cloned();
        raft.ok_or_else(|| MemberError::Unavailable("this store has no members".into()))
    }
}

impl Cluster for ClusterPort {
    fn membership(&self) -> Membership {
        let (Ok(node), Ok(raft)) = (self.node(), self.raft()) else {
            return Membership::default();
        };
        let seen_twice = node.seen_twice.borrow();
        let non_secret = node.non_secret_members().unwrap_or_else(|error| {
            tracing::error!(%error, "the record of non-secret members cannot be read");
            BTreeSet::new()
        });
        let members = raft.members().into_iter().map(|member| MemberStatus {
            seen_twice: seen_twice.contains(&member.public_key),
            non_secret: non_secret.contains(&member.raft_id),
            ..status(member)
        });
        Membership {
            index: raft.members_index(),
            members: members.collect(),
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        match self.raft() {
            Ok(raft) => raft.members_at(),
            Err(_) => watch::channel(0).1,
        }
    }

    fn change_member(
        &self,
        node_id: String,
        change: MemberChange,
    ) -> BoxFuture<'_, Result<(), MemberError>> {
        Box::pin(async move {
            let change = match change {
                MemberChange::Remove { force } => Change::Remove { force },
                MemberChange::Promote => Change::Promote,
                MemberChange::Demote => Change::Demote,
            };
            self.raft()?.change(&node_id, change).await.map_err(refusal)
        })
    }

    fn join(&self, request: JoinRequest) -> BoxFuture<'_, Result<bool, MemberError>> {
        Box::pin(async move { self.node()?.join(request).await })
    }

    fn make_join_token(&self, ttl: Duration) -> Result<JoinTokenMade, MemberError> {
        self.node()?.make_join_token(ttl)
    }

    fn challenge(
        &self,
        node_id: String,
        token: Option<[u8; TOKEN_ID_BYTES]>,
    ) -> BoxFuture<'_, Result<Challenge, MemberError>> {
        Box::pin(async move { self.node()?.challenge_joiner(&node_id, token.as_ref()) })
    }

    fn answer(&self, answer: JoinAnswer) -> BoxFuture<'_, Result<Vec<u8>, MemberError>> {
        Box::pin(async move { self.node()?.judge_joiner(answer).await })
    }
}

fn refusal(error: ChangeError) -> MemberError {
    match error {
        ChangeError::Refused(why) => MemberError::Refused(why),
        ChangeError::NotLeader | ChangeError::Unavailable(_) => {
            MemberError::Unavailable(error.to_string())
        }
    }
}

fn status(member: MemberInfo) -> MemberStatus {
    MemberStatus {
        node_id: member.name,
        raft_id: member.raft_id,
        address: member.cluster_address,
        api_address: member.api_address,
        leader: member.leader,
        voter: member.voter,
        non_voter: member.non_voter,
        non_secret: false,
        unsealed: member.elects,
        last_contact: member.last_contact,
        last_term: member.last_term,
        last_index: member.last_index,
        hostname: member.hostname,
        version: member.version,
        seen_twice: false,
    }
}
