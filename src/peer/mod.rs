//! The network between members: access to it, and calls and streams from one member to another.
//!
//! Owns the seam [`Network`] (calls and streams to a member) and [`Service`] (the answers to them).
//! Consensus and forwarding are written against these two, so that a test can put a network of its
//! own making between nodes.
//!
//! Invariants
//! - A member is its public key. Addresses only tell where to look for it.
//! - A node that is not a member is not heard, and a removed member's connections are cut at once.
//! - More than one process with a member's key is noticed, not hindered: the operator decides which
//!   of them is right.
//! - Everything is bounded: frames, calls in flight, bytes that wait to be sent.
//!
//! [`Peers`] is the network over TCP: mutual TLS 1.3 with raw public keys (RFC 7250), each side
//! pinned by its Ed25519 key ([`Identity`]), so that no certificate and no date is asked for. A
//! pair of nodes has up to four connections each way, made by the first call that needs one: for
//! each protocol one for calls and one for streams. On each, frames of many calls are mixed.
//! Nothing is sent and no task wakes up while there is no call. [`Memory`] is a network without
//! sockets, for tests.
//!
//! It never looks into the messages that it carries, and knows no terms, votes or secrets.

mod assembly;
mod drive;
mod error;
mod frame;
mod identity;
mod inbound;
mod inner;
mod knocking;
mod limits;
mod line;
mod link;
mod memory;
mod network;
mod outbox;
mod peers;
mod presence;
pub mod probe;
mod roster;
mod served;
mod tls;
mod window;

pub use error::PeerError;
pub use identity::{IDENTITY_FILE, Identity};
pub use limits::{Limits, MESSAGE_BYTES_MAX};
pub use memory::{Memory, MemoryNode, Way};
pub use network::{CallError, Member, Network, Protocol, PublicKey, Service};
pub use peers::Peers;
pub use presence::{AllSeenTwice, SeenTwice};

#[cfg(test)]
mod tests;
