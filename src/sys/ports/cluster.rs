//! The port to the cluster, which the endpoints under `sys/storage/raft/` need of the node. `node`
//! implements it.

use crate::clock::Timestamp;
use crate::secret::SecretString;
use crate::store::BoxFuture;
use std::time::Duration;
use tokio::sync::watch;

/// One member as lists and autopilot show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberStatus {
    /// The operator's `node_id`.
    pub node_id: String,
    /// Number of the member in the log.
    pub raft_id: u64,
    /// Address of its cluster listener, `host:port`.
    pub address: String,
    /// Address of its API, such as `http://192.168.50.101:8200`.
    pub api_address: String,
    /// True for the leader.
    pub leader: bool,
    /// True for a voter.
    pub voter: bool,
    /// True for a member that was asked to stay without a vote.
    pub non_voter: bool,
    /// True for a member that joined with a token and is never unsealed.
    pub non_secret: bool,
    /// True for a member that has its keys; `None` when it was not heard of.
    pub unsealed: Option<bool>,
    /// Time since the leader heard of it last; `None`: never, or not asked of the leader. Zero for
    /// the leader itself.
    pub last_contact: Option<Duration>,
    /// Term of the last entry that it is known to hold.
    pub last_term: u64,
    /// Index of the last entry that it is known to hold.
    pub last_index: u64,
    /// Name of its host.
    pub hostname: String,
    /// Version that it runs.
    pub version: String,
    /// True when more than one process uses its key.
    pub seen_twice: bool,
}

/// All members, as this node knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Index of the entry that made it.
    pub index: u64,
    /// The members, sorted by `node_id`.
    pub members: Vec<MemberStatus>,
}

/// The reasons for which a change of the members fails.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MemberError {
    /// The client's fault: the message says what is wrong and what to do. Nothing changed.
    #[error("{0}")]
    Refused(String),
    /// Not possible now: this node does not lead, or a quorum did not answer.
    #[error("{0}")]
    Unavailable(String),
}

/// A change of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// The member leaves the cluster. `force` skips the arithmetic that protects the quorum.
    Remove {
        /// True to skip that arithmetic.
        force: bool,
    },
    /// The member gets a vote.
    Promote,
    /// The member has no vote any more, until it is promoted.
    Demote,
}

/// The leader's answer to a node that wants to join: the seal of the cluster, and a challenge that
/// only its unseal keys solve.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// The cluster's seal: shares and threshold.
    pub seal: crate::barrier::SealRecord,
    /// The challenge, opaque to `sys`; it comes back in the answer.
    pub challenge: Vec<u8>,
}

/// A token that was made, with which one node joins that is never to be unsealed.
#[derive(Debug)]
pub struct JoinTokenMade {
    /// The text for the operator.
    pub token: SecretString,
    /// The time from which it is good no more.
    pub expires: Timestamp,
}

/// The number of bytes of a join token's id.
pub const TOKEN_ID_BYTES: usize = 16;

/// The proof of a joiner, with its statement about itself.
#[derive(Clone, Debug, Default)]
pub struct JoinAnswer {
    /// The `node_id` of the joiner.
    pub node_id: String,
    /// The challenge as it was given.
    pub challenge: Vec<u8>,
    /// Proof that the joiner holds the unseal keys, over everything it says (opaque to `sys`).
    pub proof: Vec<u8>,
    /// The joiner's statement about itself (opaque to `sys`).
    pub statement: Vec<u8>,
    /// The id of the join token that the proof is made with; `None` for the unseal keys.
    pub token: Option<[u8; TOKEN_ID_BYTES]>,
}

/// The request to `sys/storage/raft/join`, as the client sends it.
#[derive(Debug, Default)]
pub struct JoinRequest {
    /// Address of the leader's API, such as `http://192.168.50.101:8200`.
    pub leader_api_addr: String,
    /// An auto-join configuration, `provider=mdns ...`, instead of an address.
    pub auto_join: String,
    /// Scheme of discovered addresses, `https` or `http`.
    pub auto_join_scheme: String,
    /// API port of discovered addresses.
    pub auto_join_port: u16,
    /// Certificates that sign the leader's, as PEM.
    pub leader_ca_cert: String,
    /// Certificate of the client, as PEM.
    pub leader_client_cert: String,
    /// Key of the client's certificate, as PEM.
    pub leader_client_key: Option<SecretString>,
    /// The name that the leader's certificate must bear.
    pub leader_tls_servername: String,
    /// True to go on in the background until it works.
    pub retry: bool,
    /// True to stay without a vote.
    pub non_voter: bool,
    /// A token to join with at once, in place of unseal keys.
    pub join_token: Option<SecretString>,
}

/// The cluster as the endpoints see it. The router has authorized the caller where the path is not
/// open.
pub trait Cluster: Send + Sync {
    /// Returns the members; on the leader with contacts and positions.
    fn membership(&self) -> Membership;

    /// Follows the members: [`Membership::index`] after each change. [`Cluster::membership`] shows
    /// a change before it is told here.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Changes one member, by its `node_id`. Removing one that is not there is no error.
    fn change_member(
        &self,
        node_id: String,
        change: MemberChange,
    ) -> BoxFuture<'_, Result<(), MemberError>>;

    /// Joins another cluster. Returns true when it is done, or was before.
    fn join(&self, request: JoinRequest) -> BoxFuture<'_, Result<bool, MemberError>>;

    /// Makes a token with which one node joins that is never to be unsealed, on the active node.
    fn make_join_token(&self, ttl: Duration) -> Result<JoinTokenMade, MemberError>;

    /// Returns a challenge for a joiner of this name, on the active node: for one that has the
    /// token of that id, or else the unseal keys.
    fn challenge(
        &self,
        node_id: String,
        token: Option<[u8; TOKEN_ID_BYTES]>,
    ) -> BoxFuture<'_, Result<Challenge, MemberError>>;

    /// Checks the answer and adds the joiner, on the active node. Returns what the joiner needs to
    /// know of the cluster, opaque to `sys`.
    fn answer(&self, answer: JoinAnswer) -> BoxFuture<'_, Result<Vec<u8>, MemberError>>;
}
