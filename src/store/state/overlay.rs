//! Applied records that fjall does not have yet.

use super::{Limits, Mark};
use crate::store::{Key, Op, Record, Revision};
use std::collections::BTreeMap;

/// What a key costs besides its bytes: the map's node and two handles.
const RECORD_OVERHEAD_BYTES: usize = 128;

/// Records and tombstones, with their size.
#[derive(Default)]
pub(super) struct Overlay {
    map: BTreeMap<Key, Option<Record>>,
    bytes: usize,
    /// Bytes of the transactions that made it.
    pub(super) replay_bytes: usize,
}

/// An overlay on its way into fjall, and how far it goes.
pub(super) struct Frozen {
    pub(super) map: BTreeMap<Key, Option<Record>>,
    pub(super) mark: Mark,
}

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

    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// True when any of the limits, `times` over, is reached.
    pub(super) fn exceeds(&self, limits: &Limits, times: usize) -> bool {
        self.bytes >= limits.overlay_bytes_max * times
            || self.map.len() >= limits.overlay_records_max * times
            || self.replay_bytes >= limits.replay_bytes_max * times
    }

    pub(super) fn map(&self) -> &BTreeMap<Key, Option<Record>> {
        &self.map
    }

    pub(super) fn into_map(self) -> BTreeMap<Key, Option<Record>> {
        self.map
    }
}
