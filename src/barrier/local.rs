//! Records that belong to this cluster alone, whatever its other records are replaced by.
//!
//! Local records are stored in clear at reserved keys, so that a sealed node reads them and no
//! keyring has to fit. Together with the seal's records they stay what they are when a snapshot is
//! restored, and are left out where one cluster replicates to another.
//!
//! One case is different. A keyring that the root key in memory does not open is of another
//! cluster, or of a root key before this one: then the seal's records come with it, or no key could
//! open it.

use super::{BarrierError, Batch, Sealed, Unsealed, reserved};
use crate::store::{Key, ReadError, Record, Records, Revision, Storage, Visit};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// The most reserved records of a snapshot: far more than any release has.
const RESERVED_MAX: usize = 1024;

/// A record that belongs to this cluster alone, beside the seal's. A new one is one line here and
/// in `key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalRecord {
    /// The cluster's name and id.
    Cluster,
    /// The settings by which autopilot judges this cluster's members.
    Autopilot,
    /// The members that are never unsealed, by their numbers in the log.
    NonSecret,
}

impl LocalRecord {
    const fn key(self) -> &'static [u8] {
        match self {
            Self::Cluster => b"\0local/cluster",
            Self::Autopilot => b"\0local/autopilot",
            Self::NonSecret => b"\0local/non-secret",
        }
    }
}

impl Sealed {
    /// Reads a local record, which is in clear.
    ///
    /// # Errors
    /// [`BarrierError::Read`].
    pub fn local(&self, record: LocalRecord) -> Result<Option<Record>, BarrierError> {
        Ok(self.storage().get(record.key())?)
    }
}

impl Unsealed {
    /// Reads a local record as [`Sealed::local`] does.
    ///
    /// # Errors
    /// [`BarrierError::Read`].
    pub fn local(&self, record: LocalRecord) -> Result<Option<Record>, BarrierError> {
        Ok(self.storage().get(record.key())?)
    }

    /// Returns the records of a snapshot as this cluster takes them over, in their order. With
    /// `is_foreign` a cluster's signing key that the snapshot does not bring is void, because no
    /// node holds it.
    pub fn restorable(self: &Arc<Self>, records: Records, is_foreign: bool) -> Records {
        Box::new(Restorable {
            barrier: Arc::clone(self),
            records: records.peekable(),
            is_foreign,
            reserved: None,
        })
    }

    /// Returns true when the root key in memory opens the keyring record `sealed`.
    fn opens(&self, sealed: &[u8]) -> Result<bool, BarrierError> {
        Ok(self.keys()?.root_key.opens_keyring(sealed))
    }
}

impl Batch {
    /// Writes a local record, in clear, over the one at `before`; zero when there is none.
    pub fn put_local(&mut self, record: LocalRecord, before: Revision, value: Vec<u8>) {
        self.expect_raw(record.key(), before);
        self.put_raw(record.key(), value);
    }
}

/// The records of [`Unsealed::restorable`]. Reserved records come before all others, so they are
/// gathered and settled first.
struct Restorable {
    barrier: Arc<Unsealed>,
    records: std::iter::Peekable<Records>,
    is_foreign: bool,
    reserved: Option<std::collections::btree_map::IntoIter<Key, Bytes>>,
}

impl Restorable {
    fn gather(&mut self) -> io::Result<BTreeMap<Key, Bytes>> {
        let mut gathered = BTreeMap::new();
        let is_reserved = |next: &io::Result<(Key, Bytes)>| match next {
            Ok((key, _)) => key.first() == Some(&reserved::NAMESPACE),
            Err(_) => true,
        };
        while let Some(record) = self.records.next_if(is_reserved) {
            let (key, value) = record?;
            if gathered.len() == RESERVED_MAX {
                let why = "more reserved records than any release writes";
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            gathered.insert(key, value);
        }
        Ok(gathered)
    }

    fn settle(&mut self) -> io::Result<BTreeMap<Key, Bytes>> {
        let mut records = self.gather()?;
        let keyring = records.get(reserved::KEYRING);
        let fits = keyring.is_some_and(|keyring| self.barrier.opens(keyring).unwrap_or(false));
        // A barrier that was sealed meanwhile opens nothing and decides nothing.
        drop(self.barrier.keys().map_err(io::Error::other)?);
        records.retain(|key, _| match is_of_seal(key) {
            true => !fits,
            false => !key.starts_with(reserved::LOCAL),
        });
        let own = local_records(&**self.barrier.storage()).map_err(io::Error::other)?;
        records.extend(own.into_iter().filter(|(key, _)| fits || !is_of_seal(key)));
        if self.is_foreign {
            let (key, void) = super::published::void_cluster_key();
            records.entry(key).or_insert(void);
        }
        Ok(records)
    }
}

impl Iterator for Restorable {
    type Item = io::Result<(Key, Bytes)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reserved.is_none() {
            match self.settle() {
                Ok(records) => self.reserved = Some(records.into_iter()),
                Err(error) => return Some(Err(error)),
            }
        }
        let reserved = self.reserved.as_mut().and_then(Iterator::next);
        reserved.map(Ok).or_else(|| self.records.next())
    }
}

fn is_of_seal(key: &[u8]) -> bool {
    reserved::SEAL.contains(&key)
}

/// Returns all local records of this store.
fn local_records(storage: &dyn Storage) -> Result<Vec<(Key, Bytes)>, ReadError> {
    let mut keys: Vec<Key> = reserved::SEAL.map(Key::from_static).into();
    storage.scan(reserved::LOCAL, &mut |key| {
        keys.push(Key::copy_from_slice(key));
        Visit::Next
    })?;
    let mut records = Vec::with_capacity(keys.len());
    for key in keys {
        if let Some(record) = storage.get(&key)? {
            records.push((key, record.value));
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::{SealConfig, SealType};
    use crate::clock::Timestamp;
    use crate::secret::Key256;
    use crate::store::Inmem;

    const NOW: Timestamp = Timestamp(5);

    fn key(byte: u8) -> Key256 {
        Key256::from_slice(&[byte; 32]).unwrap()
    }

    /// Makes an initialised store with a local record, and its barrier.
    async fn cluster(byte: u8) -> Arc<Unsealed> {
        let sealed = Sealed::new(Arc::new(Inmem::new()));
        let config = SealConfig {
            seal_type: SealType::Shamir,
            shares: byte,
            threshold: 1,
        };
        let fresh = sealed.initialize(&key(byte), config, NOW).unwrap();
        let mut batch = fresh.batch;
        batch.put_local(LocalRecord::Cluster, Revision(0), vec![byte]);
        fresh.barrier.commit(batch, NOW).await.unwrap();
        sealed.unseal(&key(byte)).unwrap()
    }

    fn all(barrier: &Unsealed) -> BTreeMap<Key, Bytes> {
        let mut keys = Vec::new();
        let storage = barrier.storage();
        let mut visit = |key: &[u8]| {
            keys.push(Key::copy_from_slice(key));
            Visit::Next
        };
        storage.scan(b"", &mut visit).unwrap();
        let value = |key: &Key| storage.get(key).unwrap().unwrap().value;
        keys.iter().map(|key| (key.clone(), value(key))).collect()
    }

    fn restored(
        barrier: &Arc<Unsealed>,
        snapshot: BTreeMap<Key, Bytes>,
        is_foreign: bool,
    ) -> BTreeMap<Key, Bytes> {
        let records: Records = Box::new(snapshot.into_iter().map(Ok));
        let restored: Vec<(Key, Bytes)> = barrier
            .restorable(records, is_foreign)
            .collect::<io::Result<_>>()
            .unwrap();
        assert!(restored.is_sorted_by(|(a, _), (b, _)| a < b), "in order");
        restored.into_iter().collect()
    }

    #[tokio::test]
    async fn what_belongs_to_this_cluster_alone_outlives_a_restore() {
        let barrier = cluster(1).await;
        let mut before = all(&barrier);
        before.insert(
            Key::from_static(b"\0local/of-a-later-release"),
            Bytes::new(),
        );
        before.insert(Key::from_static(b"x"), Bytes::from_static(b"a record"));
        // Since then the shares were changed, and the cluster's name.
        let config = SealConfig {
            seal_type: SealType::Shamir,
            shares: 7,
            threshold: 4,
        };
        let before_it = barrier.current_seal().unwrap();
        let mut batch = barrier.reseal(&key(9), config, &before_it).unwrap();
        let known = barrier.local(LocalRecord::Cluster).unwrap().unwrap();
        batch.put_local(LocalRecord::Cluster, known.revision, b"new name".to_vec());
        barrier.commit(batch, NOW).await.unwrap();
        let now = all(&barrier);
        let after = restored(&barrier, before.clone(), false);
        for kept in [
            &b"\0seal-config"[..],
            b"\0root-key",
            b"\0join-key",
            b"\0local/cluster",
        ] {
            assert_eq!(after[kept], now[kept]);
            assert_ne!(after[kept], before[kept], "the control");
        }
        assert_eq!(after[&b"\0keyring"[..]], before[&b"\0keyring"[..]]);
        assert_eq!(after[&b"x"[..]], before[&b"x"[..]]);
        assert!(!after.contains_key(&b"\0local/of-a-later-release"[..]));
        assert!(!after.contains_key(&b"\0cluster-key"[..]));
    }

    #[tokio::test]
    async fn another_cluster_s_keyring_comes_with_what_opens_it_and_not_with_its_identity() {
        let (ours, theirs) = (cluster(1).await, cluster(2).await);
        let snapshot = all(&theirs);
        let after = restored(&ours, snapshot.clone(), true);
        for brought in [
            &b"\0seal-config"[..],
            b"\0root-key",
            b"\0join-key",
            b"\0keyring",
        ] {
            assert_eq!(after[brought], snapshot[brought]);
        }
        assert_eq!(
            &after[&b"\0local/cluster"[..]][..],
            [1],
            "this cluster's own"
        );
        assert!(after[&b"\0cluster-key"[..]].is_empty(), "void");
        let mut proven = snapshot;
        let key = Key::from_static(reserved::CLUSTER_KEY);
        proven.insert(key.clone(), Bytes::from_static(&[3; 32]));
        assert_eq!(restored(&ours, proven, true)[&key].len(), 32, "its own");
    }

    #[tokio::test]
    async fn a_restore_decides_nothing_once_the_barrier_is_sealed_or_the_records_end_early() {
        let barrier = cluster(1).await;
        let snapshot = all(&barrier);
        let broken = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let first = snapshot.clone().into_iter().take(1).map(Ok);
        let cut: Records = Box::new(first.chain([Err(broken())]));
        assert!(barrier.restorable(cut, false).next().unwrap().is_err());
        barrier.seal();
        let records: Records = Box::new(snapshot.into_iter().map(Ok));
        assert!(barrier.restorable(records, false).next().unwrap().is_err());
    }
}
