//! The plaintext changes of one request, on their way to becoming one log entry.

use super::names::SealedPath;
use super::plaintext::Plaintext;
use super::reserved;
use crate::store::{Key, Revision};
use std::sync::Arc;
use std::time::Instant;

/// The changes and preconditions of one request, under absolute barrier paths
/// (`logical/<uuid>/data/x`). Made through a [`super::View`], so an engine cannot write outside its
/// own subtree.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) changes: Vec<BatchChange>,
    pub(super) expectations: Vec<(Target, Revision)>,
    /// Preconditions on reserved keys.
    pub(super) raw_expectations: Vec<(&'static [u8], Revision)>,
    /// The approximate bytes of the log entry that the batch becomes.
    weight: usize,
}

/// The weight from which code that can leave the rest to a later batch should; far below the limit
/// of one log entry.
const HEAVY_BYTES: usize = 256 << 10;
/// The bytes that encryption adds to each segment of a path, and to a record and its place.
const SEGMENT_OVERHEAD_BYTES: usize = 18;
const RECORD_OVERHEAD_BYTES: usize = 64;

/// The address of a change. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Target {
    path: Arc<str>,
    /// The view's prefix, encrypted already, and its length in `path`.
    prefix: Option<(Arc<SealedPath>, usize)>,
    /// The whole path encrypted, where a reader has encrypted it already.
    key: Option<Key>,
}

impl Target {
    pub(super) fn new(path: String, prefix: Option<(Arc<SealedPath>, usize)>) -> Self {
        Self {
            path: path.into(),
            prefix,
            key: None,
        }
    }

    /// Returns the same target, known to be at `key`.
    pub(super) fn at(self, key: Key) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }

    pub(super) fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Returns the absolute barrier path.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn weight(&self) -> usize {
        let slashes = self.path.bytes().filter(|byte| *byte == b'/').count();
        RECORD_OVERHEAD_BYTES + self.path.len() + (slashes + 1) * SEGMENT_OVERHEAD_BYTES
    }

    /// Returns the encrypted prefix and the rest of the path.
    pub(super) fn from(&self) -> Option<(&SealedPath, &str)> {
        let (place, length) = self.prefix.as_ref()?;
        Some((place, self.path.get(*length..)?))
    }
}

#[derive(Debug)]
pub(super) enum BatchChange {
    Put {
        target: Target,
        value: Plaintext,
    },
    Delete {
        target: Target,
    },
    /// A public or separately sealed parameter at a reserved key, written as it is.
    PutRaw {
        key: &'static [u8],
        value: Vec<u8>,
    },
    /// Such a parameter goes.
    DeleteRaw {
        key: &'static [u8],
    },
}

/// The result of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The entry's index; zero when the batch was empty and nothing was written.
    pub revision: Revision,
    /// The time at which the commit was acknowledged.
    pub at: Instant,
}

impl Batch {
    /// Makes a batch without changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns true when committing would write nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Appends all changes and preconditions of `other`.
    pub fn append(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.expectations.extend(other.expectations);
        self.raw_expectations.extend(other.raw_expectations);
        self.weight += other.weight;
    }

    /// Returns true when the batch is so large that further changes belong into another one.
    pub fn is_heavy(&self) -> bool {
        self.weight >= HEAVY_BYTES
    }

    /// Returns true when the batch changes what opens the cluster.
    pub(super) fn changes_seal(&self) -> bool {
        self.changes.iter().any(|change| match change {
            BatchChange::PutRaw { key, .. } | BatchChange::DeleteRaw { key } => {
                reserved::SEAL.contains(key)
            }
            BatchChange::Put { .. } | BatchChange::Delete { .. } => false,
        })
    }

    /// Returns true when the last change of `path` deletes it.
    pub(super) fn deletes(&self, path: &str) -> bool {
        let last = self.changes.iter().rev().find(|change| match change {
            BatchChange::Put { target, .. } | BatchChange::Delete { target } => {
                target.path() == path
            }
            BatchChange::PutRaw { .. } | BatchChange::DeleteRaw { .. } => false,
        });
        matches!(last, Some(BatchChange::Delete { .. }))
    }

    /// Returns the value that the last change of `path` puts there.
    pub(super) fn pending(&self, path: &str) -> Option<&Plaintext> {
        self.changes.iter().rev().find_map(|change| match change {
            BatchChange::Put { target, value } if target.path() == path => Some(Some(value)),
            BatchChange::Delete { target } if target.path() == path => Some(None),
            _ => None,
        })?
    }

    /// Returns the paths below `prefix`, relative to it, whose last change puts a value there.
    pub(super) fn pending_below(&self, prefix: &str) -> Vec<String> {
        let put = self.changes.iter().filter_map(|change| match change {
            BatchChange::Put { target, .. } => {
                let below = target.path().strip_prefix(prefix)?;
                (!self.deletes(target.path())).then(|| below.to_owned())
            }
            BatchChange::Delete { .. }
            | BatchChange::PutRaw { .. }
            | BatchChange::DeleteRaw { .. } => None,
        });
        let mut paths: Vec<String> = put.collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    pub(super) fn put(&mut self, target: Target, value: Plaintext) {
        self.weight += target.weight() + value.expose().len();
        self.changes.push(BatchChange::Put { target, value });
    }

    pub(super) fn delete(&mut self, target: Target) {
        self.weight += target.weight();
        self.changes.push(BatchChange::Delete { target });
    }

    pub(super) fn expect(&mut self, target: Target, revision: Revision) {
        self.weight += target.weight();
        self.expectations.push((target, revision));
    }

    pub(super) fn put_raw(&mut self, key: &'static [u8], value: Vec<u8>) {
        self.changes.push(BatchChange::PutRaw { key, value });
    }

    pub(super) fn delete_raw(&mut self, key: &'static [u8]) {
        self.changes.push(BatchChange::DeleteRaw { key });
    }

    pub(super) fn expect_raw(&mut self, key: &'static [u8], revision: Revision) {
        self.raw_expectations.push((key, revision));
    }
}
