//! What the endpoints under `sys/storage/raft/` need of the node. `node` implements it.

use crate::secret::SecretString;
use crate::store::BoxFuture;
use std::time::Duration;

/// One member as lists and autopilot show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberStatus {
    /// The operator's `node_id`.
    pub node_id: String,
    /// Its number in the log.
    pub raft_id: u64,
    /// `host:port` of its cluster listener.
    pub address: String,
    /// `http://192.168.50.101:8200`.
    pub api_address: String,
    /// It leads.
    pub leader: bool,
    /// It votes.
    pub voter: bool,
    /// It was asked to stay without a vote.
    pub non_voter: bool,
    /// It has its keys; `None` when it was not heard of.
    pub unsealed: Option<bool>,
    /// Since the leader heard of it last; `None`: never, or not asked of the leader. Zero for
    /// the leader itself.
    pub last_contact: Option<Duration>,
    /// Term of the last entry that it is known to hold.
    pub last_term: u64,
    /// Index of the last entry that it is known to hold.
    pub last_index: u64,
    /// Its host's name.
    pub hostname: String,
    /// Its version.
    pub version: String,
    /// More than one process uses its key.
    pub seen_twice: bool,
}

/// All members, as this node knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Index of the entry that made it.
    pub index: u64,
    /// Sorted by `node_id`.
    pub members: Vec<MemberStatus>,
}

/// Why a change of the members failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MemberError {
    /// The client's: the message says what is wrong and what to do. Nothing changed.
    #[error("{0}")]
    Refused(String),
    /// Not now: this node does not lead, or a quorum did not answer.
    #[error("{0}")]
    Unavailable(String),
}

/// A change of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// Out of the cluster. `force` skips the arithmetic that protects the quorum.
    Remove {
        /// See there.
        force: bool,
    },
    /// A vote.
    Promote,
    /// No vote any more, until it is promoted.
    Demote,
}

/// The leader's answer to whoever wants to join: how the cluster is sealed, and a riddle that only
/// its unseal keys solve.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// The cluster's seal: shares and threshold.
    pub seal: crate::barrier::SealRecord,
    /// Opaque; comes back in the answer.
    pub challenge: Vec<u8>,
}

/// What a joiner proves and says of itself.
#[derive(Clone, Debug, Default)]
pub struct JoinAnswer {
    /// Its `node_id`.
    pub node_id: String,
    /// The challenge as it was given.
    pub challenge: Vec<u8>,
    /// Proof that the joiner holds the unseal keys, over everything it says (opaque to `sys`).
    pub proof: Vec<u8>,
    /// What it says of itself (opaque to `sys`).
    pub statement: Vec<u8>,
}

/// `sys/storage/raft/join`, as the client asks.
#[derive(Debug, Default)]
pub struct JoinRequest {
    /// `http://192.168.50.101:8200`.
    pub leader_api_addr: String,
    /// `provider=mdns ...` instead of an address.
    pub auto_join: String,
    /// `https` or `http` for what is discovered.
    pub auto_join_scheme: String,
    /// API port of what is discovered.
    pub auto_join_port: u16,
    /// PEM.
    pub leader_ca_cert: String,
    /// PEM.
    pub leader_client_cert: String,
    /// PEM.
    pub leader_client_key: Option<SecretString>,
    /// The name that the leader's certificate must bear.
    pub leader_tls_servername: String,
    /// Go on in the background until it works.
    pub retry: bool,
    /// Stay without a vote.
    pub non_voter: bool,
}

/// The cluster as the endpoints see it. Who calls was authorized by the router where the path is
/// not open.
pub trait Cluster: Send + Sync {
    /// Members; on the leader with contacts and positions.
    fn membership(&self) -> Membership;

    /// Changes one member, by its `node_id`. Removing who is not there is no error.
    fn change_member(
        &self,
        node_id: String,
        change: MemberChange,
    ) -> BoxFuture<'_, Result<(), MemberError>>;

    /// Joins another cluster. True when it is done, or was before.
    fn join(&self, request: JoinRequest) -> BoxFuture<'_, Result<bool, MemberError>>;

    /// On the active node: a riddle for a joiner of this name.
    fn challenge(&self, node_id: String) -> BoxFuture<'_, Result<Challenge, MemberError>>;

    /// On the active node: checks the answer and adds the joiner. What it needs to know of the
    /// cluster, opaque to `sys`.
    fn answer(&self, answer: JoinAnswer) -> BoxFuture<'_, Result<Vec<u8>, MemberError>>;
}
