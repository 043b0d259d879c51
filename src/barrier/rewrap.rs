//! Re-encryption: a walk over all records that seals anew what older key terms hold, and the end of
//! a key term that holds nothing.
//!
//! Names and keyed hashes are under keys that never change, and the records readable while sealed
//! are under the root key or in clear: all that is under key terms is the records that the walk
//! sees, and blobs (batch tokens), which are stored nowhere and end by themselves.
//!
//! A term is dropped by a walk that found nothing under it, on the condition that the keyring is
//! the one that the walk began with. With that condition in every entry (`sealed_batch.rs`) all
//! that was added during the walk is under the term that was active at its beginning. An entry of a
//! leader of release 0.2, which has no such condition, was applied before this node led.

use super::keyring::{Keyring, OlderTerm};
use super::keys::Keys;
use super::names::SealedPath;
use super::record::{Parsed, RecordKind};
use super::sealed_batch::SealedBatch;
use super::{BarrierError, Unsealed};
use crate::clock::Timestamp;
use crate::store::{CommitError, Key, Op, Precondition, Record, Revision, Transaction, Visit};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most records that one step looks at: clients of a slow card wait for as many reads.
pub const STEP_RECORDS_MAX: usize = 32;
/// The bytes of records from which a step ends: little enough for the entry of a client that waits.
pub const STEP_BYTES_MAX: usize = 64 << 10;
/// The first byte of all keys of sealed records.
const RECORDS: u8 = 0x01;

/// A walk over all records, step by step. In memory: one that is interrupted begins anew, and finds
/// what was done.
#[derive(Debug)]
pub struct RewrapWalk {
    /// Records under terms below this one are old.
    below: u32,
    /// True to seal old records anew, false to count them.
    rewrites: bool,
    /// The keyring at the beginning.
    keyring: Revision,
    /// The last key that was looked at.
    after: Option<Key>,
    is_done: bool,
    /// The records by term that were seen, and not sealed anew.
    found: BTreeMap<u32, u64>,
    /// The number of records that were seen.
    pub looked_at: u64,
    /// The number of records that were sealed anew.
    pub rewritten: u64,
    /// The number of old records that could not be read; they stay as they are.
    pub unreadable: u64,
}

impl RewrapWalk {
    /// Returns true once all records were looked at.
    pub const fn is_done(&self) -> bool {
        self.is_done
    }

    /// Returns the numbers of records by term that were seen, and not sealed anew.
    pub const fn found(&self) -> &BTreeMap<u32, u64> {
        &self.found
    }

    /// Returns the number of records under old terms that were seen, and not sealed anew.
    pub fn left(&self) -> u64 {
        self.found.range(..self.below).map(|(_, count)| count).sum()
    }
}

/// An old record, sealed anew.
struct Rewrap {
    key: Key,
    revision: Revision,
    value: Bytes,
}

impl Unsealed {
    /// Returns the key terms before the active one, ascending.
    ///
    /// # Errors
    /// [`BarrierError::Sealed`].
    pub fn older_terms(&self) -> Result<Vec<OlderTerm>, BarrierError> {
        Ok(self.keys()?.keyring.older())
    }

    /// Begins a walk that counts, or seals anew, the records under terms below `below`.
    ///
    /// # Errors
    /// [`BarrierError::Sealed`].
    pub fn walk_records(&self, below: u32, rewrites: bool) -> Result<RewrapWalk, BarrierError> {
        Ok(RewrapWalk {
            below,
            rewrites,
            keyring: self.keys()?.revision,
            after: None,
            is_done: false,
            found: BTreeMap::new(),
            looked_at: 0,
            rewritten: 0,
            unreadable: 0,
        })
    }

    /// Takes one step of a walk, in at most one entry where nobody writes the same records. Returns
    /// the bytes that were written.
    ///
    /// # Errors
    /// The errors of reading and committing; the step can be taken again.
    pub async fn step(&self, walk: &mut RewrapWalk, now: Timestamp) -> Result<usize, BarrierError> {
        // One look at the keyring for all of the step: the entry expects the one that sealed.
        let ring = self.keys()?;
        let keys = self.record_keys(walk.after.as_deref())?;
        let mut old = Vec::new();
        let (mut bytes, mut last, mut unreadable) = (0, None, 0);
        let mut found: BTreeMap<u32, u64> = BTreeMap::new();
        let (mut looked_at, mut is_last) = (0, keys.len() < STEP_RECORDS_MAX);
        for (at, key) in keys.iter().enumerate() {
            let Some(record) = self.storage.get(key)? else {
                continue;
            };
            looked_at += 1;
            last = Some(key.clone());
            let term = Parsed::new(&record.value).map_or(0, |parsed| parsed.key_term);
            let is_old = term < walk.below;
            match is_old && walk.rewrites {
                true => match self.resealed(&ring, key, &record) {
                    Ok(value) => {
                        bytes += key.len() + value.len();
                        let (key, revision) = (key.clone(), record.revision);
                        old.push(Rewrap {
                            key,
                            revision,
                            value: value.into(),
                        });
                    }
                    Err(BarrierError::Sealed) => return Err(BarrierError::Sealed),
                    Err(_) => {
                        unreadable += 1;
                        *found.entry(term).or_default() += 1;
                    }
                },
                false => *found.entry(term).or_default() += 1,
            }
            if bytes >= STEP_BYTES_MAX {
                is_last &= at + 1 == keys.len();
                break;
            }
        }
        let rewritten = self.commit_rewraps(&ring, old, now).await?;
        for (term, count) in found {
            *walk.found.entry(term).or_default() += count;
        }
        walk.after = last
            .or_else(|| keys.last().cloned())
            .or_else(|| walk.after.take());
        walk.is_done = is_last;
        walk.looked_at += looked_at;
        walk.rewritten += rewritten;
        walk.unreadable += unreadable;
        Ok(if rewritten > 0 { bytes } else { 0 })
    }

    /// Returns the keys of the next records behind `after`.
    fn record_keys(&self, after: Option<&[u8]>) -> Result<Vec<Key>, BarrierError> {
        let mut keys = Vec::with_capacity(STEP_RECORDS_MAX);
        self.storage.scan(&[RECORDS], &mut |key| {
            if let Some(after) = after.filter(|after| key <= *after) {
                return Visit::Seek([after, &[0]].concat());
            }
            keys.push(Key::copy_from_slice(key));
            match keys.len() < STEP_RECORDS_MAX {
                true => Visit::Next,
                false => Visit::Stop,
            }
        })?;
        Ok(keys)
    }

    fn resealed(&self, keys: &Keys, key: &[u8], record: &Record) -> Result<Vec<u8>, BarrierError> {
        let path = keys.names.path_below(&SealedPath::root(), key)?;
        let kind = RecordKind::Record(&path);
        let opened = self.open_record(&record.value, kind)?;
        Ok(self.seal_record(keys, kind, opened.expose()))
    }

    /// Commits all of `old` in one entry. Where somebody wrote one of these records meanwhile, each
    /// other one gets an entry of its own. Returns the number of records that were written.
    async fn commit_rewraps(
        &self,
        keys: &Arc<Keys>,
        old: Vec<Rewrap>,
        now: Timestamp,
    ) -> Result<u64, BarrierError> {
        if old.is_empty() {
            return Ok(0);
        }
        // A full step fits in an entry, unless its last record is as large as one.
        match self.commit_all(keys, &old, now).await {
            Err(BarrierError::Commit(CommitError::Conflict | CommitError::TooLarge { .. })) => {}
            done => return done.map(|()| old.len() as u64),
        }
        let mut written = 0;
        for rewrap in old.chunks(1) {
            match self.commit_all(keys, rewrap, now).await {
                // Whoever wrote it sealed it under the active term; the next walk makes sure.
                Err(BarrierError::Commit(CommitError::Conflict)) => {}
                // It can be read and not be written: its term stays, and the walk is stuck.
                Err(BarrierError::Commit(CommitError::TooLarge { .. })) => {}
                done => written += done.map(|()| 1)?,
            }
        }
        Ok(written)
    }

    async fn commit_all(
        &self,
        keys: &Arc<Keys>,
        old: &[Rewrap],
        now: Timestamp,
    ) -> Result<(), BarrierError> {
        let expected = old.iter().map(|rewrap| Precondition {
            key: rewrap.key.clone(),
            revision: rewrap.revision,
        });
        let puts = old.iter().map(|rewrap| Op::Put {
            key: rewrap.key.clone(),
            value: rewrap.value.clone(),
        });
        let transaction = Transaction {
            time: now,
            preconditions: expected.collect(),
            ops: puts.collect(),
        };
        let mut batch = SealedBatch {
            transaction,
            keys: Arc::clone(keys),
            places: Vec::new(),
            reserved_before: None,
        };
        self.reserve_for(&mut batch, old.len() as u64)?;
        let committed = self.storage.commit(batch.transaction).await;
        if let (Err(_), Some(before)) = (&committed, batch.reserved_before) {
            self.usage.unreserve(before);
        }
        Ok(committed.map(drop)?)
    }

    /// Drops the terms that `walk`, which has to be done, found nothing under, and returns their
    /// number. A conflict means that the keyring was changed since the walk began.
    ///
    /// # Errors
    /// [`BarrierError::Commit`] with a conflict: another walk is needed.
    pub async fn drop_terms(
        &self,
        walk: &RewrapWalk,
        now: Timestamp,
    ) -> Result<usize, BarrierError> {
        let keys = self.keys()?;
        if !walk.is_done || walk.left() > 0 || keys.revision != walk.keyring {
            return Err(BarrierError::Commit(CommitError::Conflict));
        }
        let before = keys.keyring.older().len();
        let next = keys.keyring.without(walk.below);
        let dropped = before - next.older().len();
        if dropped > 0 {
            let drop = |_: &Keyring| Ok(next);
            let change = Self::replacement(&keys, drop)?;
            self.install(change, now).await?;
        }
        Ok(dropped)
    }
}

#[cfg(test)]
mod tests;
