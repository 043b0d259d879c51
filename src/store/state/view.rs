//! The saved records of a checkpoint, at one instant.

use super::form::{self, RECORDS};
use super::{Mark, Position, StateError};
use crate::clock::Timestamp;
use crate::store::Key;
use crate::store::archive::Sizes;
use bytes::Bytes;
use fjall::{Keyspace, Readable, Snapshot};

/// Records as they were at [`View::position`], whatever is applied meanwhile. Holds files that were
/// replaced since, so it is not to be kept for long.
pub struct View {
    snapshot: Snapshot,
    keyspace: Keyspace,
    mark: Mark,
}

impl View {
    pub(super) const fn new(snapshot: Snapshot, keyspace: Keyspace, mark: Mark) -> Self {
        Self {
            snapshot,
            keyspace,
            mark,
        }
    }

    /// Returns the position of the last entry that is in the view.
    pub fn position(&self) -> Option<Position> {
        self.mark.position
    }

    /// Returns the highest cluster time among the entries in the view.
    pub fn time_floor(&self) -> Timestamp {
        self.mark.time_floor
    }

    /// Counts the records, and the bytes of their keys and values, without reading long values.
    pub fn sizes(&self) -> Result<Sizes, StateError> {
        let walk = || self.snapshot.prefix(&self.keyspace, RECORDS);
        let mut sizes = Sizes::default();
        // A guard tells its key or its size, not both.
        for (key, value) in walk().zip(walk()) {
            let key = key.key()?.len().saturating_sub(RECORDS.len());
            let value = value.size()? as usize;
            let value = value.saturating_sub(form::REVISION_BYTES);
            sizes.records += 1;
            sizes.bytes += u64::try_from(key + value).unwrap_or(u64::MAX);
        }
        Ok(sizes)
    }

    /// Returns the records in order of their keys.
    pub fn records(&self) -> impl Iterator<Item = Result<(Key, Bytes), StateError>> + use<> {
        let walk = self.snapshot.prefix(&self.keyspace, RECORDS);
        walk.map(|guard| {
            let (key, value) = guard.into_inner()?;
            Ok((form::user_key(&key), form::decode_record(&value)?.value))
        })
    }
}
