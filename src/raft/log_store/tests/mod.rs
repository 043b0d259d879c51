//! The damage that the log survives, and the damage that it refuses to pass over.

mod disk;
mod faults;
mod reads;

use super::group::{self, FoundGroup};
use super::recovery::{RecoveredLog, recover};
use super::{LogError, LogOptions, LogStore};
use crate::raft::disk::poison::Poison;
use crate::raft::wire::record::Position;
use crate::raft::wire::types::{Command, LogEntry, TypeConfig, Vote, log_id};
use bytes::Bytes;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use std::path::Path;
use std::sync::Arc;

const LOG_ID: u64 = 0x1234_5678_9abc_def0;
const SEGMENT_BYTES: usize = 16 << 10;

fn options(dir: &Path) -> LogOptions<'_> {
    LogOptions {
        free_segments_max: 4,
        space: None,
        dir,
        log_id: LOG_ID,
        segment_bytes: SEGMENT_BYTES,
        applied: None,
        device: None,
    }
}

fn open(dir: &Path) -> Result<LogStore, LogError> {
    LogStore::open(&options(dir), 1, Arc::new(Poison::default())).map(|(store, _)| store)
}

fn entry(term: u64, index: u64, bytes: usize) -> LogEntry {
    let fill = u8::try_from(index % 251).unwrap();
    let command = Command(Bytes::from(vec![fill; bytes]));
    LogEntry::new(
        log_id(Position { term, index }),
        EntryPayload::Normal(command),
    )
}

/// Appends and returns once the entries are on the device.
async fn append(store: &mut LogStore, entries: Vec<LogEntry>) {
    let (sender, receiver) = TypeConfig::oneshot();
    store
        .append(entries, IOFlushed::signal(sender))
        .await
        .unwrap();
    receiver.await.unwrap().unwrap();
}

/// The contents of a recovered log.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    vote: Option<Vote>,
    entries: Vec<LogEntry>,
    /// The index before the first entry that must be there.
    purged: Option<u64>,
}

impl Content {
    /// Compares two contents, but for entries that were purged, or that the state has, and that are
    /// there still.
    fn matches(&self, found: &Content, applied: Option<Position>) -> bool {
        let purged = self.purged.max(applied.map(|applied| applied.index));
        let from = purged.map_or(0, |purged| purged + 1);
        let kept: Vec<_> = found.entries.iter().filter(|e| e.index() >= from).collect();
        let own: Vec<_> = self.entries.iter().filter(|e| e.index() >= from).collect();
        self.vote == found.vote && own == kept
    }
}

fn content(found: &RecoveredLog) -> Content {
    let (places, cached) = found.index.find(0, u64::MAX);
    let mut entries = Vec::new();
    for place in places {
        let bytes = place.file.read(place.offset, place.bytes).unwrap();
        let FoundGroup::Group(group) = group::decode(bytes.bytes(), LOG_ID) else {
            panic!("a group that was recovered does not read back");
        };
        for record in group.records {
            let entry = record.into_entry().unwrap();
            entries.extend(entry.filter(|e| (place.first..place.end).contains(&e.index())));
        }
    }
    entries.extend(cached);
    Content {
        vote: found.index.vote,
        entries,
        purged: found.index.purged.map(|purged| purged.index),
    }
}

fn recovered(dir: &Path, applied: Option<Position>) -> Result<Content, LogError> {
    recover(dir, LOG_ID, applied).map(|found| content(&found))
}
