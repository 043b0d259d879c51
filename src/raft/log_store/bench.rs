//! A log without raft above it, for the benchmarks.

use super::segment_file::SegmentFile;
use super::{LogError, LogOptions, LogStore};
use crate::raft::disk::poison::Poison;
use crate::raft::wire::record::Position;
use crate::raft::wire::types::{Command, LogEntry, TypeConfig, log_id};
use bytes::Bytes;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use std::io;
use std::path::Path;
use std::sync::Arc;

const SEGMENT_BYTES: usize = 1280 << 10;
/// A size that no block divides: the log then writes through the kernel's cache and flushes, as on
/// a file system without direct writes.
const SEGMENT_BYTES_ODD: usize = SEGMENT_BYTES + 256;

/// A log of commands, all of one term.
pub struct Log {
    store: LogStore,
    last: Position,
}

impl Log {
    /// Returns true when files in `dir` take direct writes.
    pub fn takes_direct_writes(dir: &Path) -> Result<bool, LogError> {
        let probe = SegmentFile::create(dir, 0, SEGMENT_BYTES)?;
        let is_direct = probe.is_direct();
        probe.remove()?;
        Ok(is_direct)
    }

    /// Begins a log in the empty directory `dir`. Without `direct` it writes as on a file system
    /// that has no direct writes.
    pub fn open(dir: &Path, direct: bool) -> Result<Self, LogError> {
        let options = LogOptions {
            free_segments_max: 4,
            space: None,
            dir,
            log_id: 1,
            segment_bytes: if direct {
                SEGMENT_BYTES
            } else {
                SEGMENT_BYTES_ODD
            },
            applied: None,
            device: None,
        };
        let (store, _) = LogStore::open(&options, 1, Arc::new(Poison::default()))?;
        Ok(Self {
            store,
            last: Position { term: 1, index: 0 },
        })
    }

    /// Appends a command for each of `values`, and returns once all of them are on the device. They
    /// become one group, or as few as have room for them.
    pub async fn append(&mut self, values: &[Bytes]) -> io::Result<()> {
        let entries = values.iter().map(|value| {
            self.last.index += 1;
            let command = EntryPayload::Normal(Command(value.clone()));
            LogEntry::new(log_id(self.last), command)
        });
        let entries: Vec<_> = entries.collect();
        let (sender, receiver) = TypeConfig::oneshot();
        self.store
            .append(entries, IOFlushed::signal(sender))
            .await?;
        let flushed = receiver.await;
        flushed.unwrap_or_else(|_| Err(io::Error::other("the log's writer has stopped")))
    }

    /// Gives up all entries, so that their segments can be used again.
    pub async fn purge(&mut self) -> io::Result<()> {
        self.store.purge(log_id(self.last)).await?;
        self.store.take_turn().await
    }
}
