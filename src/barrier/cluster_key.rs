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
use super::{BarrierError, Batch, Sealed, Unsealed, reserved};
use crate::secret::Key256;
use crate::store::Key;
use bytes::Bytes;

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

impl Sealed {
    /// Reads the public half of the cluster's signing key.
    ///
    /// # Errors
    /// [`BarrierError::Read`], [`BarrierError::Decode`].
    pub fn published_key(&self) -> Result<PublishedKey, BarrierError> {
        let Some(record) = self.storage().get(reserved::CLUSTER_KEY)? else {
            return Ok(PublishedKey::Never);
        };
        if record.value.is_empty() {
            return Ok(PublishedKey::Void);
        }
        let key = <[u8; 32]>::try_from(&record.value[..]);
        key.map(PublishedKey::Key)
            .map_err(|_| BarrierError::Decode("the cluster's public key"))
    }
}

/// The public half of the cluster's signing key, as a store has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishedKey {
    /// No key: a release before proofs of the keys made the store.
    Never,
    /// No key, and the one that was known before is void: another cluster's snapshot was restored,
    /// and that cluster published none.
    Void,
    /// The public half.
    Key([u8; 32]),
}

/// Returns the record that makes the key known so far void.
pub(super) fn void_cluster_key() -> (Key, Bytes) {
    (Key::from_static(reserved::CLUSTER_KEY), Bytes::new())
}

impl Batch {
    /// Adds the public half of the cluster's signing key, readable while sealed.
    pub fn publish_cluster_key(&mut self, public: &[u8; 32]) {
        self.put_raw(reserved::CLUSTER_KEY, public.to_vec());
    }
}

impl Unsealed {
    /// Returns the cluster's key for `purpose`: the same on all unsealed nodes, before and after a
    /// rotation. It is wiped when the caller drops it, and no copy is kept here.
    ///
    /// # Errors
    /// [`BarrierError::Sealed`].
    pub fn cluster_key(&self, purpose: ClusterKey) -> Result<Key256, BarrierError> {
        let keys = self.keys()?;
        Ok(purpose.derive(&MacKey::new(&keys.keyring.derivation_key)))
    }
}
