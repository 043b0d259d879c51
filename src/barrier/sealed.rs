//! The barrier at rest: public parameters and sealed keys, nothing that decrypts.

use super::join_key::JoinKey;
use super::keyring::Keyring;
use super::keys::{Keys, RootKey};
use super::record::{self, Parsed, RecordKind};
use super::xchacha::Cipher;
use super::{BarrierError, Batch, SealRecord, Unsealed, nonces, reserved};
use crate::clock::Timestamp;
use crate::secret::Key256;
use crate::store::{Revision, Storage};
use std::sync::Arc;

/// A store whose keys are not in memory. Becomes an [`Unsealed`] by the right seal key only.
pub struct Sealed {
    storage: Arc<dyn Storage>,
}

/// A barrier whose keys exist in memory only, until `batch` is committed through it.
pub struct Fresh {
    /// The barrier. Its views are empty; build the records that must exist from the start.
    pub barrier: Arc<Unsealed>,
    /// The keyring and its seals, with preconditions that no other exists. Append the records of
    /// the first moment (root token, default mounts) and commit all as one entry:
    /// [`crate::store::CommitError::Conflict`] means that another node initialised meanwhile.
    pub batch: Batch,
}

impl Sealed {
    /// Makes a sealed barrier over `storage`, which is not read yet.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage }
    }

    /// Returns the storage below.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// Returns true once a keyring exists.
    pub fn is_initialized(&self) -> Result<bool, BarrierError> {
        Ok(self.storage.get(reserved::KEYRING)?.is_some())
    }

    /// Reads the record of the seal key's holders; `None` before initialization.
    pub fn seal_record(&self) -> Result<Option<SealRecord>, BarrierError> {
        match self.storage.get(reserved::SEAL_CONFIG)? {
            Some(record) => SealRecord::decode(&record.value).map(Some),
            None => Ok(None),
        }
    }

    /// Makes root key and keyring; `record` names the holders of `seal_key`. Nothing is written
    /// before [`Fresh::batch`] is committed, so a power cut leaves either nothing or a whole,
    /// usable start.
    pub fn initialize(
        &self,
        seal_key: &Key256,
        record: impl Into<SealRecord>,
        now: Timestamp,
    ) -> Result<Fresh, BarrierError> {
        if self.is_initialized()? {
            return Err(BarrierError::AlreadyInitialized);
        }
        let root_key = RootKey::generate();
        let keyring = Keyring::generate(now);
        let mut batch = Batch::new();
        for key in [reserved::SEAL_CONFIG, reserved::ROOT_KEY, reserved::KEYRING] {
            batch.expect_raw(key, Revision(0));
        }
        seal_root_key(&mut batch, &root_key, seal_key, &record.into())?;
        batch.put_raw(reserved::KEYRING, root_key.seal_keyring(&keyring));
        let keys = Keys::new(root_key, keyring, Revision(0));
        let barrier = Unsealed::with_keys(Arc::clone(&self.storage), keys);
        Ok(Fresh { barrier, batch })
    }

    /// Opens the root key with `seal_key` and the keyring with the root key.
    pub fn unseal(&self, seal_key: &Key256) -> Result<Arc<Unsealed>, BarrierError> {
        let root_key = self.open_root_key(seal_key)?;
        let mut keys = Keys::load(&*self.storage, RootKey::new(root_key))?;
        keys.derived_join_key = Some(JoinKey::of_seal_key(seal_key));
        let barrier = Unsealed::with_keys(Arc::clone(&self.storage), keys);
        barrier.adopt_usage()?;
        Ok(barrier)
    }

    /// Checks that `seal_key` is the store's; [`BarrierError::WrongSealKey`] when it is not. For
    /// acts of the share holders other than unsealing.
    pub fn check(&self, seal_key: &Key256) -> Result<(), BarrierError> {
        self.open_root_key(seal_key).map(drop)
    }

    fn open_root_key(&self, seal_key: &Key256) -> Result<Key256, BarrierError> {
        let record = self.storage.get(reserved::ROOT_KEY)?;
        let sealed = record.ok_or(BarrierError::NotInitialized)?;
        let cipher = Cipher::new(seal_key.duplicate());
        let opened = Parsed::new(&sealed.value)?.open(&cipher, RecordKind::RootKey);
        let opened = opened.map_err(|_| BarrierError::WrongSealKey)?;
        Key256::from_slice(opened.expose()).ok_or(BarrierError::Decode("root key"))
    }
}

/// Adds the root key under `seal_key`, and the record of that key's holders, to `batch`.
pub(super) fn seal_root_key(
    batch: &mut Batch,
    root_key: &RootKey,
    seal_key: &Key256,
    how: &SealRecord,
) -> Result<(), BarrierError> {
    let cipher = Cipher::new(seal_key.duplicate());
    let nonce = nonces::single();
    let sealed = record::seal(&cipher, 0, &nonce, RecordKind::RootKey, root_key.expose());
    batch.put_raw(reserved::SEAL_CONFIG, how.encode()?);
    batch.put_raw(reserved::ROOT_KEY, sealed);
    let join_key = JoinKey::of_seal_key(seal_key);
    batch.put_raw(reserved::JOIN_KEY, root_key.seal_join_key(&join_key));
    Ok(())
}
