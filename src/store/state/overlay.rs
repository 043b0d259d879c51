//! Applied records that fjall does not have yet.
//!
//! Their short values are in memory. Long ones are, too, until they fill it; the log then holds
//! them, since each is in the entry that wrote it, and memory keeps a checksum.

use super::tree::Tree;
use super::{Limits, Mark};
use crate::store::{Key, Op, Record, Revision};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The bytes that a key costs besides its own: the map's node and two handles.
const RECORD_OVERHEAD_BYTES: usize = 128;

/// The bytes that a record costs in fjall besides its value and its key, which stands in a table
/// and in a blob file: headers, a checksum, its part of index and filter.
const SAVED_OVERHEAD_BYTES: usize = 96;

/// The least size of a value that the log can hold in the place of memory.
const LOGGED_BYTES_MIN: usize = 512;

/// The part of the overlay's bytes that such values must have before they are left to the log.
const MOVED_PART_MIN: usize = 4;

/// Records and tombstones, with their size.
#[derive(Default)]
pub(super) struct Overlay {
    map: Records,
    bytes: usize,
    /// The bytes of held values that the log can hold instead.
    movable_bytes: usize,
    /// The long values that were written, and those of them, or of saved records, that were
    /// replaced or deleted.
    long_written: usize,
    long_gone: usize,
    /// The bytes of the transactions whose changes are in the overlay.
    pub(super) replay_bytes: usize,
}

/// An overlay on its way into fjall, with its mark.
pub(super) struct Frozen {
    pub(super) map: Records,
    pub(super) mark: Mark,
    /// The keyspace of a restore, and the records for it.
    pub(super) staged: Option<(Arc<Tree>, Records)>,
}

impl Frozen {
    /// Returns the bytes that saving it takes, at most.
    pub(super) fn bytes(&self) -> u64 {
        let staged = self.staged.iter().flat_map(|(_, records)| records);
        let each = self.map.iter().chain(staged).map(|(key, record)| {
            let value = record.as_ref().map_or(0, Kept::value_bytes);
            SAVED_OVERHEAD_BYTES + 2 * key.len() + value
        });
        u64::try_from(each.sum::<usize>()).unwrap_or(u64::MAX)
    }

    /// Returns a copy without the records that a restore has gathered.
    pub(super) fn without_staged(&self) -> Self {
        Self {
            map: self.map.clone(),
            mark: Mark {
                staging: None,
                ..self.mark.clone()
            },
            staged: None,
        }
    }
}

/// Records by key; `None` stands for a deleted one.
pub(super) type Records = BTreeMap<Key, Option<Kept>>;

/// A record of the overlay.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// A record, and the number of the change that wrote it in the entry of its revision.
    Held(Record, u32),
    Logged(Logged),
}

/// A record whose value only the log has, in a change of the entry of its revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Logged {
    pub(super) revision: Revision,
    /// The number of the change in the entry.
    pub(super) number: u32,
    bytes: u32,
    /// The CRC-32 of the value.
    crc: u32,
}

impl Kept {
    pub(super) fn revision(&self) -> Revision {
        match self {
            Self::Held(record, _) => record.revision,
            Self::Logged(logged) => logged.revision,
        }
    }

    /// Returns the size of the value, wherever it is.
    fn value_bytes(&self) -> usize {
        match self {
            Self::Held(record, _) => record.value.len(),
            Self::Logged(logged) => logged.bytes as usize,
        }
    }

    /// Returns the size of the value in memory, and the part of it that the log can hold instead.
    fn held_bytes(&self) -> (usize, usize) {
        match self {
            Self::Held(record, _) if record.value.len() >= LOGGED_BYTES_MIN => {
                (record.value.len(), record.value.len())
            }
            Self::Held(record, _) => (record.value.len(), 0),
            Self::Logged(_) => (0, 0),
        }
    }
}

impl Logged {
    fn of(record: &Record, number: u32) -> Option<Self> {
        Some(Self {
            revision: record.revision,
            number,
            bytes: u32::try_from(record.value.len()).ok()?,
            crc: crc32fast::hash(&record.value),
        })
    }

    /// Returns the record with `value`; `None` when that is not its value.
    pub(super) fn with(self, value: Bytes) -> Option<Record> {
        let is_it = value.len() == self.bytes as usize && crc32fast::hash(&value) == self.crc;
        let revision = self.revision;
        is_it.then_some(Record { revision, value })
    }
}

impl Overlay {
    pub(super) fn get(&self, key: &[u8]) -> Option<&Option<Kept>> {
        self.map.get(key)
    }

    /// Takes the change `number` of the entry `revision` over.
    pub(super) fn put(&mut self, op: &Op, revision: Revision, number: usize) {
        let (key, record) = match op {
            Op::Put { key, value } => {
                self.long_written += usize::from(value.len() >= LOGGED_BYTES_MIN);
                let value = value.clone();
                let number = u32::try_from(number).unwrap_or(u32::MAX);
                (key, Some(Kept::Held(Record { revision, value }, number)))
            }
            Op::Delete { key } => {
                self.long_gone += usize::from(!self.map.contains_key(key));
                (key, None)
            }
        };
        self.insert(key.clone(), record);
    }

    /// Takes records over, replacing older ones.
    pub(super) fn absorb(&mut self, records: Records) {
        for (key, record) in records {
            self.insert(key, record);
        }
    }

    fn insert(&mut self, key: Key, record: Option<Kept>) {
        let key_bytes = key.len();
        self.count(key_bytes, &record);
        if let Some(old) = self.map.insert(key, record) {
            self.discount(key_bytes, &old);
        }
    }

    /// Forgets a record of which nothing else knows.
    pub(super) fn forget(&mut self, key: &Key) {
        if let Some(old) = self.map.remove(key) {
            self.discount(key.len(), &old);
        }
    }

    fn count(&mut self, key_bytes: usize, record: &Option<Kept>) {
        let (held, movable) = record.as_ref().map_or((0, 0), Kept::held_bytes);
        self.bytes += RECORD_OVERHEAD_BYTES + key_bytes + held;
        self.movable_bytes += movable;
    }

    fn discount(&mut self, key_bytes: usize, record: &Option<Kept>) {
        let (held, movable) = record.as_ref().map_or((0, 0), Kept::held_bytes);
        let value_bytes = record.as_ref().map_or(0, Kept::value_bytes);
        self.long_gone += usize::from(value_bytes >= LOGGED_BYTES_MIN);
        let bytes = RECORD_OVERHEAD_BYTES + key_bytes + held;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.movable_bytes = self.movable_bytes.saturating_sub(movable);
    }

    /// Leaves the long values to the log once they are what fills the memory.
    pub(super) fn leave_to_log(&mut self, limits: &Limits) {
        let is_full = self.bytes >= limits.overlay_bytes_max;
        if !is_full || self.movable_bytes < limits.overlay_bytes_max / MOVED_PART_MIN {
            return;
        }
        for kept in self.map.values_mut().flatten() {
            if let Kept::Held(record, number) = kept
                && record.value.len() >= LOGGED_BYTES_MIN
                && let Some(logged) = Logged::of(record, *number)
            {
                *kept = Kept::Logged(logged);
            }
        }
        self.bytes = self.bytes.saturating_sub(self.movable_bytes);
        self.movable_bytes = 0;
    }

    /// Returns true when at least half as many long values went as came: more of them would be gone
    /// before the next checkpoint if that came later.
    pub(super) fn churns(&self) -> bool {
        self.long_written > 0 && 2 * self.long_gone >= self.long_written
    }

    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Returns true when this overlay and `other` together reach any of the limits, `times` over.
    pub(super) fn exceeds(&self, other: Option<&Self>, limits: &Limits, times: usize) -> bool {
        let (bytes, records) = other.map_or((0, 0), |other| (other.bytes, other.map.len()));
        self.bytes + bytes >= limits.overlay_bytes_max * times
            || self.map.len() + records >= limits.overlay_records_max * times
            || self.replay_bytes >= limits.replay_bytes_max * times
    }

    pub(super) fn map(&self) -> &Records {
        &self.map
    }

    pub(super) fn into_map(self) -> Records {
        self.map
    }
}
