//! The plaintext changes of one request, on their way to becoming one log entry.

use super::names::Place;
use crate::secret::SecretBytes;
use crate::store::{Key, Revision};
use std::sync::Arc;
use std::time::Instant;

/// Changes and preconditions under absolute barrier paths (`logical/<uuid>/data/x`). Made through
/// a [`super::View`], so an engine cannot write outside its own subtree.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) changes: Vec<Change>,
    pub(super) expectations: Vec<(Target, Revision)>,
    /// Preconditions on reserved keys.
    pub(super) raw_expectations: Vec<(&'static [u8], Revision)>,
    /// About the bytes of the log entry to be.
    weight: usize,
}

/// From this weight on whoever can leave the rest to a later batch should; far below what one
/// log entry may hold.
const HEAVY_BYTES: usize = 256 << 10;
/// Bytes that encryption adds to each segment of a path, and to a record and its place.
const SEGMENT_OVERHEAD_BYTES: usize = 18;
const RECORD_OVERHEAD_BYTES: usize = 64;

/// Addresses a change. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Target {
    path: Arc<str>,
    /// The view's prefix, encrypted already, and its length in `path`.
    prefix: Option<(Arc<Place>, usize)>,
    /// The whole of it encrypted, where somebody read there.
    key: Option<Key>,
}

impl Target {
    pub(super) fn new(path: String, prefix: Option<(Arc<Place>, usize)>) -> Self {
        Self {
            path: path.into(),
            prefix,
            key: None,
        }
    }

    /// The same, known to be at `key`.
    pub(super) fn at(self, key: Key) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }

    pub(super) fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// The absolute barrier path.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn weight(&self) -> usize {
        let slashes = self.path.bytes().filter(|byte| *byte == b'/').count();
        RECORD_OVERHEAD_BYTES + self.path.len() + (slashes + 1) * SEGMENT_OVERHEAD_BYTES
    }

    /// The encrypted prefix and what follows it.
    pub(super) fn from(&self) -> Option<(&Place, &str)> {
        let (place, length) = self.prefix.as_ref()?;
        Some((place, self.path.get(*length..)?))
    }
}

#[derive(Debug)]
pub(super) enum Change {
    Put {
        target: Target,
        value: SecretBytes,
    },
    Delete {
        target: Target,
    },
    /// A public or separately sealed parameter at a reserved key, written as it is.
    PutRaw {
        key: &'static [u8],
        value: Vec<u8>,
    },
}

/// The result of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The entry's index; zero when the batch was empty and nothing was written.
    pub revision: Revision,
    /// When it was acknowledged.
    pub at: Instant,
}

impl Batch {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// True when committing would write nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Adds everything of `other`, after what is already here.
    pub fn append(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.expectations.extend(other.expectations);
        self.raw_expectations.extend(other.raw_expectations);
        self.weight += other.weight;
    }

    /// Is there so much in it that more belongs into another one?
    pub fn is_heavy(&self) -> bool {
        self.weight >= HEAVY_BYTES
    }

    /// Is the last change of `path` its end?
    pub(super) fn deletes(&self, path: &str) -> bool {
        let last = self.changes.iter().rev().find(|change| match change {
            Change::Put { target, .. } | Change::Delete { target } => target.path() == path,
            Change::PutRaw { .. } => false,
        });
        matches!(last, Some(Change::Delete { .. }))
    }

    /// The value that the last change of `path` puts there.
    pub(super) fn pending(&self, path: &str) -> Option<&SecretBytes> {
        self.changes.iter().rev().find_map(|change| match change {
            Change::Put { target, value } if target.path() == path => Some(Some(value)),
            Change::Delete { target } if target.path() == path => Some(None),
            _ => None,
        })?
    }

    /// What lies below `prefix` and whose last change puts something there, relative to it.
    pub(super) fn pending_below(&self, prefix: &str) -> Vec<String> {
        let put = self.changes.iter().filter_map(|change| match change {
            Change::Put { target, .. } => {
                let below = target.path().strip_prefix(prefix)?;
                (!self.deletes(target.path())).then(|| below.to_owned())
            }
            Change::Delete { .. } | Change::PutRaw { .. } => None,
        });
        let mut paths: Vec<String> = put.collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    pub(super) fn put(&mut self, target: Target, value: SecretBytes) {
        self.weight += target.weight() + value.expose().len();
        self.changes.push(Change::Put { target, value });
    }

    pub(super) fn delete(&mut self, target: Target) {
        self.weight += target.weight();
        self.changes.push(Change::Delete { target });
    }

    pub(super) fn expect(&mut self, target: Target, revision: Revision) {
        self.weight += target.weight();
        self.expectations.push((target, revision));
    }

    pub(super) fn put_raw(&mut self, key: &'static [u8], value: Vec<u8>) {
        self.changes.push(Change::PutRaw { key, value });
    }

    pub(super) fn expect_raw(&mut self, key: &'static [u8], revision: Revision) {
        self.raw_expectations.push((key, revision));
    }
}
