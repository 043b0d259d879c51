//! The public half of the cluster's signing key, as a record that is readable while sealed; and the
//! cluster's keys of an unsealed barrier.

use super::cluster_key::ClusterKey;
use super::mac::MacKey;
use super::{BarrierError, Batch, Sealed, Unsealed, reserved};
use crate::secret::Key256;
use crate::store::Key;
use bytes::Bytes;

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
