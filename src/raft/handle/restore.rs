//! The store as a whole: its view, and its replacement through the log.
//!
//! A restore is one begin, as many chunks as it takes and one commit, each an entry of the log, one
//! after the other. Clients read and write meanwhile. Only while the commit is under way are their
//! writes refused: records that they encrypted may not fit the keyring that comes.

use super::storage::{RaftStorage, TRANSACTION_BYTES_MAX};
use crate::clock::Timestamp;
use crate::raft::applying::state_machine::blocking;
use crate::raft::disk::data_dir;
use crate::raft::wire::command;
use crate::raft::wire::types::Command;
use crate::store::state::{Restore, View};
use crate::store::{
    BoxFuture, CommitError, Key, ReadError, Records, RestoreError, Revision, Scratch, Whole,
};
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Mutex;

/// The most bytes of records in one chunk: small enough that the entries that are kept for
/// followers stay few megabytes, large enough that a flush each is no burden.
const CHUNK_BYTES_MAX: usize = 128 << 10;
/// Bytes of a chunk besides its records; a record may be as large as a transaction.
const CHUNK_OVERHEAD_BYTES: usize = 4 << 10;
/// Bytes of a record in a chunk besides key and value.
const RECORD_OVERHEAD_BYTES: usize = 8;

/// Runs one restore at a time, and refuses writes while it replaces everything.
pub(in crate::raft) struct RestoreGate {
    dir: PathBuf,
    turn: Arc<Mutex<()>>,
    replacing: AtomicBool,
}

impl RestoreGate {
    pub(in crate::raft) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            turn: Arc::default(),
            replacing: AtomicBool::new(false),
        }
    }

    /// Returns true while a restore replaces everything.
    pub(in crate::raft) fn is_replacing(&self) -> bool {
        self.replacing.load(Ordering::Acquire)
    }
}

impl Whole for RaftStorage {
    fn view(&self) -> BoxFuture<'_, Result<View, ReadError>> {
        Box::pin(async {
            let unavailable = |error: CommitError| ReadError::Unavailable(error.to_string());
            self.ensure_open().map_err(ReadError::Unavailable)?;
            self.checkpoint().await.map_err(unavailable)?;
            let applied = Arc::clone(&self.shared.applied);
            let view = blocking(move || applied.state.view()).await;
            let view = view.map_err(|error| ReadError::Unavailable(error.to_string()))?;
            let view = view.map_err(|error| ReadError::Fatal(error.to_string()))?;
            view.ok_or_else(|| ReadError::Unavailable("nothing was ever saved".into()))
        })
    }

    fn restore(
        &self,
        records: Records,
        time_floor: Timestamp,
    ) -> BoxFuture<'_, Result<Revision, RestoreError>> {
        Box::pin(async move {
            let id = uuid::Uuid::new_v4().as_u128();
            self.step(&Restore::Begin { id }).await?;
            let replaced = match self.stage(id, records).await {
                Ok(chunks) => self.replace(id, chunks, time_floor).await,
                Err(error) => Err(error),
            };
            if replaced.is_err() {
                // The error that is told is the first one.
                drop(self.step(&Restore::Abandon { id }).await);
            }
            replaced
        })
    }

    fn abandon_restore(&self) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async {
            let Some(id) = self.shared.applied.state.restoring() else {
                return Ok(());
            };
            match self.step(&Restore::Abandon { id }).await {
                Ok(_) | Err(RestoreError::Superseded) => Ok(()),
                Err(RestoreError::Commit(error)) => Err(error),
                Err(error) => Err(CommitError::Unavailable(error.to_string())),
            }
        })
    }

    fn scratch(&self) -> io::Result<Scratch> {
        let turn = Arc::clone(&self.restore.turn).try_lock_owned();
        let turn = turn.map_err(|_| io::Error::from(io::ErrorKind::WouldBlock))?;
        let file = data_dir::scratch_file(&self.restore.dir)?;
        Ok(Scratch { file, turn })
    }
}

impl RaftStorage {
    /// Puts all records into the log, and returns the number of chunks.
    async fn stage(&self, id: u128, records: Records) -> Result<u64, RestoreError> {
        let mut chunks = Chunks {
            records,
            next: None,
        };
        for number in 0.. {
            // They come from a file.
            let read = blocking(move || chunks.next().map(|records| (records, chunks))).await;
            let read = read.and_then(|read| read);
            let (records, rest) = read.map_err(RestoreError::Records)?;
            if records.is_empty() {
                return Ok(number);
            }
            chunks = rest;
            let step = Restore::Chunk {
                id,
                number,
                records,
            };
            self.step(&step).await?;
        }
        Ok(u64::MAX)
    }

    async fn replace(
        &self,
        id: u128,
        chunks: u64,
        time_floor: Timestamp,
    ) -> Result<Revision, RestoreError> {
        let _gate = Replacing::begin(&self.restore.replacing);
        let step = Restore::Commit {
            id,
            chunks,
            time_floor,
        };
        self.step(&step).await
    }

    async fn step(&self, step: &Restore) -> Result<Revision, RestoreError> {
        let command = command::encode_restore(step);
        let command = command.map_err(|error| CommitError::Fatal(error.to_string()))?;
        match self.propose(command).await {
            Err(CommitError::Conflict | CommitError::NotLeader) => Err(RestoreError::Superseded),
            answer => Ok(answer?),
        }
    }

    async fn propose(&self, command: Command) -> Result<Revision, CommitError> {
        self.ensure_open().map_err(CommitError::Unavailable)?;
        let limit = TRANSACTION_BYTES_MAX + CHUNK_OVERHEAD_BYTES;
        if command.len() > limit {
            let bytes = command.len();
            return Err(CommitError::TooLarge { bytes, limit });
        }
        self.decided(command).await
    }
}

/// Refuses writes until it is dropped.
struct Replacing<'a>(&'a AtomicBool);

impl<'a> Replacing<'a> {
    fn begin(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Release);
        Self(flag)
    }
}

impl Drop for Replacing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Gathers records into chunks.
struct Chunks {
    records: Records,
    /// The record that did not fit into the last chunk.
    next: Option<(Key, Bytes)>,
}

impl Chunks {
    /// Returns the next chunk; an empty one at the end.
    fn next(&mut self) -> io::Result<Vec<(Key, Bytes)>> {
        let mut chunk = Vec::new();
        let mut bytes = 0;
        loop {
            let record = match self.next.take() {
                Some(record) => record,
                None => match self.records.next().transpose()? {
                    Some(record) => record,
                    None => return Ok(chunk),
                },
            };
            bytes += RECORD_OVERHEAD_BYTES + record.0.len() + record.1.len();
            if bytes > CHUNK_BYTES_MAX && !chunk.is_empty() {
                self.next = Some(record);
                return Ok(chunk);
            }
            chunk.push(record);
        }
    }
}
