//! The barrier while its keys are in memory.

use super::batch::{BatchChange, Target};
use super::join_key::JoinKey;
use super::keyring::Keyring;
use super::keys::{Keys, RootKey};
use super::names::{self, SealedPath};
use super::nonces::Nonces;
use super::plaintext::Plaintext;
use super::record::{self, Parsed, RecordKind};
use super::sealed_batch::{SEALS_MAX, SealedBatch};
use super::usage::{Reservation, USAGE_PATH, Usage};
use super::watch::Changes;
use super::{BarrierError, Batch, Commit, Entry, View};
use crate::clock::Timestamp;
use crate::secret::SecretBytes;
use crate::store::{CommitError, Key, Op, Precondition, Revision, Storage, Transaction, Visit};
use arc_swap::ArcSwapOption;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Holds the keyring; the only type that can encrypt or decrypt. After [`Unsealed::seal`] every
/// call fails with [`BarrierError::Sealed`], through every handle.
pub struct Unsealed {
    pub(super) storage: Arc<dyn Storage>,
    /// The keys; `None` once sealed, for good.
    keys: ArcSwapOption<Keys>,
    /// Held while keys are replaced, so that a reload cannot undo a seal.
    replacing: Mutex<()>,
    pub(super) changes: Arc<Changes>,
    pub(super) usage: Usage,
    pub(super) nonces: Nonces,
}

impl Unsealed {
    /// Makes a barrier for tests, with fresh keys that are stored nowhere.
    pub fn for_test(storage: Arc<dyn Storage>) -> Arc<Self> {
        let keyring = Keyring::generate(Timestamp(0));
        Self::with_keys(
            storage,
            Keys::new(RootKey::generate(), keyring, Revision(0)),
        )
    }

    pub(super) fn with_keys(storage: Arc<dyn Storage>, keys: Keys) -> Arc<Self> {
        let usage_key = keys.names.place(&SealedPath::root(), USAGE_PATH).into_key();
        let changes = Arc::new(Changes::new(usage_key));
        storage.observe(Arc::downgrade(&changes) as _);
        Arc::new(Self {
            storage,
            keys: ArcSwapOption::from_pointee(keys),
            replacing: Mutex::new(()),
            changes,
            usage: Usage::default(),
            nonces: Nonces::new(),
        })
    }

    /// Returns a view of the subtree `prefix` (empty, or ending in `/`).
    pub fn view(self: &Arc<Self>, prefix: &str) -> View {
        View::new(Arc::clone(self), prefix)
    }

    /// Returns the storage below, for status and linearizable reads.
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

    /// Returns true after [`Unsealed::seal`].
    pub fn is_sealed(&self) -> bool {
        self.keys.load().is_none()
    }

    /// Seals `batch` into one transaction stamped with `now` and commits it. An empty batch writes
    /// nothing. Replaces the key term first when its limits are reached.
    pub async fn commit(&self, batch: Batch, now: Timestamp) -> Result<Commit, BarrierError> {
        if batch.is_empty() {
            return Ok(Commit {
                revision: Revision(0),
                at: Instant::now(),
            });
        }
        if let Some(rotation) = self.rotation_due(now)? {
            match self.install(rotation, now).await {
                // The next write looks again whether it is still due.
                Err(BarrierError::Commit(CommitError::Conflict)) => {}
                installed => installed?,
            }
        }
        let is_of_seal = batch.changes_seal();
        let mut sealed = self.seal_batch(batch, now)?;
        for _ in 0..SEALS_MAX {
            match self.storage.commit(sealed.transaction.clone()).await {
                Err(CommitError::Conflict) if sealed.is_outdated(&*self.keys()?) => {
                    sealed = self.seal_anew(sealed, self.keys()?)?;
                }
                done => {
                    let commit = self.committed(done, sealed.reserved_before)?;
                    if is_of_seal {
                        self.settle(now).await;
                    }
                    return Ok(commit);
                }
            }
        }
        self.committed(Err(CommitError::Conflict), sealed.reserved_before)
    }

    fn committed(
        &self,
        done: Result<Revision, CommitError>,
        reserved_before: Option<u64>,
    ) -> Result<Commit, BarrierError> {
        match done {
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

    pub(super) fn seal_batch(
        &self,
        batch: Batch,
        now: Timestamp,
    ) -> Result<SealedBatch, BarrierError> {
        let keys = self.keys()?;
        let mut transaction = Transaction {
            time: now,
            preconditions: Vec::with_capacity(batch.expectations.len() + 1),
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
        let mut places = Vec::with_capacity(batch.changes.len());
        for change in batch.changes {
            places.push(match &change {
                BatchChange::Put { target, .. } => Some(target.clone()),
                BatchChange::Delete { .. }
                | BatchChange::PutRaw { .. }
                | BatchChange::DeleteRaw { .. } => None,
            });
            transaction.ops.push(self.seal_change(&keys, change)?);
        }
        let mut sealed = SealedBatch {
            transaction,
            keys,
            places,
            reserved_before: None,
        };
        self.reserve(&mut sealed)?;
        Ok(sealed)
    }

    /// Counts the encryptions of `batch`, adds a reservation where one is due, and the condition
    /// that the keyring stays.
    pub(super) fn reserve(&self, batch: &mut SealedBatch) -> Result<(), BarrierError> {
        self.reserve_for(batch, batch.encryptions())
    }

    /// Does as [`Unsealed::reserve`] does, for so many encryptions.
    pub(super) fn reserve_for(
        &self,
        batch: &mut SealedBatch,
        encryptions: u64,
    ) -> Result<(), BarrierError> {
        if encryptions == 0 {
            return Ok(());
        }
        batch.expect_keyring();
        let counted = self.usage.count(encryptions);
        if let Some(encryptions) = self.usage.reservation_due(counted) {
            batch.reserved_before = Some(self.usage.reserve(encryptions));
            let reservation = self.reservation(&batch.keys, encryptions)?;
            batch.transaction.ops.push(reservation);
        }
        Ok(())
    }

    fn seal_change(&self, keys: &Keys, change: BatchChange) -> Result<Op, BarrierError> {
        Ok(match change {
            BatchChange::Put { target, value } => Op::Put {
                key: target.storage_key(&keys.names)?,
                value: self.seal_plaintext(keys, target.path(), value).into(),
            },
            BatchChange::Delete { target } => Op::Delete {
                key: target.storage_key(&keys.names)?,
            },
            BatchChange::PutRaw { key, value } => Op::Put {
                key: Key::from_static(key),
                value: value.into(),
            },
            BatchChange::DeleteRaw { key } => Op::Delete {
                key: Key::from_static(key),
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
                .seal_record(keys, RecordKind::Record(USAGE_PATH), &bytes)
                .into(),
        })
    }

    fn seal_plaintext(&self, keys: &Keys, path: &str, value: Plaintext) -> Vec<u8> {
        let (term, nonce) = (keys.keyring.active(), self.nonces.next());
        let kind = RecordKind::Record(path);
        record::seal_in_place(&term.cipher, term.number, &nonce, kind, value)
    }

    pub(super) fn seal_record(
        &self,
        keys: &Keys,
        kind: RecordKind<'_>,
        plaintext: &[u8],
    ) -> Vec<u8> {
        let term = keys.keyring.active();
        record::seal(
            &term.cipher,
            term.number,
            &self.nonces.next(),
            kind,
            plaintext,
        )
    }

    pub(super) fn open_record(
        &self,
        sealed: &[u8],
        kind: RecordKind<'_>,
    ) -> Result<SecretBytes, BarrierError> {
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
    /// Returns the place of `path` below `from`; fails when sealed.
    pub(super) fn place(&self, from: &SealedPath, path: &str) -> Result<SealedPath, BarrierError> {
        Ok(self.keys()?.names.place(from, path))
    }

    pub(super) fn read(&self, key: &[u8], path: &str) -> Result<Option<Entry>, BarrierError> {
        let open = || {
            let Some(record) = self.storage.get(key)? else {
                return Ok(None);
            };
            Ok(Some(Entry {
                revision: record.revision,
                value: self.open_record(&record.value, RecordKind::Record(path))?,
            }))
        };
        match open() {
            // It may have been sealed anew, and its term dropped, between the two looks.
            Err(BarrierError::UnknownKeyTerm(_)) => open(),
            opened => opened,
        }
    }

    pub(super) fn list(&self, folder: &SealedPath) -> Result<Vec<String>, BarrierError> {
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

    /// Lists the record paths below `folder`, those behind the key `after` where one is given.
    pub(super) fn walk(
        &self,
        folder: &SealedPath,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<String>, BarrierError> {
        let keys = self.keys()?;
        let mut paths = Vec::new();
        self.scan(folder, |key| {
            if let Some(after) = after.filter(|after| key <= *after) {
                return Ok(Visit::Seek([after, &[0]].concat()));
            }
            if paths.len() == limit {
                return Ok(Visit::Stop);
            }
            paths.push(keys.names.path_below(folder, key)?);
            Ok(Visit::Next)
        })?;
        Ok(paths)
    }

    pub(super) fn count(&self, folder: &SealedPath) -> Result<u64, BarrierError> {
        let mut count = 0;
        self.scan(folder, |_| {
            count += 1;
            Ok(Visit::Next)
        })?;
        Ok(count)
    }

    /// Visits the keys below `folder`, without the record of the folder's own name; the first error
    /// ends the visit.
    fn scan(
        &self,
        folder: &SealedPath,
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

// === The keys ===

impl Unsealed {
    pub(super) fn keys(&self) -> Result<Arc<Keys>, BarrierError> {
        if let Some(change) = self.changes.keyring() {
            self.reload()?;
            self.changes.keyring_followed(change);
        }
        self.keys.load_full().ok_or(BarrierError::Sealed)
    }

    /// Reads the keyring as it is in storage now, whether or not this barrier was told yet that it
    /// changed: another observer may have been told first. [`BarrierError::Tampered`] means that
    /// the root key in memory does not open it.
    pub fn follow_keyring(&self) -> Result<(), BarrierError> {
        self.reload()
    }

    /// Reads the keyring anew. Without one in storage (a barrier for tests, or a fresh one that
    /// is not committed yet) the present keys stay.
    pub(super) fn reload(&self) -> Result<(), BarrierError> {
        let _replacing = self
            .replacing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let present = self.keys.load_full().ok_or(BarrierError::Sealed)?;
        let mut next = match Keys::load(&*self.storage, present.root_key.duplicate()) {
            Ok(next) => next,
            Err(BarrierError::NotInitialized) => return Ok(()),
            // Someone else initialized first; the commit of ours will conflict and say so.
            Err(BarrierError::Tampered) if present.revision == Revision(0) => return Ok(()),
            Err(error) => return Err(error),
        };
        let derived = present.derived_join_key.as_ref();
        next.derived_join_key = derived.map(JoinKey::duplicate);
        if next.keyring.active().number != present.keyring.active().number {
            self.usage.reset();
        }
        self.keys.store(Some(Arc::new(next)));
        Ok(())
    }
}

impl Target {
    fn storage_key(&self, names: &names::Names) -> Result<Key, BarrierError> {
        if let Some(key) = self.key() {
            return Ok(key.clone());
        }
        names::check_record_path(self.path())?;
        Ok(match self.from() {
            Some((place, rest)) => names.place(place, rest),
            None => names.place(&SealedPath::root(), self.path()),
        }
        .into_key())
    }
}
