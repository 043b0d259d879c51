//! The plaintext changes of one request, on their way to becoming one log entry.

use crate::secret::SecretBytes;
use crate::store::Revision;
use std::time::Instant;

/// Changes and preconditions under absolute barrier paths (`logical/<uuid>/data/x`). Made through
/// a [`super::View`], so an engine cannot write outside its own subtree.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) changes: Vec<Change>,
    pub(super) expectations: Vec<(String, Revision)>,
}

#[derive(Debug)]
pub(super) enum Change {
    Put {
        path: String,
        value: SecretBytes,
    },
    Delete {
        path: String,
    },
    /// A public or separately sealed parameter at a reserved key, written as it is.
    PutRaw {
        key: Vec<u8>,
        value: Vec<u8>,
    },
}

/// What a commit gave back.
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
    }

    pub(super) fn put(&mut self, path: String, value: SecretBytes) {
        self.changes.push(Change::Put { path, value });
    }

    pub(super) fn delete(&mut self, path: String) {
        self.changes.push(Change::Delete { path });
    }

    pub(super) fn expect(&mut self, path: String, revision: Revision) {
        self.expectations.push((path, revision));
    }
}
