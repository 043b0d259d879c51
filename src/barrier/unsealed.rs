//! The barrier while its keys are in memory.

use super::batch::Change;
use super::{BarrierError, Batch, Commit, Entry, View};
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{Key, Op, Precondition, Revision, Storage, Transaction, Visit};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// Holds the keyring; the only type that can encrypt or decrypt.
pub struct Unsealed {
    storage: Arc<dyn Storage>,
}

impl Unsealed {
    /// A barrier for tests: keys are made up on the spot and die with it.
    pub fn for_test(storage: Arc<dyn Storage>) -> Arc<Self> {
        Arc::new(Self { storage })
    }

    /// The subtree `prefix` (empty, or ending in `/`).
    pub fn view(self: &Arc<Self>, prefix: &str) -> View {
        View::new(Arc::clone(self), prefix)
    }

    /// The storage below, for status and linearizable reads.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// Seals `batch` into one transaction stamped with `now` and commits it. An empty batch
    /// writes nothing.
    pub async fn commit(&self, batch: Batch, now: Timestamp) -> Result<Commit, BarrierError> {
        if batch.is_empty() {
            return Ok(Commit {
                revision: Revision(0),
                at: Instant::now(),
            });
        }
        let mut transaction = Transaction {
            time: now,
            ..Transaction::default()
        };
        for (path, revision) in batch.expectations {
            transaction.preconditions.push(Precondition {
                key: self.storage_key(&path)?,
                revision,
            });
        }
        for change in batch.changes {
            transaction.ops.push(match change {
                Change::Put { path, value } => Op::Put {
                    key: self.storage_key(&path)?,
                    value: value.into_inner().into(),
                },
                Change::Delete { path } => Op::Delete {
                    key: self.storage_key(&path)?,
                },
                Change::PutRaw { key, value } => Op::Put {
                    key: key.into(),
                    value: value.into(),
                },
            });
        }
        let revision = self.storage.commit(transaction).await?;
        Ok(Commit {
            revision,
            at: Instant::now(),
        })
    }

    pub(super) fn storage_key(&self, path: &str) -> Result<Key, BarrierError> {
        crate::path::check(path)?;
        Ok(Key::copy_from_slice(path.as_bytes()))
    }

    pub(super) fn read(&self, path: &str) -> Result<Option<Entry>, BarrierError> {
        let record = self.storage.get(&self.storage_key(path)?)?;
        Ok(record.map(|record| Entry {
            revision: record.revision,
            value: Secret::new(record.value.to_vec()),
        }))
    }

    pub(super) fn list(&self, prefix: &str) -> Result<Vec<String>, BarrierError> {
        let mut names = BTreeSet::new();
        for path in self.walk(prefix, usize::MAX)? {
            names.insert(match path.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => path,
            });
        }
        Ok(names.into_iter().collect())
    }

    pub(super) fn walk(&self, prefix: &str, limit: usize) -> Result<Vec<String>, BarrierError> {
        let mut paths = Vec::new();
        self.storage.scan(prefix.as_bytes(), &mut |key| {
            if paths.len() == limit {
                return Visit::Stop;
            }
            let rest = key.get(prefix.len()..).unwrap_or_default();
            paths.push(String::from_utf8_lossy(rest).into_owned());
            Visit::Next
        })?;
        Ok(paths)
    }
}
