//! Applied records that fjall does not have yet.

use super::tree::Tree;
use super::{Limits, Mark};
use crate::store::{Key, Op, Record, Revision};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The bytes that a key costs besides its own: the map's node and two handles.
const RECORD_OVERHEAD_BYTES: usize = 128;

/// The bytes that a record costs in fjall besides its value and its key, which stands in a table
/// and in a blob file: headers, a checksum, its part of index and filter.
const SAVED_OVERHEAD_BYTES: usize = 96;

/// Records and tombstones, with their size.
#[derive(Default)]
pub(super) struct Overlay {
    map: Records,
    bytes: usize,
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
            let value = record.as_ref().map_or(0, |record| record.value.len());
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
pub(super) type Records = BTreeMap<Key, Option<Record>>;

impl Overlay {
    pub(super) fn get(&self, key: &[u8]) -> Option<&Option<Record>> {
        self.map.get(key)
    }

    pub(super) fn put(&mut self, op: &Op, revision: Revision) {
        let (key, record) = match op {
            Op::Put { key, value } => (
                key,
                Some(Record {
                    revision,
                    value: value.clone(),
                }),
            ),
            Op::Delete { key } => (key, None),
        };
        let size = |record: &Option<Record>| record.as_ref().map_or(0, |r| r.value.len());
        self.bytes += RECORD_OVERHEAD_BYTES + key.len() + size(&record);
        if let Some(old) = self.map.insert(key.clone(), record) {
            self.bytes = self
                .bytes
                .saturating_sub(RECORD_OVERHEAD_BYTES + key.len() + size(&old));
        }
    }

    /// Takes records over, replacing older ones.
    pub(super) fn absorb(&mut self, records: Records) {
        for (key, record) in records {
            let value = record.as_ref().map_or(0, |record| record.value.len());
            self.bytes += RECORD_OVERHEAD_BYTES + key.len() + value;
            self.map.insert(key, record);
        }
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
