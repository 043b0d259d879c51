//! Becoming a member of another node's cluster, and taking others in.
//!
//! ```text
//! idle -> trying -> waiting for unseal keys -> answering -> member, sealed -> standby
//!           ^  |                                  |  |
//!           +--+ every 2 s, all places at once    +--+ likewise, with the keys kept
//! ```
//!
//! The joiner asks for a challenge, which also tells how many unseal keys there are; with the keys
//! it asks for a fresh one and answers it ([`crate::barrier::JoinKey`]). The leader then adds it as
//! a member without a vote and tells it the members to hear; the store arrives through consensus,
//! and the keys that were given open it.
//!
//! Invariants
//! - A node that is in a cluster never joins another.
//! - The joiner believes a reply only when it was sealed by a holder of the unseal keys; the leader
//!   believes an answer only when it proves the same, once.
//! - A live node keeps its name: only one that is not heard of any more is replaced.
//! - While the operator fetches the keys, nothing runs.
//! - A join token stands in for the keys for a node that is never to have them: it lets one node
//!   in, once, and takes no other member's place.

mod asking;
mod conversation;
mod gatekeeper;
mod joiner;
mod joining;
mod leader;
mod place;
mod server;
mod survey;
mod token;

pub(super) use gatekeeper::Gatekeeper;
pub(super) use joining::Joiner;
pub(super) use place::JoinTarget;
