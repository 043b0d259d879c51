//! Keys that all unsealed nodes of a cluster have in common, for rooms that need one of their own.
//!
//! ```text
//! cluster key  HMAC-SHA256 by the keyring's derivation key: "coffer key cluster " | label
//! ```
//!
//! The derivation key never changes, so a rotation leaves cluster keys alone, and nothing more has
//! to be stored or handed to a node that joins: every unsealed node has them. A sealed node has
//! none, and a snapshot of another cluster brings that cluster's.

use super::mac::MacKey;
use crate::secret::Key256;

/// The purpose of a cluster key. Keys for different purposes are independent of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterKey {
    /// The seed of the Ed25519 key by which an unsealed node proves that it may lead.
    Leadership,
    /// Seals requests of clients between a standby and the active node.
    Forwarding,
}

impl ClusterKey {
    /// Returns the purpose's name in the derivation: never changed, never used for anything else.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Leadership => "leadership",
            Self::Forwarding => "forwarding",
        }
    }

    pub(super) fn derive(self, derivation: &MacKey) -> Key256 {
        derivation.derive(&format!("cluster {}", self.label()))
    }
}
