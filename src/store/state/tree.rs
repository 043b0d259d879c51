//! The keyspaces of fjall beneath the overlay.

use super::catalog;
use super::form::{MARK_KEY, RECORDS, decode_record, encode_record, record_key, user_key};
use super::overlay::{Frozen, Kept, Logged, Records};
use super::{Image, ImageItem, Mark, StateError, View};
use crate::store::{Key, Record};
use crate::telemetry::writes;
use fjall::compaction::Leveled;
use fjall::config::{PartitioningPolicy, PinningPolicy};
use fjall::{
    AbstractTree, Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode,
    Readable, Slice,
};
use std::path::Path;
use std::sync::Arc;

/// The most open table and blob files.
const OPEN_FILES_MAX: usize = 64;
/// The least size of values in blob files, so that compaction does not move them.
const SEPARATION_BYTES_MIN: u32 = 512;
/// The number of checkpoints that gather before they are merged into the level below. A merge
/// rewrites all keys below it, so fewer merges write less; more tables cost a bloom filter each on
/// a read.
const TABLES_GATHERED: u8 = 28;
/// The size of a merged table, which also bounds the level that a merge rewrites (28 times this).
const TABLE_BYTES: u64 = 1 << 20;
/// The beginning of a keyspace's name, before its number; the highest one with a mark is the state.
const NAME: &str = "state-";

const STAGING_KEY: &[u8] = &[0, 1];
/// The beginning, in an image, of the keys of records that a restore has gathered; no other key
/// starts so.
const STAGED: &[u8] = &[0, 0];

/// The keyspaces that [`Tree::open`] found.
pub(super) struct Opened {
    /// The state.
    pub tree: Tree,
    /// The records that a restore has gathered.
    pub staged: Option<Tree>,
    /// The next number: no keyspace has it or a higher one.
    pub next_number: u64,
}

/// One keyspace of one database.
pub(super) struct Tree {
    database: Database,
    keyspace: Keyspace,
    number: u64,
}

impl Tree {
    /// Opens the newest whole keyspace and the one that a restore gathers in, and drops the
    /// others: an install that was cut short, or the one that a finished install replaced. fjall
    /// caches `cache_bytes` of blocks.
    pub(super) fn open(path: &Path, cache_bytes: u64) -> Result<Opened, StateError> {
        Self::open_from(path, cache_bytes, catalog::next_seqno(path)?)
    }

    /// Opens as [`Tree::open`] does, with `seqno` or a higher one as the next sequence number.
    pub(super) fn open_from(
        path: &Path,
        cache_bytes: u64,
        seqno: u64,
    ) -> Result<Opened, StateError> {
        let database = Database::builder(path)
            .cache_size(cache_bytes)
            .max_cached_files(Some(OPEN_FILES_MAX))
            .worker_threads(1)
            .manual_journal_persist(true)
            .open()?;
        database.supervisor.seqno.fetch_max(seqno);
        database.supervisor.snapshot_tracker.set(seqno);
        let mut numbers: Vec<u64> = database
            .list_keyspace_names()
            .iter()
            .filter_map(|name| name.strip_prefix(NAME)?.parse().ok())
            .collect();
        numbers.sort_unstable();
        let next_number = numbers.last().map_or(2, |last| last + 1);
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
        let staging = match &chosen {
            Some(tree) => tree.staging()?,
            None => None,
        };
        // Ingestion is atomic, so a first keyspace without a mark is empty: good to begin with,
        // and making another at each start until the first checkpoint would cost twenty flushes.
        let tree = match chosen.or_else(|| unsaved.pop()) {
            Some(tree) => tree,
            None => Self::keyspace(&database, 1)?,
        };
        let mut staged = None;
        for unsaved in unsaved {
            match Some(unsaved.number) == staging {
                true => staged = Some(unsaved),
                false => unsaved.retire()?,
            }
        }
        Ok(Opened {
            tree,
            staged,
            next_number,
        })
    }

    /// Makes an empty keyspace of the same database.
    pub(super) fn sibling(&self, number: u64) -> Result<Self, StateError> {
        Self::keyspace(&self.database, number)
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

    /// Returns true when a record is saved at `key`.
    pub(super) fn contains(&self, key: &[u8]) -> Result<bool, StateError> {
        Ok(self.keyspace.contains_key(record_key(key))?)
    }

    /// Returns the number of the keyspace that a restore gathers in.
    fn staging(&self) -> Result<Option<u64>, StateError> {
        let found = self.keyspace.get(STAGING_KEY)?;
        found.map(|bytes| staging_number(&bytes)).transpose()
    }

    /// Saves an overlay whole, or leaves all as it was. Records that a restore has gathered go
    /// first, so that the mark never counts more than there are. `read` gives the records whose
    /// values the log has.
    pub(super) fn ingest(&self, frozen: &Frozen, read: &ReadLogged<'_>) -> Result<(), StateError> {
        let mut head = vec![(MARK_KEY, Some(frozen.mark.encode()?))];
        match &frozen.staged {
            Some((tree, records)) => {
                if !records.is_empty() {
                    ingest(&tree.keyspace, Vec::new(), records, read)?;
                }
                head.push((STAGING_KEY, Some(tree.number.to_le_bytes().to_vec())));
            }
            None if self.staging()?.is_some() => head.push((STAGING_KEY, None)),
            None => {}
        }
        ingest(&self.keyspace, head, &frozen.map, read)
    }

    /// Returns a read view of all that is saved, the records that a restore has gathered first. The
    /// image is `None` when those are in none of `staged`.
    pub(super) fn image(
        &self,
        staged: &[Arc<Self>],
    ) -> Result<Option<(Mark, Option<Image>)>, StateError> {
        let view = self.database.snapshot();
        let Some(mark) = view.get(&self.keyspace, MARK_KEY)? else {
            return Ok(None);
        };
        let mark = Mark::decode(&mark)?;
        let number = match view.get(&self.keyspace, STAGING_KEY)? {
            Some(bytes) if mark.staging.is_some() => Some(staging_number(&bytes)?),
            _ => None,
        };
        let staged = match number {
            None => None,
            Some(number) => match staged.iter().find(|tree| tree.number == number) {
                Some(tree) => Some(view.prefix(&tree.keyspace, RECORDS)),
                None => return Ok(Some((mark, None))),
            },
        };
        let live = view.prefix(&self.keyspace, RECORDS);
        let item = |guard: fjall::Guard| {
            let (key, value) = guard.into_inner()?;
            Ok((user_key(&key), decode_record(&value)?))
        };
        let staged = staged.into_iter().flatten().map(move |guard| {
            let (key, record): (Key, Record) = item(guard)?;
            Ok((Key::from([STAGED, &key].concat()), record))
        });
        let image = Image::new(staged.chain(live.map(item)));
        Ok(Some((mark, Some(image))))
    }

    /// Returns a read view of all that is saved, for an archive. `None` before the first
    /// checkpoint.
    pub(super) fn view(&self) -> Result<Option<View>, StateError> {
        let view = self.database.snapshot();
        let Some(mark) = view.get(&self.keyspace, MARK_KEY)? else {
            return Ok(None);
        };
        let mark = Mark::decode(&mark)?;
        Ok(Some(View::new(view, self.keyspace.clone(), mark)))
    }

    /// Fills this keyspace with `image`, and `staged` with the records that a restore has gathered.
    /// The keyspace counts only after [`Tree::make_whole`].
    pub(super) fn fill(&self, image: Image, staged: Option<&Self>) -> Result<(), StateError> {
        let mut image = image.peekable();
        if let Some(staged) = staged {
            let mut ingestion = staged.keyspace.start_ingestion()?;
            while let Some(item) = image.next_if(is_staged) {
                let (key, record) = item?;
                let key = key.get(STAGED.len()..).unwrap_or_default();
                ingestion.write(record_key(key), encode_record(&record))?;
            }
            ingestion.finish()?;
        }
        let (mut ingestion, mut bytes) = (self.keyspace.start_ingestion()?, 0);
        for item in image {
            let (key, record) = item?;
            let (key, value) = (record_key(&key), encode_record(&record));
            bytes += key.len() + value.len();
            ingestion.write(key, value)?;
        }
        ingestion.finish()?;
        writes().state.add(bytes, 1);
        Ok(())
    }

    /// Records that this keyspace stands at `mark`, and that a restore gathers in `staged`.
    pub(super) fn make_whole(&self, mark: &Mark, staged: Option<&Self>) -> Result<(), StateError> {
        let mut ingestion = self.keyspace.start_ingestion()?;
        ingestion.write(MARK_KEY, mark.encode()?)?;
        if let Some(staged) = staged {
            ingestion.write(STAGING_KEY, staged.number.to_le_bytes())?;
        }
        Ok(ingestion.finish()?)
    }

    /// Deletes this keyspace's files once no reader uses them.
    pub(super) fn retire(&self) -> Result<(), StateError> {
        Ok(self.database.delete_keyspace(self.keyspace.clone())?)
    }

    /// Does a due merge in place of fjall's own thread, which ends at the first one that fails.
    /// Nothing is lost by that, but deleted records would keep their space until the next start.
    ///
    /// # Errors
    /// The operating system's, but for a full disk: the next checkpoint tries again.
    pub(super) fn stand_in(&self) -> Result<(), StateError> {
        // It tells in no other way; there is nothing in the journal to be written.
        let told = self.database.persist(PersistMode::Buffer);
        if !matches!(told, Err(fjall::Error::Poisoned)) {
            return Ok(());
        }
        let strategy = Arc::clone(&self.keyspace.config.compaction_strategy);
        let merged = self.keyspace.tree.compact(strategy, self.watermark());
        match merged.map_err(fjall::Error::from).map_err(StateError::from) {
            Err(StateError::DiskFull) => {
                tracing::warn!("the disk is full: checkpoints are not merged");
                Ok(())
            }
            merged => merged,
        }
    }

    /// Merges all tables into one level: deleted records go, and so do blob files without live
    /// values; the oldest with few are written anew.
    pub(super) fn rewrite(&self) -> Result<(), StateError> {
        let merged = self
            .keyspace
            .tree
            .major_compact(TABLE_BYTES, self.watermark());
        Ok(merged.map_err(fjall::Error::from)?)
    }

    /// Forgets what merges replaced, so that its files go now and not with the next merge; those
    /// that a reader looks at stay.
    pub(super) fn forget_replaced(&self) -> Result<(), StateError> {
        let Some(mark) = self.keyspace.get(MARK_KEY)? else {
            return Ok(());
        };
        // The watermark moves with ingestions only.
        let head = vec![(MARK_KEY, Some(mark.to_vec()))];
        let none = |_| Err(StateError::Damaged("a checkpoint without records"));
        ingest(&self.keyspace, head, &Records::new(), &none)?;
        let mut versions = self.keyspace.tree.get_version_history_lock();
        let forgotten = versions.maintenance(self.keyspace.path(), self.watermark());
        Ok(forgotten.map_err(fjall::Error::from)?)
    }

    /// Returns the bytes that [`Tree::rewrite`] writes before it frees any, at most.
    pub(super) fn rewrite_bytes(&self) -> u64 {
        self.table_bytes().saturating_add(self.moved_bytes())
    }

    /// Returns the bytes that the next merge of checkpoints writes before it frees any, at most.
    pub(super) fn merge_bytes(&self) -> u64 {
        let level = u64::from(TABLES_GATHERED) * TABLE_BYTES;
        let tables = self.table_bytes().min(2 * level);
        tables.saturating_add(self.moved_bytes())
    }

    /// Returns the bytes of values that a merge moves out of blob files, at most. It takes the
    /// oldest quarter of the files that are stale by a quarter or more, and their live values.
    fn moved_bytes(&self) -> u64 {
        let mut files = file_sizes(&self.keyspace.path().join("blobs"));
        files.sort_unstable_by(|one, other| other.cmp(one));
        let taken: u64 = files.iter().take(files.len() / 4).sum();
        (taken / 4 * 3).min(self.stale_bytes().saturating_mul(3))
    }

    /// Returns the bytes of values in blob files that are gone or replaced.
    pub(super) fn stale_bytes(&self) -> u64 {
        self.keyspace.fragmented_blob_bytes()
    }

    /// Returns the bytes of all files.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.keyspace.disk_space()
    }

    /// Returns the bytes of the tables: all but values in blob files.
    fn table_bytes(&self) -> u64 {
        file_sizes(&self.keyspace.path().join("tables"))
            .iter()
            .sum()
    }

    /// Returns the sequence number below which no reader looks.
    fn watermark(&self) -> u64 {
        let readers = &self.database.supervisor.snapshot_tracker;
        readers.get_seqno_safe_to_gc()
    }

    /// Walks over the saved keys that start with `prefix`, from `from` on.
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

/// Returns the bytes of each file in a directory.
fn file_sizes(dir: &Path) -> Vec<u64> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let bytes = files.filter_map(|file| file.metadata().ok().map(|meta| meta.len()));
    bytes.collect()
}

type Head = Vec<(&'static [u8], Option<Vec<u8>>)>;

/// Reads a record whose value the log has.
pub(super) type ReadLogged<'a> = dyn Fn(Logged) -> Result<Record, StateError> + 'a;

/// Writes `head` and, after it, `records`, or nothing.
fn ingest(
    keyspace: &Keyspace,
    head: Head,
    records: &Records,
    read: &ReadLogged<'_>,
) -> Result<(), StateError> {
    let (mut ingestion, mut bytes) = (keyspace.start_ingestion()?, 0);
    for (key, value) in head {
        bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        match value {
            Some(value) => ingestion.write(key, value)?,
            None => ingestion.write_tombstone(key)?,
        }
    }
    for (key, record) in records {
        let key = record_key(key);
        bytes += key.len();
        match record {
            Some(kept) => {
                let value = match kept {
                    Kept::Held(record, _) => encode_record(record),
                    Kept::Logged(logged) => encode_record(&read(*logged)?),
                };
                bytes += value.len();
                ingestion.write(key, value)?;
            }
            None => ingestion.write_tombstone(key)?,
        }
    }
    ingestion.finish()?;
    writes().state.add(bytes, 1);
    Ok(())
}

fn is_staged(item: &ImageItem) -> bool {
    item.as_ref().is_ok_and(|(key, _)| key.starts_with(STAGED))
}

fn staging_number(bytes: &[u8]) -> Result<u64, StateError> {
    let bytes = bytes.try_into();
    let bytes = bytes.map_err(|_| StateError::Damaged("number of a keyspace"))?;
    Ok(u64::from_le_bytes(bytes))
}
