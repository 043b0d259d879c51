//! Proof of the keys, apart from membership.
//!
//! Membership says which nodes are replicas. A stolen card is a member, too, so every act that only
//! an unsealed node may do takes a signature that a card alone cannot make. The *cluster key* is an
//! Ed25519 key whose private half every unsealed node derives from its keyring; its public half is
//! known to all, sealed ones included.
//!
//! | proof | says | covers |
//! |---|---|---|
//! | standing | this member is unsealed | cluster key, raft id, pinned key |
//! | mandate | this member may lead in this term | cluster key, term, raft id, pinned key |
//! | roster | these are the members | cluster key, position of the entry, members |
//!
//! Invariants
//! - No proof is ever written to disk: a card must not carry one away.
//! - A node that was once told a cluster key accepts nothing unproven again, not after a restart
//!   either (`cluster.key` in the data directory).
//! - A failed check costs its sender time, not this node: each member has one wrong proof checked
//!   in [`RETRY`].
//!
//! It never sees a private key: [`Signer`] is the seam to its holder.

mod book;
mod file;
mod hints;
mod statement;

pub(in crate::raft) use book::{ProofBook, Refused};
pub(in crate::raft) use hints::Hints;

#[cfg(test)]
pub(in crate::raft) use statement::mandate as mandate_for_test;

use std::fmt;
use std::time::Duration;

/// Length of an Ed25519 signature, in bytes.
pub const SIGNATURE_BYTES: usize = 64;
/// Limits checks after a wrong proof: a member's next one waits for this long.
const RETRY: Duration = Duration::from_millis(50);

/// The public half of the cluster's signing key, as RFC 8032 encodes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClusterPublicKey(pub [u8; 32]);

impl fmt::Debug for ClusterPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third, ..] = self.0;
        write!(f, "ClusterPublicKey({first:02x}{second:02x}{third:02x}..)")
    }
}

/// Holds the private half of the cluster's signing key, while the node is unsealed.
pub trait Signer: Send + Sync {
    /// Returns the public half.
    fn cluster_key(&self) -> ClusterPublicKey;

    /// Signs `statement`.
    fn sign(&self, statement: &[u8]) -> [u8; SIGNATURE_BYTES];
}
