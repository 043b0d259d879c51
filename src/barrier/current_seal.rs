//! The seal as it is stored now, and its changes.
//!
//! A change is allowed at one moment and written at a later one: its new shares may have to be
//! shown first. [`CurrentSeal`] is the seal of the first moment. A change that is made from it
//! commits over that seal only, so nobody is let in by keys that were replaced meanwhile.

use super::sealed::seal_root_key;
use super::{BarrierError, Batch, SealConfig, SealRecord, Unsealed, recovery_key, reserved};
use crate::secret::Key256;
use crate::store::{Revision, Storage};

/// The record of the seal, with the revisions of all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentSeal {
    /// The holders of the seal key and of the recovery key.
    pub record: SealRecord,
    config: Revision,
    root_key: Revision,
    recovery_key: Revision,
}

impl CurrentSeal {
    pub(super) fn read(storage: &dyn Storage) -> Result<Self, BarrierError> {
        let config = storage.get(reserved::SEAL_CONFIG)?;
        let config = config.ok_or(BarrierError::NotInitialized)?;
        let revision = |key| -> Result<Revision, BarrierError> {
            let record = storage.get(key)?;
            Ok(record.map_or(Revision(0), |record| record.revision))
        };
        Ok(Self {
            record: SealRecord::decode(&config.value)?,
            config: config.revision,
            root_key: revision(reserved::ROOT_KEY)?,
            recovery_key: revision(reserved::RECOVERY_KEY)?,
        })
    }

    /// Returns true when the seal key is the one of `earlier`.
    pub fn has_seal_key_of(&self, earlier: &Self) -> bool {
        self.root_key == earlier.root_key
    }

    /// Returns true when the recovery key is the one of `earlier`.
    pub fn has_recovery_key_of(&self, earlier: &Self) -> bool {
        self.recovery_key == earlier.recovery_key
    }
}

impl Unsealed {
    /// Reads the seal.
    ///
    /// # Errors
    /// [`BarrierError::NotInitialized`] where there is none.
    pub fn current_seal(&self) -> Result<CurrentSeal, BarrierError> {
        CurrentSeal::read(&*self.storage)
    }

    /// Changes the seal: the root key under `seal_key`, which `how` describes. The old seal key
    /// stops working when the returned batch is committed, which fails with a conflict where
    /// `before` is not the seal any more. The recovery key stays.
    pub fn reseal(
        &self,
        seal_key: &Key256,
        how: impl Into<SealRecord>,
        before: &CurrentSeal,
    ) -> Result<Batch, BarrierError> {
        let keys = self.keys()?;
        let mut how = how.into();
        how.recovery = before.record.recovery;
        let mut batch = Batch::new();
        batch.expect_raw(reserved::SEAL_CONFIG, before.config);
        batch.expect_raw(reserved::ROOT_KEY, before.root_key);
        seal_root_key(&mut batch, &keys.root_key, seal_key, &how)?;
        Ok(batch)
    }

    /// Changes the holders of the seal: the root key under `seal_key`, which `how` describes, and
    /// the shares of the recovery key. That key becomes `recovery`, stays where none is given, and
    /// goes where `how` has no shares of it. All of it takes effect, or nothing, when the returned
    /// batch is committed, which fails with a conflict where `before` is not the seal any more.
    pub fn migrate_seal(
        &self,
        seal_key: &Key256,
        how: &SealRecord,
        recovery: Option<&Key256>,
        before: &CurrentSeal,
    ) -> Result<Batch, BarrierError> {
        let keys = self.keys()?;
        let mut batch = Batch::new();
        batch.expect_raw(reserved::SEAL_CONFIG, before.config);
        batch.expect_raw(reserved::ROOT_KEY, before.root_key);
        batch.expect_raw(reserved::RECOVERY_KEY, before.recovery_key);
        seal_root_key(&mut batch, &keys.root_key, seal_key, how)?;
        match (how.recovery, recovery) {
            (None, _) => batch.delete_raw(reserved::RECOVERY_KEY),
            (Some(_), Some(key)) => self.put_recovery_key(&mut batch, key)?,
            (Some(_), None) => {}
        }
        Ok(batch)
    }

    /// Changes the recovery key to `key`, of which there are `shares`. The old one stops working
    /// when the returned batch is committed, which fails with a conflict where `before` is not the
    /// seal any more. The seal key stays.
    pub fn replace_recovery_key(
        &self,
        key: &Key256,
        shares: SealConfig,
        before: &CurrentSeal,
    ) -> Result<Batch, BarrierError> {
        let mut record = before.record.clone();
        record.recovery = Some(shares);
        let mut batch = Batch::new();
        batch.expect_raw(reserved::SEAL_CONFIG, before.config);
        batch.expect_raw(reserved::RECOVERY_KEY, before.recovery_key);
        batch.put_raw(reserved::SEAL_CONFIG, record.encode()?);
        let check = recovery_key::check_of(key);
        batch.put_raw(
            reserved::RECOVERY_KEY,
            self.keys()?.root_key.seal_recovery_check(&check),
        );
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::{SealType, Sealed, WrappedKey};
    use crate::clock::Timestamp;
    use crate::secret::Secret;
    use crate::store::{CommitError, Inmem, Key, Op, Transaction};
    use std::sync::Arc;

    const NOW: Timestamp = Timestamp(5);

    fn of(shares: u8) -> SealConfig {
        SealConfig {
            seal_type: SealType::Shamir,
            shares,
            threshold: 2,
        }
    }

    fn of_provider() -> SealRecord {
        SealRecord::of_providers(vec![WrappedKey {
            kind: "test".into(),
            name: String::new(),
            key_id: String::new(),
            ciphertext: vec![7; 32],
        }])
    }

    /// Makes a store that a provider opens, with a recovery key.
    async fn recoverable() -> (Arc<Unsealed>, Sealed, Key256, Key256) {
        let sealed = Sealed::new(Arc::new(Inmem::new()));
        let (seal_key, recovery) = (Key256::generate(), Key256::generate());
        let mut record = of_provider();
        record.recovery = Some(of(3));
        let mut fresh = sealed.initialize(&seal_key, record, NOW).unwrap();
        let barrier = &fresh.barrier;
        barrier
            .put_recovery_key(&mut fresh.batch, &recovery)
            .unwrap();
        barrier.commit(fresh.batch, NOW).await.unwrap();
        let barrier = sealed.unseal(&seal_key).unwrap();
        (barrier, sealed, seal_key, recovery)
    }

    fn is_wrong(checked: Result<(), BarrierError>) -> bool {
        matches!(checked, Err(BarrierError::WrongRecoveryKey))
    }

    #[tokio::test]
    async fn the_recovery_key_is_checked_replaced_and_opens_nothing() {
        let (barrier, sealed, seal_key, recovery) = recoverable().await;
        assert!(barrier.check_recovery_key(&recovery).is_ok());
        assert!(is_wrong(barrier.check_recovery_key(&seal_key)));
        assert!(is_wrong(barrier.check_recovery_key(&Key256::generate())));
        assert!(sealed.unseal(&recovery).is_err());
        let (before, next) = (barrier.current_seal().unwrap(), Key256::generate());
        let batch = barrier.replace_recovery_key(&next, of(7), &before).unwrap();
        let late = barrier.replace_recovery_key(&next, of(9), &before).unwrap();
        barrier.commit(batch, NOW).await.unwrap();
        assert!(is_wrong(barrier.check_recovery_key(&recovery)));
        assert!(barrier.check_recovery_key(&next).is_ok());
        let now = barrier.current_seal().unwrap();
        assert_eq!(now.record.recovery, Some(of(7)));
        assert_eq!(now.record.wrapped, before.record.wrapped);
        assert!(now.has_seal_key_of(&before) && !now.has_recovery_key_of(&before));
        let refused = barrier.commit(late, NOW).await;
        assert!(matches!(
            refused,
            Err(BarrierError::Commit(CommitError::Conflict))
        ));
        assert!(sealed.unseal(&seal_key).is_ok());
    }

    #[tokio::test]
    async fn a_new_seal_keeps_the_data_and_the_recovery_key() {
        let (barrier, sealed, seal_key, recovery) = recoverable().await;
        let mut batch = Batch::new();
        let value = Secret::new(b"value".to_vec());
        barrier.view("").put_blindly(&mut batch, "a", value);
        barrier.commit(batch, NOW).await.unwrap();
        let (before, next) = (barrier.current_seal().unwrap(), Key256::generate());
        let batch = barrier.reseal(&next, of_provider(), &before).unwrap();
        let late = barrier.reseal(&seal_key, of_provider(), &before).unwrap();
        barrier.commit(batch, NOW).await.unwrap();
        let now = barrier.current_seal().unwrap();
        assert!(!now.has_seal_key_of(&before) && now.has_recovery_key_of(&before));
        assert_eq!(now.record.recovery, Some(of(3)));
        assert!(barrier.commit(late, NOW).await.is_err());
        assert!(sealed.unseal(&seal_key).is_err());
        let again = sealed.unseal(&next).unwrap();
        assert!(again.check_recovery_key(&recovery).is_ok());
        let read = again.view("").get("a").unwrap().unwrap();
        assert_eq!(read.value.expose(), b"value");
    }

    #[tokio::test]
    async fn a_migration_changes_seal_key_and_recovery_key_together_or_neither() {
        let (barrier, sealed, seal_key, recovery) = recoverable().await;
        let kept = barrier.current_seal().unwrap();
        let to_shares = SealRecord::from(of(3));
        let there = barrier.migrate_seal(&recovery, &to_shares, None, &kept);
        let late = barrier.migrate_seal(&seal_key, &to_shares, None, &kept);
        barrier.commit(there.unwrap(), NOW).await.unwrap();
        assert!(sealed.unseal(&recovery).is_ok());
        assert!(sealed.unseal(&seal_key).is_err());
        assert!(
            is_wrong(barrier.check_recovery_key(&recovery)),
            "it is gone"
        );
        let shared = barrier.current_seal().unwrap();
        assert_eq!(shared.record, to_shares);
        assert!(barrier.commit(late.unwrap(), NOW).await.is_err());

        let mut to_provider = of_provider();
        to_provider.recovery = Some(of(3));
        let next = Key256::generate();
        let back = barrier.migrate_seal(&next, &to_provider, Some(&recovery), &shared);
        barrier.commit(back.unwrap(), NOW).await.unwrap();
        assert!(sealed.unseal(&recovery).is_err());
        let opened = sealed.unseal(&next).unwrap();
        assert!(opened.check_recovery_key(&recovery).is_ok());
        let kept = barrier.current_seal().unwrap();
        let on = barrier.migrate_seal(&seal_key, &to_provider, None, &kept);
        barrier.commit(on.unwrap(), NOW).await.unwrap();
        let opened = sealed.unseal(&seal_key).unwrap();
        assert!(opened.check_recovery_key(&recovery).is_ok(), "it stays");
    }

    /// A thief of a stopped node's files may write what they like, and make no recovery key by it.
    #[tokio::test]
    async fn a_check_that_was_written_without_the_keys_is_found() {
        let (barrier, _, _, recovery) = recoverable().await;
        let (other, _, _, theirs) = recoverable().await;
        let storage = barrier.storage();
        let foreign = other.storage().get(reserved::RECOVERY_KEY).unwrap();
        let own = storage.get(reserved::JOIN_KEY).unwrap();
        for forged in [foreign, own] {
            let value = forged.unwrap().value;
            let write = Transaction {
                time: NOW,
                preconditions: Vec::new(),
                ops: vec![Op::Put {
                    key: Key::from_static(reserved::RECOVERY_KEY),
                    value,
                }],
            };
            storage.commit(write).await.unwrap();
            for key in [&theirs, &recovery] {
                let checked = barrier.check_recovery_key(key);
                assert!(matches!(checked, Err(BarrierError::Tampered)));
            }
        }
    }
}
