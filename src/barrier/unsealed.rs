//! The barrier while its keys are in memory.

use super::batch::{Change, Target};
use super::keyring::{ENCRYPTIONS_HARD_MAX, Keyring, RotationConfig};
use super::keys::{Keys, RootKey};
use super::names::{self, Place};
use super::nonces::Nonces;
use super::record::{self, Kind, Parsed};
use super::sealed::seal_root_key;
use super::usage::{Reservation, USAGE_PATH, Usage};
use super::watch::Changes;
use super::{BarrierError, Batch, Commit, Entry, SealConfig, View, reserved};
use crate::clock::Timestamp;
use crate::secret::{Key256, SecretBytes};
use crate::store::{CommitError, Key, Op, Precondition, Revision, Storage, Transaction, Visit};
use arc_swap::ArcSwapOption;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Holds the keyring; the only type that can encrypt or decrypt. After [`Unsealed::seal`] every
/// call fails with [`BarrierError::Sealed`], whoever still holds a handle.
pub struct Unsealed {
    storage: Arc<dyn Storage>,
    /// `None` once sealed, and never again anything else.
    keys: ArcSwapOption<Keys>,
    /// Held while keys are replaced, so that a reload cannot undo a seal.
    replacing: Mutex<()>,
    changes: Arc<Changes>,
    usage: Usage,
    nonces: Nonces,
}

/// The active key term (`sys/key-status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// Number of the active key term, from 1.
    pub key_term: u32,
    /// When it became active.
    pub installed: Timestamp,
    /// Encryptions under it; may be a little too high after a crash, never too low.
    pub encryptions: u64,
}

impl Unsealed {
    /// A barrier for tests: keys are made up on the spot and die with it.
    pub fn for_test(storage: Arc<dyn Storage>) -> Arc<Self> {
        let keyring = Keyring::generate(Timestamp(0));
        Self::with_keys(
            storage,
            Keys::new(RootKey::generate(), keyring, Revision(0)),
        )
    }

    pub(super) fn with_keys(storage: Arc<dyn Storage>, keys: Keys) -> Arc<Self> {
        let usage_key = keys.names.place(&Place::root(), USAGE_PATH).into_key();
        let changes = Arc::new(Changes::new(usage_key));
        storage.observe(Arc::clone(&changes) as _);
        Arc::new(Self {
            storage,
            keys: ArcSwapOption::from_pointee(keys),
            replacing: Mutex::new(()),
            changes,
            usage: Usage::default(),
            nonces: Nonces::new(),
        })
    }

    /// The subtree `prefix` (empty, or ending in `/`).
    pub fn view(self: &Arc<Self>, prefix: &str) -> View {
        View::new(Arc::clone(self), prefix)
    }

    /// The storage below, for status and linearizable reads.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// Drops the keys, which wipes them once the calls under way are done. For good: a new
    /// barrier comes from [`super::Sealed::unseal`].
    pub fn seal(&self) {
        let _replacing = self
            .replacing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.keys.store(None);
    }

    /// True after [`Unsealed::seal`].
    pub fn is_sealed(&self) -> bool {
        self.keys.load().is_none()
    }

    /// Seals `batch` into one transaction stamped with `now` and commits it. An empty batch
    /// writes nothing. Replaces the key term first when its limits say so.
    pub async fn commit(&self, batch: Batch, now: Timestamp) -> Result<Commit, BarrierError> {
        if batch.is_empty() {
            return Ok(Commit {
                revision: Revision(0),
                at: Instant::now(),
            });
        }
        if let Some(rotation) = self.rotation_due(now)? {
            self.install(rotation, now).await?;
        }
        let (transaction, reserved_before) = self.seal_batch(batch, now)?;
        match self.storage.commit(transaction).await {
            Ok(revision) => Ok(Commit {
                revision,
                at: Instant::now(),
            }),
            Err(error) => {
                if let Some(before) = reserved_before {
                    self.usage.unreserve(before);
                }
                Err(error.into())
            }
        }
    }

    fn seal_batch(
        &self,
        batch: Batch,
        now: Timestamp,
    ) -> Result<(Transaction, Option<u64>), BarrierError> {
        let keys = self.keys()?;
        let mut transaction = Transaction {
            time: now,
            preconditions: Vec::with_capacity(batch.expectations.len()),
            ops: Vec::with_capacity(batch.changes.len() + 1),
        };
        for (target, revision) in batch.expectations {
            let key = target.storage_key(&keys.names)?;
            transaction
                .preconditions
                .push(Precondition { key, revision });
        }
        for (key, revision) in batch.raw_expectations {
            let key = Key::from_static(key);
            transaction
                .preconditions
                .push(Precondition { key, revision });
        }
        let mut encryptions = 0;
        for change in batch.changes {
            encryptions += u64::from(matches!(change, Change::Put { .. }));
            transaction.ops.push(self.seal_change(&keys, change)?);
        }
        if encryptions == 0 {
            return Ok((transaction, None));
        }
        let counted = self.usage.count(encryptions);
        let Some(encryptions) = self.usage.reservation_due(counted) else {
            return Ok((transaction, None));
        };
        let before = self.usage.reserve(encryptions);
        transaction.ops.push(self.reservation(&keys, encryptions)?);
        Ok((transaction, Some(before)))
    }

    fn seal_change(&self, keys: &Keys, change: Change) -> Result<Op, BarrierError> {
        Ok(match change {
            Change::Put { target, value } => Op::Put {
                key: target.storage_key(&keys.names)?,
                value: self
                    .seal_record(keys, Kind::Record(target.path()), value.expose())
                    .into(),
            },
            Change::Delete { target } => Op::Delete {
                key: target.storage_key(&keys.names)?,
            },
            Change::PutRaw { key, value } => Op::Put {
                key: Key::from_static(key),
                value: value.into(),
            },
        })
    }

    fn reservation(&self, keys: &Keys, encryptions: u64) -> Result<Op, BarrierError> {
        let reservation = Reservation {
            key_term: keys.keyring.active().number,
            encryptions,
        };
        let bytes = postcard::to_stdvec(&reservation)
            .map_err(|_| BarrierError::Decode("outgoing key usage"))?;
        Ok(Op::Put {
            key: self.changes.usage_key().clone(),
            value: self
                .seal_record(keys, Kind::Record(USAGE_PATH), &bytes)
                .into(),
        })
    }

    fn seal_record(&self, keys: &Keys, kind: Kind<'_>, plaintext: &[u8]) -> Vec<u8> {
        let term = keys.keyring.active();
        record::seal(
            &term.cipher,
            term.number,
            &self.nonces.next(),
            kind,
            plaintext,
        )
    }

    fn open_record(&self, sealed: &[u8], kind: Kind<'_>) -> Result<SecretBytes, BarrierError> {
        let parsed = Parsed::new(sealed)?;
        if let Some(cipher) = self.keys()?.keyring.cipher(parsed.key_term) {
            return parsed.open(cipher, kind);
        }
        // The active node may have rotated between two looks at the keyring.
        self.reload()?;
        match self.keys()?.keyring.cipher(parsed.key_term) {
            Some(cipher) => parsed.open(cipher, kind),
            None => Err(BarrierError::UnknownKeyTerm(parsed.key_term)),
        }
    }
}

// === Reading, for View ===

impl Unsealed {
    /// The place of `prefix` below `from`; fails when sealed, or when the path is refused.
    pub(super) fn place(&self, from: &Place, path: &str) -> Result<Place, BarrierError> {
        Ok(self.keys()?.names.place(from, path))
    }

    pub(super) fn read(&self, place: Place, path: &str) -> Result<Option<Entry>, BarrierError> {
        let Some(record) = self.storage.get(place.key())? else {
            return Ok(None);
        };
        Ok(Some(Entry {
            revision: record.revision,
            value: self.open_record(&record.value, Kind::Record(path))?,
        }))
    }

    pub(super) fn list(&self, folder: &Place) -> Result<Vec<String>, BarrierError> {
        let keys = self.keys()?;
        let mut children = Vec::new();
        self.scan(folder, |key| {
            let child = keys.names.child(folder, key)?;
            if child.is_leaf {
                children.push(child.name);
                return Ok(Visit::Next);
            }
            children.push(child.name + "/");
            Ok(Visit::Seek(child.place.successor()))
        })?;
        children.sort_unstable();
        Ok(children)
    }

    pub(super) fn walk(&self, folder: &Place, limit: usize) -> Result<Vec<String>, BarrierError> {
        let keys = self.keys()?;
        let mut paths = Vec::new();
        self.scan(folder, |key| {
            if paths.len() == limit {
                return Ok(Visit::Stop);
            }
            paths.push(keys.names.path_below(folder, key)?);
            Ok(Visit::Next)
        })?;
        Ok(paths)
    }

    /// Visits what is below `folder`, without the record of the folder's own name; the first
    /// error ends it.
    fn scan(
        &self,
        folder: &Place,
        mut visit: impl FnMut(&[u8]) -> Result<Visit, BarrierError>,
    ) -> Result<(), BarrierError> {
        let mut failed = None;
        self.storage.scan(folder.key(), &mut |key| {
            if key == folder.key() {
                return Visit::Next;
            }
            visit(key).unwrap_or_else(|error| {
                failed = Some(error);
                Visit::Stop
            })
        })?;
        failed.map_or(Ok(()), Err)
    }
}

// === Keyed hashes and blobs, for other rooms ===

impl Unsealed {
    /// A keyed hash of `data` (HMAC-SHA256 under a key of the keyring that never changes).
    /// `domain` names the use, such as `token id`; hashes of different domains are unrelated.
    pub fn mac(&self, domain: &str, data: &[u8]) -> Result<[u8; 32], BarrierError> {
        // The length in front makes (domain, data) unambiguous.
        let length = (domain.len() as u64).to_be_bytes();
        Ok(self.keys()?.mac.sign(&[&length, domain.as_bytes(), data]))
    }

    /// Seals `plaintext` to be handed out (a batch token): only [`Unsealed::open_blob`] with the
    /// same domain, here or on another unsealed node, opens it. 45 bytes longer than `plaintext`.
    pub fn seal_blob(&self, domain: &str, plaintext: &[u8]) -> Result<Vec<u8>, BarrierError> {
        self.usage.count(1);
        Ok(self.seal_record(&*self.keys()?, Kind::Blob(domain), plaintext))
    }

    /// Opens what [`Unsealed::seal_blob`] made. `blob` comes from a client: here
    /// [`BarrierError::Tampered`] and [`BarrierError::UnknownKeyTerm`] are the client's fault.
    pub fn open_blob(&self, domain: &str, blob: &[u8]) -> Result<SecretBytes, BarrierError> {
        let parsed = Parsed::new(blob)?;
        let keys = self.keys()?;
        let cipher = keys.keyring.cipher(parsed.key_term);
        let cipher = cipher.ok_or(BarrierError::UnknownKeyTerm(parsed.key_term))?;
        parsed.open(cipher, Kind::Blob(domain))
    }
}

// === The keyring's life ===

/// A keyring that is about to replace the one with `expected`.
struct Replacement {
    record: Vec<u8>,
    expected: Revision,
}

impl Unsealed {
    /// Number, age and use of the active key term.
    pub fn key_status(&self) -> Result<KeyStatus, BarrierError> {
        let keys = self.keys()?;
        let term = keys.keyring.active();
        Ok(KeyStatus {
            key_term: term.number,
            installed: term.installed,
            encryptions: self.usage.counted(),
        })
    }

    /// When the key term is replaced by itself.
    pub fn rotation_config(&self) -> Result<RotationConfig, BarrierError> {
        Ok(self.keys()?.keyring.rotation)
    }

    /// Installs a new key term for all records to come and returns its number. It takes effect,
    /// here and on every unsealed node, when the entry is applied.
    pub async fn rotate(&self, now: Timestamp) -> Result<u32, BarrierError> {
        let rotation = Self::replacement(&*self.keys()?, |keyring| keyring.rotated(now))?;
        self.install(rotation, now).await?;
        Ok(self.keys()?.keyring.active().number)
    }

    /// Changes when the key term is replaced by itself.
    pub async fn configure_rotation(
        &self,
        config: RotationConfig,
        now: Timestamp,
    ) -> Result<(), BarrierError> {
        config.check()?;
        let change = Self::replacement(&*self.keys()?, |keyring| Ok(keyring.configured(config)))?;
        self.install(change, now).await
    }

    /// Changes the seal: the root key under `seal_key`, whose shares `config` describes. The old
    /// seal key stops working when the returned batch is committed.
    pub fn reseal(&self, seal_key: &Key256, config: SealConfig) -> Result<Batch, BarrierError> {
        let keys = self.keys()?;
        let record = self.storage.get(reserved::ROOT_KEY)?;
        let mut batch = Batch::new();
        batch.expect_raw(
            reserved::ROOT_KEY,
            record.map_or(Revision(0), |record| record.revision),
        );
        seal_root_key(&mut batch, &keys.root_key, seal_key, config);
        Ok(batch)
    }

    /// Takes over what earlier processes or other nodes have counted.
    pub(super) fn adopt_usage(&self) -> Result<(), BarrierError> {
        let Some(record) = self.storage.get(self.changes.usage_key())? else {
            return Ok(());
        };
        let opened = self.open_record(&record.value, Kind::Record(USAGE_PATH))?;
        let stored: Reservation =
            postcard::from_bytes(opened.expose()).map_err(|_| BarrierError::Decode("key usage"))?;
        if stored.key_term == self.keys()?.keyring.active().number {
            self.usage.adopt(stored.encryptions);
        }
        Ok(())
    }

    /// Counts as if `encryptions` had been made already.
    #[cfg(test)]
    pub(super) fn wear(&self, encryptions: u64) {
        self.usage.count(encryptions);
    }

    fn rotation_due(&self, now: Timestamp) -> Result<Option<Replacement>, BarrierError> {
        if self.changes.take_usage() {
            self.adopt_usage()?;
        }
        let keys = self.keys()?;
        let limits = keys.keyring.rotation;
        let encryptions = self.usage.counted();
        let age_s = now.since(keys.keyring.active().installed).as_secs();
        let old = limits.interval_s != 0 && age_s >= limits.interval_s;
        let worn = encryptions >= limits.max_operations;
        if !(encryptions >= ENCRYPTIONS_HARD_MAX || limits.enabled && (old || worn)) {
            return Ok(None);
        }
        Self::replacement(&keys, |keyring| keyring.rotated(now)).map(Some)
    }

    fn replacement(
        keys: &Keys,
        change: impl FnOnce(&Keyring) -> Result<Keyring, BarrierError>,
    ) -> Result<Replacement, BarrierError> {
        Ok(Replacement {
            record: keys.root_key.seal_keyring(&change(&keys.keyring)?),
            expected: keys.revision,
        })
    }

    async fn install(&self, change: Replacement, now: Timestamp) -> Result<(), BarrierError> {
        let key = Key::from_static(reserved::KEYRING);
        let transaction = Transaction {
            time: now,
            preconditions: vec![Precondition {
                key: key.clone(),
                revision: change.expected,
            }],
            ops: vec![Op::Put {
                key,
                value: change.record.into(),
            }],
        };
        match self.storage.commit(transaction).await {
            // Another call changed the keyring first: take what it made.
            Ok(_) | Err(CommitError::Conflict) => self.reload(),
            Err(error) => Err(error.into()),
        }
    }

    fn keys(&self) -> Result<Arc<Keys>, BarrierError> {
        if self.changes.take_keyring() {
            self.reload()
                .inspect_err(|_| self.changes.keyring_again())?;
        }
        self.keys.load_full().ok_or(BarrierError::Sealed)
    }

    /// Reads the keyring anew. Without one in storage (a barrier for tests, or a fresh one that
    /// is not committed yet) the present keys stay.
    fn reload(&self) -> Result<(), BarrierError> {
        let _replacing = self
            .replacing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let present = self.keys.load_full().ok_or(BarrierError::Sealed)?;
        let next = match Keys::load(&*self.storage, present.root_key.duplicate()) {
            Ok(next) => next,
            Err(BarrierError::NotInitialized) => return Ok(()),
            // Someone else initialized first; the commit of ours will conflict and say so.
            Err(BarrierError::Tampered) if present.revision == Revision(0) => return Ok(()),
            Err(error) => return Err(error),
        };
        if next.keyring.active().number != present.keyring.active().number {
            self.usage.reset();
        }
        self.keys.store(Some(Arc::new(next)));
        Ok(())
    }
}

impl Target {
    fn storage_key(&self, names: &names::Names) -> Result<Key, BarrierError> {
        names::check_record_path(self.path())?;
        Ok(match self.from() {
            Some((place, rest)) => names.place(place, rest),
            None => names.place(&Place::root(), self.path()),
        }
        .into_key())
    }
}
