//! The network between members: who may speak, and how bytes get from one to another.
//!
//! Owns the seam [`Network`] (calls and streams to a member) and [`Service`] (what answers them).
//! Consensus and forwarding are written against these two, so that a test can put a network of its
//! own making between nodes.
//!
//! Invariants
//! - A member is its public key. Addresses only say where to look for it.
//! - Who is not a member is not heard, and a connection of somebody who was removed is cut at once.
//! - Everything is bounded: frames, calls in flight, what waits to be sent.
//!
//! It never looks into what it carries, and knows no terms, votes or secrets.

mod assembly;
mod drive;
mod error;
mod frame;
mod identity;
mod inbound;
mod limits;
mod line;
mod link;
mod memory;
mod network;
mod outbox;
mod peers;
mod roster;
mod served;
mod tls;
mod window;

pub use error::PeerError;
pub use identity::{IDENTITY_FILE, Identity};
pub use limits::{Limits, MESSAGE_BYTES_MAX};
pub use memory::{Memory, MemoryNode, Way};
pub use network::{BoxFuture, CallError, Chunks, Member, Network, Protocol, PublicKey, Service};
pub use peers::Peers;

#[cfg(test)]
mod tests;
