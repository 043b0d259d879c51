//! fjall beneath the overlay.

use super::overlay::Frozen;
use super::{Image, Mark, StateError};
use crate::store::{Key, Record, Revision};
use bytes::Bytes;
use fjall::compaction::Leveled;
use fjall::config::{PartitioningPolicy, PinningPolicy};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, Readable, Slice};
use std::path::Path;
use std::sync::Arc;

/// fjall's block cache. Overlay and `Hot` hold the hot records, so it can be small.
const CACHE_BYTES: u64 = 512 << 10;
/// Open table and blob files.
const OPEN_FILES_MAX: usize = 64;
/// Values from this size on go to blob files, so that compaction does not move them.
const SEPARATION_BYTES_MIN: u32 = 512;
/// Checkpoints that gather before they are merged into what is below. A merge rewrites all keys
/// below it, so fewer merges write less; more tables cost a bloom filter each on a read.
const TABLES_GATHERED: u8 = 28;
/// A merged table's size, which also bounds the level that a merge rewrites (28 times this).
const TABLE_BYTES: u64 = 1 << 20;
/// Keyspaces are named this and a number; the highest one with a mark is the state.
const NAME: &str = "state-";

const MARK_KEY: &[u8] = &[0];
const RECORD_PREFIX: u8 = 1;
const REVISION_BYTES: usize = 8;

/// One keyspace of one database.
pub(super) struct Tree {
    database: Database,
    keyspace: Keyspace,
    number: u64,
}

impl Tree {
    /// Opens the newest whole keyspace and drops the others: an install that was cut short, or
    /// the one that a finished install replaced.
    pub(super) fn open(path: &Path) -> Result<Self, StateError> {
        let database = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .max_cached_files(Some(OPEN_FILES_MAX))
            .worker_threads(1)
            .manual_journal_persist(true)
            .open()?;
        let mut numbers: Vec<u64> = database
            .list_keyspace_names()
            .iter()
            .filter_map(|name| name.strip_prefix(NAME)?.parse().ok())
            .collect();
        numbers.sort_unstable();
        let mut chosen: Option<Self> = None;
        let mut unsaved = Vec::new();
        for number in numbers.into_iter().rev() {
            let tree = Self::keyspace(&database, number)?;
            match tree.mark()? {
                Some(_) if chosen.is_none() => chosen = Some(tree),
                Some(_) => tree.retire()?,
                None => unsaved.push(tree),
            }
        }
        // Ingestion is atomic, so a keyspace without a mark is empty: good to begin with, and
        // making another at each start until the first checkpoint would cost twenty flushes.
        let chosen = chosen.or_else(|| unsaved.pop());
        for tree in unsaved {
            tree.retire()?;
        }
        match chosen {
            Some(tree) => Ok(tree),
            None => Self::keyspace(&database, 1),
        }
    }

    fn keyspace(database: &Database, number: u64) -> Result<Self, StateError> {
        let keyspace = database.keyspace(&format!("{NAME}{number}"), || {
            KeyspaceCreateOptions::default()
                .manual_journal_persist(true)
                .max_memtable_size(1 << 20)
                .compaction_strategy(Arc::new(
                    Leveled::default()
                        .with_l0_threshold(TABLES_GATHERED)
                        .with_table_target_size(TABLE_BYTES),
                ))
                // Below the gathered tables, filters and indexes come in pieces on demand, so that
                // memory does not grow with the data.
                .index_block_pinning_policy(PinningPolicy::new([true, false]))
                .index_block_partitioning_policy(PartitioningPolicy::new([false, true]))
                .filter_block_partitioning_policy(PartitioningPolicy::new([false, true]))
                .with_kv_separation(Some(
                    KvSeparationOptions::default().separation_threshold(SEPARATION_BYTES_MIN),
                ))
        })?;
        Ok(Self {
            database: database.clone(),
            keyspace,
            number,
        })
    }

    pub(super) fn mark(&self) -> Result<Option<Mark>, StateError> {
        let found = self.keyspace.get(MARK_KEY)?;
        found.map(|bytes| Mark::decode(&bytes)).transpose()
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Record>, StateError> {
        let found = self.keyspace.get(record_key(key))?;
        found.map(|bytes| decode_record(&bytes)).transpose()
    }

    /// Saves an overlay whole, or leaves everything as it was.
    pub(super) fn ingest(&self, frozen: &Frozen) -> Result<(), StateError> {
        let mut ingestion = self.keyspace.start_ingestion()?;
        ingestion.write(MARK_KEY, frozen.mark.encode()?)?;
        for (key, record) in &frozen.map {
            match record {
                Some(record) => ingestion.write(record_key(key), encode_record(record))?,
                None => ingestion.write_tombstone(record_key(key))?,
            }
        }
        Ok(ingestion.finish()?)
    }

    /// A read view of everything saved.
    pub(super) fn image(&self) -> Result<Option<(Mark, Image)>, StateError> {
        let view = self.database.snapshot();
        let Some(mark) = view.get(&self.keyspace, MARK_KEY)? else {
            return Ok(None);
        };
        let mark = Mark::decode(&mark)?;
        let items = view
            .prefix(&self.keyspace, [RECORD_PREFIX])
            .map(move |guard| {
                let (key, value) = guard.into_inner()?;
                Ok((user_key(&key), decode_record(&value)?))
            });
        Ok(Some((mark, Image::new(items))))
    }

    /// Fills a fresh keyspace with `image`; it counts once this returns.
    pub(super) fn successor(&self, mark: &Mark, image: Image) -> Result<Self, StateError> {
        let fresh = Self::keyspace(&self.database, self.number + 1)?;
        let mut ingestion = fresh.keyspace.start_ingestion()?;
        ingestion.write(MARK_KEY, mark.encode()?)?;
        for item in image {
            let (key, record) = item?;
            ingestion.write(record_key(&key), encode_record(&record))?;
        }
        ingestion.finish()?;
        Ok(fresh)
    }

    /// Deletes this keyspace's files once nobody reads them.
    pub(super) fn retire(&self) -> Result<(), StateError> {
        Ok(self.database.delete_keyspace(self.keyspace.clone())?)
    }

    /// A walk over the saved keys that start with `prefix`, from `from` on.
    pub(super) fn walk(
        &self,
        prefix: &[u8],
        from: &[u8],
    ) -> impl Iterator<Item = Result<Key, StateError>> + use<> {
        let view = self.database.snapshot();
        let end = Key::copy_from_slice(&record_key(prefix));
        view.range(&self.keyspace, record_key(from)..)
            .map(|guard| Ok(guard.key()?))
            .take_while(move |key: &Result<Slice, StateError>| {
                key.as_ref().map_or(true, |key| key.starts_with(&end))
            })
            .map(|key| Ok(user_key(&key?)))
    }
}

fn record_key(key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + key.len());
    bytes.push(RECORD_PREFIX);
    bytes.extend_from_slice(key);
    bytes
}

fn user_key(key: &[u8]) -> Key {
    Key::copy_from_slice(key.get(1..).unwrap_or_default())
}

fn encode_record(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(REVISION_BYTES + record.value.len());
    bytes.extend_from_slice(&record.revision.0.to_le_bytes());
    bytes.extend_from_slice(&record.value);
    bytes
}

pub(super) fn decode_record(bytes: &[u8]) -> Result<Record, StateError> {
    let (revision, value) = bytes
        .split_first_chunk::<REVISION_BYTES>()
        .ok_or(StateError::Damaged("record shorter than its revision"))?;
    Ok(Record {
        revision: Revision(u64::from_le_bytes(*revision)),
        value: Bytes::copy_from_slice(value),
    })
}
