//! All secrets that an unsealed barrier holds, dropped and wiped as one.

use super::BarrierError;
use super::cluster_key::ClusterKey;
use super::join_key::JoinKey;
use super::keyring::Keyring;
use super::mac::MacKey;
use super::names::Names;
use super::record::{self, Parsed, RecordKind};
use super::xchacha::Cipher;
use super::{nonces, reserved};
use crate::secret::{KEY_BYTES, Key256, SecretBytes};
use crate::store::{Revision, Storage};

/// The root key, which seals the keyring, the join key, the check of the recovery key and the
/// hashes of shares.
pub(super) struct RootKey(Cipher);

impl RootKey {
    pub(super) fn new(key: Key256) -> Self {
        Self(Cipher::new(key))
    }

    pub(super) fn generate() -> Self {
        Self::new(Key256::generate())
    }

    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        self.0.key().expose()
    }

    pub(super) fn duplicate(&self) -> Self {
        Self::new(self.0.key().duplicate())
    }

    pub(super) fn seal_keyring(&self, keyring: &Keyring) -> Vec<u8> {
        let nonce = nonces::single();
        record::seal(
            &self.0,
            0,
            &nonce,
            RecordKind::Keyring,
            keyring.encode().expose(),
        )
    }

    pub(super) fn seal_join_key(&self, key: &JoinKey) -> Vec<u8> {
        let inside = key.expose().expose();
        record::seal(&self.0, 0, &nonces::single(), RecordKind::JoinKey, inside)
    }

    pub(super) fn open_join_key(&self, sealed: &[u8]) -> Result<JoinKey, BarrierError> {
        let opened = Parsed::new(sealed)?.open(&self.0, RecordKind::JoinKey)?;
        let key = Key256::from_slice(opened.expose());
        key.map(JoinKey::new)
            .ok_or(BarrierError::Decode("join key"))
    }

    pub(super) fn seal_recovery_check(&self, check: &Key256) -> Vec<u8> {
        let kind = RecordKind::RecoveryKey;
        record::seal(&self.0, 0, &nonces::single(), kind, check.expose())
    }

    pub(super) fn open_recovery_check(&self, sealed: &[u8]) -> Result<Key256, BarrierError> {
        let opened = Parsed::new(sealed)?.open(&self.0, RecordKind::RecoveryKey)?;
        Key256::from_slice(opened.expose()).ok_or(BarrierError::Decode("recovery key"))
    }

    pub(super) fn seal_share_hashes(&self, hashes: &[u8]) -> Vec<u8> {
        let kind = RecordKind::ShareHashes;
        record::seal(&self.0, 0, &nonces::single(), kind, hashes)
    }

    pub(super) fn open_share_hashes(&self, sealed: &[u8]) -> Result<SecretBytes, BarrierError> {
        Parsed::new(sealed)?.open(&self.0, RecordKind::ShareHashes)
    }

    /// Derives a key for `purpose`, as [`MacKey::derive`] does.
    pub(super) fn derive(&self, purpose: &str) -> Key256 {
        MacKey::new(self.0.key()).derive(purpose)
    }

    pub(super) fn opens_keyring(&self, sealed: &[u8]) -> bool {
        self.open_keyring(sealed).is_ok()
    }

    fn open_keyring(&self, sealed: &[u8]) -> Result<Keyring, BarrierError> {
        Keyring::decode(&Parsed::new(sealed)?.open(&self.0, RecordKind::Keyring)?)
    }
}

/// The keys in use.
pub(super) struct Keys {
    pub(super) root_key: RootKey,
    pub(super) keyring: Keyring,
    /// The revision of the keyring record that these keys were read from.
    pub(super) revision: Revision,
    pub(super) names: Names,
    pub(super) mac: MacKey,
    /// The cipher of messages between nodes.
    pub(super) forwarding: Cipher,
    /// The join key by this node's own unsealing, for a store that was sealed before join keys were
    /// kept.
    pub(super) derived_join_key: Option<JoinKey>,
}

impl Keys {
    pub(super) fn new(root_key: RootKey, keyring: Keyring, revision: Revision) -> Self {
        let derivation = MacKey::new(&keyring.derivation_key);
        Self {
            names: Names::new(&keyring.path_key),
            mac: MacKey::new(&derivation.derive("keyed hashes")),
            forwarding: Cipher::new(ClusterKey::Forwarding.derive(&derivation)),
            derived_join_key: None,
            root_key,
            keyring,
            revision,
        }
    }

    /// Reads the keyring from `storage`.
    pub(super) fn load(storage: &dyn Storage, root_key: RootKey) -> Result<Self, BarrierError> {
        let record = storage.get(reserved::KEYRING)?;
        let record = record.ok_or(BarrierError::NotInitialized)?;
        let keyring = root_key.open_keyring(&record.value)?;
        Ok(Self::new(root_key, keyring, record.revision))
    }
}
