//! The keyring's life: its status, new key terms.
//!
//! Every change is a log entry that expects the keyring it was made from. It takes effect when it
//! is applied, on this node and on every other unsealed one: [`super::watch`] notices, and the
//! next call reads the keyring anew.

use super::keyring::{ENCRYPTIONS_HARD_MAX, Keyring, RotationConfig};
use super::keys::Keys;
use super::record::RecordKind;
use super::usage::{Reservation, USAGE_PATH};
use super::{BarrierError, Unsealed, reserved};
use crate::clock::Timestamp;
use crate::store::{CommitError, Key, Op, Precondition, Revision, Transaction};

/// The active key term (`sys/key-status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// Number of the active key term, from 1.
    pub key_term: u32,
    /// The time at which it became active.
    pub installed: Timestamp,
    /// The encryptions under it. After a crash a little too high, or too low by the blobs that were
    /// sealed since the last write.
    pub encryptions: u64,
}

/// A keyring that is about to replace the one with `expected`.
pub(super) struct Replacement {
    record: Vec<u8>,
    expected: Revision,
}

impl Unsealed {
    /// Returns number, age and use of the active key term.
    pub fn key_status(&self) -> Result<KeyStatus, BarrierError> {
        let keys = self.keys()?;
        let term = keys.keyring.active();
        Ok(KeyStatus {
            key_term: term.number,
            installed: term.installed,
            encryptions: self.usage.counted(),
        })
    }

    /// Returns the limits at which the key term is replaced without a request.
    pub fn rotation_config(&self) -> Result<RotationConfig, BarrierError> {
        Ok(self.keys()?.keyring.rotation)
    }

    /// Installs a new key term for all records to come and returns its number. It takes effect,
    /// here and on every unsealed node, when the entry is applied. Two rotations at the same moment
    /// ask for the same; a conflict with another change of the keyring is the caller's to try
    /// again.
    pub async fn rotate(&self, now: Timestamp) -> Result<u32, BarrierError> {
        let keys = self.keys()?;
        let before = keys.keyring.active().number;
        let rotation = Self::replacement(&keys, |keyring| keyring.rotated(now))?;
        let installed = self.install(rotation, now).await;
        let number = self.keys()?.keyring.active().number;
        match installed {
            Err(BarrierError::Commit(CommitError::Conflict)) if number > before => Ok(number),
            installed => installed.map(|()| number),
        }
    }

    /// Changes the limits at which the key term is replaced without a request. A conflict with
    /// another change of the keyring is the caller's to try again.
    pub async fn configure_rotation(
        &self,
        change: impl FnOnce(&mut RotationConfig),
        now: Timestamp,
    ) -> Result<(), BarrierError> {
        let keys = self.keys()?;
        let mut config = keys.keyring.rotation;
        change(&mut config);
        config.check()?;
        let change = Self::replacement(&keys, |keyring| Ok(keyring.configured(config)))?;
        self.install(change, now).await
    }

    /// Takes over the count of earlier processes or other nodes.
    pub(super) fn adopt_usage(&self) -> Result<(), BarrierError> {
        let Some(record) = self.storage.get(self.changes.usage_key())? else {
            return Ok(());
        };
        let opened = self.open_record(&record.value, RecordKind::Record(USAGE_PATH))?;
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

    pub(super) fn rotation_due(&self, now: Timestamp) -> Result<Option<Replacement>, BarrierError> {
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

    pub(super) fn replacement(
        keys: &Keys,
        change: impl FnOnce(&Keyring) -> Result<Keyring, BarrierError>,
    ) -> Result<Replacement, BarrierError> {
        Ok(Replacement {
            record: keys.root_key.seal_keyring(&change(&keys.keyring)?),
            expected: keys.revision,
        })
    }

    pub(super) async fn install(
        &self,
        change: Replacement,
        now: Timestamp,
    ) -> Result<(), BarrierError> {
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
        let committed = self.storage.commit(transaction).await;
        if matches!(committed, Ok(_) | Err(CommitError::Conflict)) {
            // Also where another call changed the keyring first: take what it made.
            self.reload()?;
        }
        Ok(committed.map(drop)?)
    }
}
