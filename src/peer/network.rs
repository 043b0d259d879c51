//! The seam: calls and streams between members.

use crate::stream::Chunks;
use crate::task::BoxFuture;
use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// The protocol of a connection; each has its own ALPN name and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Consensus: `coffer-raft/1`.
    Raft,
    /// Requests of clients on their way to the active node: `coffer-forward/1`.
    Forward,
}

/// A node's identity: a DER SubjectPublicKeyInfo.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct PublicKey(pub Bytes);

impl fmt::Debug for PublicKey {
    /// Formats the end of the key: the beginning is the same for all keys of a kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = self.0.len().saturating_sub(6);
        write!(f, "{}", hex::encode(self.0.get(tail..).unwrap_or_default()))
    }
}

/// A node to speak to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// The operator's `node_id`, for messages.
    pub name: String,
    /// `host:port` of the node's cluster listener.
    pub address: String,
    /// The node's pinned key.
    pub public_key: PublicKey,
}

/// The reason for which a call got no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// Not now: no connection could be made, or it broke before the answer. Where something was
    /// sent, the other side may or may not have acted.
    #[error("{name} at {address}: {reason}")]
    Unreachable {
        /// The member's name.
        name: String,
        /// The member's address.
        address: String,
        /// The reason, in words for the log.
        reason: String,
        /// False when certainly nothing of the request was sent.
        sent: bool,
    },
    /// Not now: no answer in time; the other side may or may not have acted.
    #[error("{0} did not answer in time")]
    TimedOut(String),
    /// Not now: too much is waiting for that member already. Nothing was sent.
    #[error("too many calls wait for {0}")]
    Busy(String),
    /// The caller's fault: the node is not, or is no longer, a member.
    #[error("{0} is not a member")]
    NotMember(String),
    /// The other side refused, in its words.
    #[error("{0}")]
    Refused(String),
}

/// Calls and streams to members. Cheap to share.
pub trait Network: Send + Sync + 'static {
    /// Sends one request and returns its answer, within `within`.
    fn call(
        &self,
        to: &Member,
        protocol: Protocol,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>>;

    /// Sends `head` and then all of `body`, as fast as the other side takes it, and returns the
    /// answer. Fails when nothing moves for `stalled`.
    fn stream(
        &self,
        to: &Member,
        protocol: Protocol,
        head: Bytes,
        body: Chunks,
        stalled: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>>;

    /// Returns true when a connection to `to` is refused now: its machine answers, and no process
    /// listens there. False when that is not certain, as in a network that cannot tell.
    fn is_refused(&self, _to: &Member) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(false))
    }

    /// Sets the members. Connections of all other nodes are cut before this returns.
    fn set_members(&self, members: Vec<Member>);

    /// Sets the service that answers a protocol. Until then calls of the protocol are refused.
    fn serve(&self, protocol: Protocol, service: std::sync::Weak<dyn Service>);
}

/// Answers calls of members.
pub trait Service: Send + Sync + 'static {
    /// Answers one call. `Err` reaches the caller as [`CallError::Refused`].
    fn call(&self, from: PublicKey, request: Bytes) -> BoxFuture<'_, Result<Bytes, String>>;

    /// Takes a stream and answers at its end, or earlier to refuse it.
    fn stream(
        &self,
        from: PublicKey,
        head: Bytes,
        body: Chunks,
    ) -> BoxFuture<'_, Result<Bytes, String>>;

    /// Takes note of the end of a connection on which `from` called.
    fn parted(&self, _from: &PublicKey) {}
}
