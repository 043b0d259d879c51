//! The log in memory: the place of each entry, and the last entries themselves.

use super::segment_file::SegmentFile;
use crate::memory;
use crate::raft::wire::record::{Position, Record, WireError};
use crate::raft::wire::types::{LogEntry, LogId, Vote, log_id, position};
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use std::collections::VecDeque;
use std::sync::Arc;

/// The most groups that are kept for followers: each takes one [`GroupLocation`] of memory.
const GROUPS_KEPT_MAX: usize = 4096;
/// Memory that an entry takes besides its command, in bytes.
const ENTRY_OVERHEAD_BYTES: usize = 128;

/// The place of a group of entries on the device.
#[derive(Clone)]
pub(super) struct GroupLocation {
    pub(super) first: u64,
    /// The index after the last entry in the group that still counts.
    pub(super) end: u64,
    pub(super) file: Arc<SegmentFile>,
    pub(super) offset: usize,
    pub(super) bytes: usize,
    pub(super) sequence: u64,
    /// The offsets in the group of the entries from `first` on, in bytes.
    pub(super) entries: Arc<[u32]>,
}

impl GroupLocation {
    /// Returns where the record of the entry `index` is in the file: its offset, and the most bytes
    /// that it may take.
    fn entry(&self, index: u64) -> Option<(usize, usize)> {
        let number = usize::try_from(index.checked_sub(self.first)?).ok()?;
        let offset = *self.entries.get(number)? as usize;
        let next = self.entries.get(number + 1).map(|next| *next as usize);
        let bytes = next.unwrap_or(self.bytes).checked_sub(offset)?;
        Some((self.offset + offset, bytes))
    }
}

/// The place of one entry.
pub(super) enum EntryPlace {
    /// The entry, which is in memory.
    Here(LogEntry),
    /// The file, the offset in it, and the most bytes that the entry's record may take.
    File(Arc<SegmentFile>, usize, usize),
    /// The log does not have it.
    Nowhere,
}

/// The log as raft sees it. Indexes are contiguous from `purged` (exclusive) to `last`.
#[derive(Default)]
pub(super) struct Index {
    pub(super) vote: Option<Vote>,
    pub(super) purged: Option<Position>,
    pub(super) last: Option<Position>,
    pub(super) committed: Option<LogId>,
    /// The index of the newest entry with voters besides this node, since the log was opened.
    pub(super) others_at: u64,
    /// The newest entries, contiguous up to `last`.
    cache: VecDeque<LogEntry>,
    cache_bytes: usize,
    cache_max: CacheMax,
    /// The groups on the device, oldest first.
    places: VecDeque<GroupLocation>,
    /// The index after the last entry on the device.
    written_end: u64,
}

/// The most bytes of entries that are kept for apply and replication besides those not yet written.
struct CacheMax(usize);

impl Default for CacheMax {
    fn default() -> Self {
        Self(memory::DEFAULT.log_cache_bytes)
    }
}

impl Index {
    /// Keeps at most `bytes` of the entries that are written.
    pub(super) fn bound_cache(&mut self, bytes: usize) {
        self.cache_max = CacheMax(bytes);
        self.trim();
    }

    /// Appends an entry.
    pub(super) fn push(&mut self, entry: LogEntry) {
        self.last = Some(position(&entry.log_id()));
        self.cache_bytes += cost(&entry);
        self.cache.push_back(entry);
    }

    /// Notes that entries are on the device, and forgets the oldest of those in the cache.
    pub(super) fn written(&mut self, place: GroupLocation) {
        self.written_end = place.end;
        self.places.push_back(place);
        self.trim();
    }

    fn trim(&mut self) {
        while self.cache_bytes > self.cache_max.0 {
            let old = self.cache.front().map(RaftEntry::index);
            if old.is_none_or(|index| index >= self.written_end) {
                return;
            }
            if let Some(entry) = self.cache.pop_front() {
                self.cache_bytes -= cost(&entry);
            }
        }
    }

    /// Drops the entries after `last`.
    pub(super) fn truncate(&mut self, last: Option<Position>) {
        let end = last.map_or(0, |last| last.index + 1);
        if end >= self.end() {
            return;
        }
        while self.cache.back().is_some_and(|entry| entry.index() >= end) {
            if let Some(entry) = self.cache.pop_back() {
                self.cache_bytes -= cost(&entry);
            }
        }
        while self.places.back().is_some_and(|place| place.first >= end) {
            self.places.pop_back();
        }
        if let Some(place) = self.places.back_mut() {
            place.end = place.end.min(end);
        }
        self.written_end = self.written_end.min(end);
        self.last = last.max(self.purged);
    }

    /// Returns true when an entry `id` cannot be in a log that holds all of this one's committed
    /// entries. For an entry that is not in memory only its term is compared.
    pub(super) fn contradicts_committed(&self, id: &LogId) -> bool {
        let Some(committed) = self.committed else {
            return false;
        };
        let (index, term) = (id.index(), id.committed_leader_id().term);
        let (end, last_term) = (committed.index(), committed.committed_leader_id().term);
        if index >= end {
            return term < last_term || (index == end && term != last_term);
        }
        let first = self.cache.front().map(RaftEntry::index);
        let place = first.and_then(|first| usize::try_from(index.checked_sub(first)?).ok());
        let held = place.and_then(|place| self.cache.get(place));
        match held {
            Some(entry) => entry.log_id() != *id,
            None => term > last_term,
        }
    }

    /// Forgets the entries up to `upto`.
    pub(super) fn purge(&mut self, upto: Position) {
        let end = upto.index + 1;
        while self.cache.front().is_some_and(|entry| entry.index() < end) {
            if let Some(entry) = self.cache.pop_front() {
                self.cache_bytes -= cost(&entry);
            }
        }
        while self.places.front().is_some_and(|place| place.end <= end) {
            self.places.pop_front();
        }
        self.purged = self.purged.max(Some(upto));
        if self.last.is_none_or(|last| last.index <= upto.index) {
            // A snapshot took the place of the whole log.
            self.last = Some(upto);
            self.cache.clear();
            self.cache_bytes = 0;
            self.places.clear();
        }
    }

    /// Returns the index of the newest entry that may be purged when the newest groups, `bytes` of
    /// the device at most, are kept.
    pub(super) fn surplus(&self, bytes: usize) -> Option<u64> {
        let mut left = bytes;
        let newest = self.places.iter().rev().enumerate();
        for (count, place) in newest {
            match left.checked_sub(place.bytes) {
                Some(less) if count < GROUPS_KEPT_MAX => left = less,
                _ => return place.end.checked_sub(1),
            }
        }
        None
    }

    /// Applies a record read from the device. The caller notes the place of entries.
    pub(super) fn replay(&mut self, record: Record) -> Result<(), WireError> {
        match record {
            Record::Start(start) => {
                if self.places.is_empty() && self.cache.is_empty() {
                    // The oldest segment: all before it is gone, whatever was purged.
                    self.purged = start.purged.max(start.last);
                    self.last = self.purged;
                }
                self.vote = start.vote.map(Vote::from);
            }
            Record::Vote(ballot) => self.vote = Some(ballot.into()),
            Record::Truncate(last) => {
                // `Start` tells of segments that are gone, and may reach beyond the truncation.
                self.purged = self.purged.min(last);
                self.truncate(last);
            }
            Record::Purge(upto) => self.purge(upto),
            Record::Blank(_)
            | Record::Command(..)
            | Record::MembershipAlone(..)
            | Record::Membership(..) => {
                if let Some(entry) = record.into_entry()? {
                    self.push(entry);
                }
            }
        }
        Ok(())
    }

    /// Returns the first index in the log.
    pub(super) fn first(&self) -> u64 {
        match self.purged {
            Some(purged) => purged.index + 1,
            None => {
                let place = self.places.front().map(|place| place.first);
                let cached = self.cache.front().map(RaftEntry::index);
                place.or(cached).unwrap_or(0)
            }
        }
    }

    /// Returns the index after the last one.
    pub(super) fn end(&self) -> u64 {
        self.last.map_or(0, |last| last.index + 1)
    }

    /// Returns the entries `start..end` that are in memory, and the places of those before them.
    pub(super) fn find(&self, start: u64, end: u64) -> (Vec<GroupLocation>, Vec<LogEntry>) {
        let start = start.max(self.first());
        let end = end.min(self.end());
        let Some(front) = self.cache.front().map(RaftEntry::index) else {
            return (self.places(start, end), Vec::new());
        };
        let skip = usize::try_from(start.saturating_sub(front)).unwrap_or(usize::MAX);
        let count = usize::try_from(end.saturating_sub(start.max(front))).unwrap_or(0);
        let cached = self.cache.iter().skip(skip).take(count).cloned().collect();
        (self.places(start, end.min(front)), cached)
    }

    /// Finds one entry.
    pub(super) fn locate(&self, index: u64) -> EntryPlace {
        if index < self.first() || index >= self.end() {
            return EntryPlace::Nowhere;
        }
        let front = self.cache.front().map(RaftEntry::index);
        let number = front.and_then(|front| usize::try_from(index.checked_sub(front)?).ok());
        if let Some(entry) = number.and_then(|number| self.cache.get(number)) {
            return EntryPlace::Here(entry.clone());
        }
        let from = self.places.partition_point(|place| place.end <= index);
        let found = self.places.get(from);
        let found = found.and_then(|place| Some((place, place.entry(index)?)));
        match found {
            Some((place, (offset, bytes))) => {
                EntryPlace::File(Arc::clone(&place.file), offset, bytes)
            }
            None => EntryPlace::Nowhere,
        }
    }

    fn places(&self, start: u64, end: u64) -> Vec<GroupLocation> {
        if start >= end {
            return Vec::new();
        }
        let from = self.places.partition_point(|place| place.end <= start);
        let places = self.places.iter().skip(from);
        places
            .take_while(|place| place.first < end)
            .cloned()
            .collect()
    }

    /// Returns the id of the entry at `index`, as far as it is known without reading the device:
    /// the last one, the purged one, or one in the cache. Otherwise the newest known one before it.
    pub(super) fn id_at(&self, index: u64) -> Option<LogId> {
        let cached = self.cache.iter().rev().find(|entry| entry.index() <= index);
        let purged = || self.purged.filter(|purged| purged.index <= index);
        cached
            .map(RaftEntry::log_id)
            .or_else(|| purged().map(log_id))
    }

    /// Returns the id of the last entry.
    pub(super) fn last_log_id(&self) -> Option<LogId> {
        self.last.map(log_id)
    }
}

pub(super) fn cost(entry: &LogEntry) -> usize {
    let command = match &entry.payload {
        EntryPayload::Normal(command) => command.len(),
        EntryPayload::Blank | EntryPayload::Membership(_) => 0,
    };
    ENTRY_OVERHEAD_BYTES + command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: &Arc<SegmentFile>, first: u64) -> GroupLocation {
        GroupLocation {
            first,
            end: first + 10,
            file: Arc::clone(file),
            offset: 0,
            bytes: 512,
            sequence: first,
            entries: Arc::default(),
        }
    }

    #[test]
    fn the_cache_of_written_entries_is_bounded_and_may_be_bounded_further() {
        let dir = tempfile::tempdir().unwrap();
        let file = Arc::new(SegmentFile::create(dir.path(), 0, 4096).unwrap());
        let mut index = Index::default();
        let id = |at| log_id(Position { term: 1, index: at });
        for at in 0..10_000 {
            let payload = EntryPayload::Blank;
            index.push(LogEntry {
                log_id: id(at),
                payload,
            });
        }
        assert_eq!(index.cache.len(), 10_000, "none of them is written");
        index.written(GroupLocation {
            end: 9_000,
            ..place(&file, 0)
        });
        let most = memory::DEFAULT.log_cache_bytes;
        assert_eq!(index.cache.len(), most / ENTRY_OVERHEAD_BYTES);
        index.bound_cache(memory::SMALL.log_cache_bytes);
        let most = memory::SMALL.log_cache_bytes;
        assert_eq!(index.cache.len(), most / ENTRY_OVERHEAD_BYTES);
        index.bound_cache(0);
        assert_eq!(index.cache.len(), 1_000, "those that are not written stay");
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes_and_in_groups() {
        let dir = tempfile::tempdir().unwrap();
        let file = Arc::new(SegmentFile::create(dir.path(), 0, 4096).unwrap());
        let mut index = Index::default();
        assert_eq!(index.surplus(0), None);
        for group in 0..10_000 {
            index.places.push_back(place(&file, 10 * group));
        }
        assert_eq!(index.surplus(0), Some(99_999));
        assert_eq!(index.surplus(512), Some(99_989));
        assert_eq!(index.surplus(1023), Some(99_989));
        assert_eq!(index.surplus(1024), Some(99_979));
        let all = Some(99_999 - 10 * 4096);
        assert_eq!(index.surplus(usize::MAX), all);
        // The memory of that many groups, and as many again before the next checkpoint.
        let bytes = 2 * GROUPS_KEPT_MAX * size_of::<GroupLocation>();
        assert!(bytes <= 512 << 10, "{bytes}");
        index.places.truncate(GROUPS_KEPT_MAX);
        assert_eq!(index.surplus(usize::MAX), None);
    }
}
