//! Hashes of the shares that people hold, by which a share is told to be good without being used.
//!
//! They are bound to the key that the shares make up, not to its use: a set is in force when its
//! key is the seal key or the recovery key of this moment. So a migration that turns unseal keys
//! into recovery keys, or back, need not know of them. A new set is written in the entry that puts
//! its key into force.
//!
//! ```text
//! hash    PBKDF2-HMAC-SHA256 of the share, 4,096 rounds, cut to 16 bytes; its salt is
//!         HMAC-SHA256 by the root key: "coffer key share hashes"
//! mark    HMAC-SHA256 by that salt, over the join key of the seal key (`join_key.rs`), or over the
//!         check of the recovery key (`recovery_key.rs`)
//! record  sealed by the root key: the sets, oldest first, in postcard; its variant is the version
//! ```
//!
//! A share is as random as a key, so nobody guesses one: the rounds are against a holder of a sheet
//! that lacks some words, and the salt, which is written nowhere, against whoever reads the record.

use super::join_key::JoinKey;
use super::mac::MacKey;
use super::{BarrierError, Batch, Unsealed, recovery_key, reserved};
use crate::clock::Timestamp;
use crate::secret::{Key256, SecretBytes};
use crate::store::Revision;
use ring::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use subtle::ConstantTimeEq;

const KIND: &str = "share hashes";
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).expect("not zero");
const HASH_BYTES: usize = 16;
/// The most sets that are remembered; those in force stay.
const SETS_MAX: usize = 16;

type Hash = [u8; HASH_BYTES];
type Mark = [u8; 32];

/// A key of which people hold shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedKey {
    /// The key that opens the store.
    Seal,
    /// The key that allows, and opens nothing.
    Recovery,
}

/// The hashes of new shares.
#[derive(Clone, Debug)]
pub struct HashedShares(ShareSet);

/// A set of shares that was made once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareGeneration {
    /// Its number, from 1 for the first that this cluster has hashes of.
    pub number: u32,
    /// Time at which its key came into force.
    pub made: Timestamp,
    /// Time at which a rekey replaced it; zero where none has.
    pub replaced: Timestamp,
    /// The number of shares.
    pub shares: u8,
    /// The number of shares that make up the key.
    pub threshold: u8,
    /// The key that they make up now; `None` for an old set.
    pub in_force: Option<SharedKey>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ShareSet {
    number: u32,
    made: Timestamp,
    replaced: Timestamp,
    threshold: u8,
    hashes: Vec<Hash>,
    as_seal_key: Mark,
    as_recovery_key: Mark,
}

#[derive(Serialize, Deserialize)]
enum ShareSets {
    V1(Vec<ShareSet>),
}

/// The marks of the keys of this moment.
struct InForce {
    seal: Option<Mark>,
    recovery: Option<Mark>,
}

impl InForce {
    fn of(&self, set: &ShareSet) -> Option<SharedKey> {
        match () {
            () if self.seal == Some(set.as_seal_key) => Some(SharedKey::Seal),
            () if self.recovery == Some(set.as_recovery_key) => Some(SharedKey::Recovery),
            () => None,
        }
    }
}

impl ShareSet {
    fn generation(&self, in_force: &InForce) -> ShareGeneration {
        ShareGeneration {
            number: self.number,
            made: self.made,
            replaced: self.replaced,
            shares: u8::try_from(self.hashes.len()).unwrap_or(u8::MAX),
            threshold: self.threshold,
            in_force: in_force.of(self),
        }
    }
}

impl Unsealed {
    /// Hashes the shares of `key`, of which `threshold` are needed. Takes a moment for each share.
    ///
    /// # Errors
    /// [`BarrierError::Sealed`].
    pub fn hash_shares(
        &self,
        key: &Key256,
        shares: &[SecretBytes],
        threshold: u8,
    ) -> Result<HashedShares, BarrierError> {
        let salt = self.share_salt()?;
        let mac = MacKey::new(&salt);
        let hashes = shares.iter().map(|share| hash(&salt, share.expose()));
        Ok(HashedShares(ShareSet {
            number: 0,
            made: Timestamp(0),
            replaced: Timestamp(0),
            threshold,
            hashes: hashes.collect(),
            as_seal_key: mac.sign(&[JoinKey::of_seal_key(key).expose().expose()]),
            as_recovery_key: mac.sign(&[recovery_key::check_of(key).expose()]),
        }))
    }

    /// Adds hashes to `batch`, which puts the key of each set into the place of the one beside it.
    /// Those that are replaced are kept, as old ones. A batch takes this once.
    ///
    /// # Errors
    /// [`BarrierError::Tampered`] where the record was not made by this cluster.
    pub fn put_share_hashes(
        &self,
        batch: &mut Batch,
        made: &[(SharedKey, HashedShares)],
        now: Timestamp,
    ) -> Result<(), BarrierError> {
        let (mut sets, revision) = self.share_sets()?;
        let in_force = self.shares_in_force()?;
        for set in &mut sets {
            let is = in_force.of(set);
            if made.iter().any(|(which, _)| is == Some(*which)) {
                set.replaced = now;
            }
        }
        for (_, made) in made {
            while sets.len() >= SETS_MAX {
                let old = sets.iter().position(|set| in_force.of(set).is_none());
                sets.remove(old.unwrap_or(0));
            }
            let last = sets.iter().map(|set| set.number).max().unwrap_or(0);
            let mut set = made.0.clone();
            (set.number, set.made) = (last.saturating_add(1), now);
            sets.push(set);
        }
        let record = postcard::to_allocvec(&ShareSets::V1(sets));
        let record = record.map_err(|_| BarrierError::Encode(KIND))?;
        batch.expect_raw(reserved::SHARE_HASHES, revision);
        let sealed = self.keys()?.root_key.seal_share_hashes(&record);
        batch.put_raw(reserved::SHARE_HASHES, sealed);
        Ok(())
    }

    /// Returns the sets of shares that are remembered, oldest first; none in a cluster that made
    /// its shares before there were hashes.
    ///
    /// # Errors
    /// [`BarrierError::Tampered`] where the record was not made by this cluster.
    pub fn share_generations(&self) -> Result<Vec<ShareGeneration>, BarrierError> {
        let in_force = self.shares_in_force()?;
        let (sets, _) = self.share_sets()?;
        Ok(sets.iter().map(|set| set.generation(&in_force)).collect())
    }

    /// Returns the number of a share in its set, from 1, and that set; `None` for a stranger's.
    /// Takes a moment.
    ///
    /// # Errors
    /// [`BarrierError::Tampered`] where the record was not made by this cluster.
    pub fn find_share(
        &self,
        share: &SecretBytes,
    ) -> Result<Option<(usize, ShareGeneration)>, BarrierError> {
        let hash = hash(&self.share_salt()?, share.expose());
        let in_force = self.shares_in_force()?;
        let (sets, _) = self.share_sets()?;
        let found = sets.iter().rev().find_map(|set| {
            let mut hashes = set.hashes.iter();
            let at = hashes.position(|known| bool::from(known.ct_eq(&hash)))?;
            Some((at + 1, set.generation(&in_force)))
        });
        Ok(found)
    }

    fn share_salt(&self) -> Result<Key256, BarrierError> {
        Ok(self.keys()?.root_key.derive(KIND))
    }

    fn share_sets(&self) -> Result<(Vec<ShareSet>, Revision), BarrierError> {
        let Some(record) = self.storage.get(reserved::SHARE_HASHES)? else {
            return Ok((Vec::new(), Revision(0)));
        };
        let opened = self.keys()?.root_key.open_share_hashes(&record.value)?;
        match postcard::take_from_bytes(opened.expose()) {
            Ok((ShareSets::V1(sets), [])) => Ok((sets, record.revision)),
            _ => Err(BarrierError::Decode(KIND)),
        }
    }

    fn shares_in_force(&self) -> Result<InForce, BarrierError> {
        let keys = self.keys()?;
        let mac = MacKey::new(&self.share_salt()?);
        let mut in_force = InForce {
            seal: None,
            recovery: None,
        };
        if let Some(record) = self.storage.get(reserved::JOIN_KEY)? {
            let key = keys.root_key.open_join_key(&record.value)?;
            in_force.seal = Some(mac.sign(&[key.expose().expose()]));
        }
        if let Some(record) = self.storage.get(reserved::RECOVERY_KEY)? {
            let check = keys.root_key.open_recovery_check(&record.value)?;
            in_force.recovery = Some(mac.sign(&[check.expose()]));
        }
        Ok(in_force)
    }
}

fn hash(salt: &Key256, share: &[u8]) -> Hash {
    let mut hash = [0; HASH_BYTES];
    derive(PBKDF2_HMAC_SHA256, ROUNDS, salt.expose(), share, &mut hash);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::{SealConfig, SealRecord, SealType, Sealed, WrappedKey};
    use crate::secret::Secret;
    use crate::store::{CommitError, Inmem};
    use std::sync::Arc;

    const NOW: Timestamp = Timestamp(5);
    const LATER: Timestamp = Timestamp(9);

    fn config() -> SealConfig {
        SealConfig {
            seal_type: SealType::Shamir,
            shares: 2,
            threshold: 2,
        }
    }

    fn shares(of: u8) -> Vec<SecretBytes> {
        vec![Secret::new(vec![of; 33]), Secret::new(vec![of + 1; 33])]
    }

    /// Makes a store of two shares, with or without their hashes.
    async fn cluster(hashed: bool) -> (Arc<Unsealed>, Key256) {
        let sealed = Sealed::new(Arc::new(Inmem::new()));
        let key = Key256::generate();
        let mut fresh = sealed.initialize(&key, config(), NOW).unwrap();
        if hashed {
            let made = fresh.barrier.hash_shares(&key, &shares(10), 2).unwrap();
            let barrier = &fresh.barrier;
            barrier
                .put_share_hashes(&mut fresh.batch, &[(SharedKey::Seal, made)], NOW)
                .unwrap();
        }
        fresh.barrier.commit(fresh.batch, NOW).await.unwrap();
        (sealed.unseal(&key).unwrap(), key)
    }

    fn rekey(barrier: &Unsealed, key: &Key256, of: u8) -> Batch {
        let before = barrier.current_seal().unwrap();
        let mut batch = barrier.reseal(key, config(), &before).unwrap();
        let made = barrier.hash_shares(key, &shares(of), 2).unwrap();
        barrier
            .put_share_hashes(&mut batch, &[(SharedKey::Seal, made)], LATER)
            .unwrap();
        batch
    }

    #[tokio::test]
    async fn a_share_is_told_with_its_set_before_and_after_a_rekey() {
        let (barrier, _) = cluster(true).await;
        let second = &shares(10)[1];
        let (number, found) = barrier.find_share(second).unwrap().unwrap();
        let first = ShareGeneration {
            number: 1,
            made: NOW,
            replaced: Timestamp(0),
            shares: 2,
            threshold: 2,
            in_force: Some(SharedKey::Seal),
        };
        assert_eq!((number, found), (2, first));
        for stranger in [vec![9; 33], vec![11; 32], Vec::new()] {
            assert_eq!(barrier.find_share(&Secret::new(stranger)).unwrap(), None);
        }
        let key = Key256::generate();
        let batch = rekey(&barrier, &key, 20);
        let late = rekey(&barrier, &key, 30);
        assert_eq!(barrier.find_share(second).unwrap().unwrap().1, first);
        barrier.commit(batch, LATER).await.unwrap();
        let (_, old) = barrier.find_share(second).unwrap().unwrap();
        assert_eq!((old.in_force, old.replaced, old.number), (None, LATER, 1));
        let (_, new) = barrier.find_share(&shares(20)[0]).unwrap().unwrap();
        assert_eq!((new.in_force, new.number), (Some(SharedKey::Seal), 2));
        let refused = barrier.commit(late, LATER).await;
        assert!(matches!(
            refused,
            Err(BarrierError::Commit(CommitError::Conflict))
        ));
    }

    #[tokio::test]
    async fn a_migration_that_keeps_the_shares_keeps_their_hashes_right() {
        let (barrier, key) = cluster(true).await;
        let mut providers = SealRecord::of_providers(vec![WrappedKey {
            kind: "test".into(),
            name: String::new(),
            key_id: String::new(),
            ciphertext: vec![7; 32],
        }]);
        providers.recovery = Some(config());
        let kept = Key256::generate();
        let before = barrier.current_seal().unwrap();
        let there = barrier.migrate_seal(&kept, &providers, Some(&key), &before);
        barrier.commit(there.unwrap(), LATER).await.unwrap();
        let share = &shares(10)[0];
        let (_, found) = barrier.find_share(share).unwrap().unwrap();
        assert_eq!(found.in_force, Some(SharedKey::Recovery));
        let before = barrier.current_seal().unwrap();
        let back = barrier.migrate_seal(&key, &config().into(), None, &before);
        barrier.commit(back.unwrap(), LATER).await.unwrap();
        let (_, found) = barrier.find_share(share).unwrap().unwrap();
        assert_eq!(found.in_force, Some(SharedKey::Seal));
    }

    #[tokio::test]
    async fn old_sets_go_and_the_newest_stay() {
        let (barrier, _) = cluster(false).await;
        assert!(barrier.share_generations().unwrap().is_empty());
        assert_eq!(barrier.find_share(&shares(10)[0]).unwrap(), None);
        for at in 0..SETS_MAX + 3 {
            let of = u8::try_from(at * 2).unwrap();
            let batch = rekey(&barrier, &Key256::generate(), of);
            barrier.commit(batch, LATER).await.unwrap();
        }
        let sets = barrier.share_generations().unwrap();
        assert_eq!(sets.len(), SETS_MAX);
        let numbers: Vec<u32> = sets.iter().map(|set| set.number).collect();
        assert_eq!(numbers, (4..=19).collect::<Vec<_>>());
        let in_force = sets.iter().filter(|set| set.in_force.is_some());
        assert_eq!(in_force.map(|set| set.number).collect::<Vec<_>>(), [19]);
    }
}
