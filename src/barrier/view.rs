//! One subtree of the barrier, as an engine sees it.

use super::{BarrierError, Batch, Unsealed};
use crate::secret::{Secret, SecretBytes};
use crate::store::Revision;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Reads below a prefix, and addresses changes below it. Cheap to clone.
#[derive(Clone)]
pub struct View {
    barrier: Arc<Unsealed>,
    prefix: Arc<str>,
}

/// A decrypted record.
#[derive(Debug)]
pub struct Entry {
    /// Entry that wrote it; goes into [`View::expect`].
    pub revision: Revision,
    /// Plaintext.
    pub value: SecretBytes,
}

impl View {
    pub(super) fn new(barrier: Arc<Unsealed>, prefix: &str) -> Self {
        debug_assert!(prefix.is_empty() || prefix.ends_with('/'));
        Self {
            barrier,
            prefix: prefix.into(),
        }
    }

    /// The subtree `prefix` (ends in `/`) below this one.
    pub fn sub(&self, prefix: &str) -> Self {
        Self::new(Arc::clone(&self.barrier), &self.absolute(prefix))
    }

    /// The absolute barrier path of `path`.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// The storage key of `path`: what observers are told. Deterministic while the keyring's
    /// path key stands.
    pub fn key(&self, path: &str) -> Result<crate::store::Key, BarrierError> {
        self.barrier.storage_key(&self.absolute(path))
    }

    /// Reads and decrypts one record.
    pub fn get(&self, path: &str) -> Result<Option<Entry>, BarrierError> {
        self.barrier.read(&self.absolute(path))
    }

    /// Reads a record that was written by [`View::put_record`]; `kind` names it in errors.
    pub fn get_record<T: DeserializeOwned>(
        &self,
        path: &str,
        kind: &'static str,
    ) -> Result<Option<(Revision, T)>, BarrierError> {
        let Some(entry) = self.get(path)? else {
            return Ok(None);
        };
        let value =
            postcard::from_bytes(entry.value.expose()).map_err(|_| BarrierError::Decode(kind))?;
        Ok(Some((entry.revision, value)))
    }

    /// Child names directly below `prefix` (empty, or ending in `/`), sorted; a name with
    /// children has a trailing `/`, and a name that is both leaf and folder appears twice.
    pub fn list(&self, prefix: &str) -> Result<Vec<String>, BarrierError> {
        self.barrier.list(&self.absolute(prefix))
    }

    /// Every record path below `prefix`, relative to it, at most `limit` of them, in storage
    /// order (not sorted). For purges.
    pub fn walk(&self, prefix: &str, limit: usize) -> Result<Vec<String>, BarrierError> {
        self.barrier.walk(&self.absolute(prefix), limit)
    }

    /// Adds "write `value` at `path`" to `batch`.
    pub fn put(&self, batch: &mut Batch, path: &str, value: SecretBytes) {
        batch.put(self.absolute(path), value);
    }

    /// Adds "write `value`, encoded with postcard, at `path`" to `batch`. Types of records are
    /// versioned by their owners: append fields only behind an enum or a version number.
    pub fn put_record<T: Serialize>(
        &self,
        batch: &mut Batch,
        path: &str,
        value: &T,
    ) -> Result<(), BarrierError> {
        let bytes = postcard::to_stdvec(value).map_err(|_| BarrierError::Decode("outgoing"))?;
        self.put(batch, path, Secret::new(bytes));
        Ok(())
    }

    /// Adds "delete `path`" to `batch`.
    pub fn delete(&self, batch: &mut Batch, path: &str) {
        batch.delete(self.absolute(path));
    }

    /// Adds a precondition: the record at `path` still has `revision` (zero: is absent).
    /// Whoever reads a record and writes what follows from it must add this.
    pub fn expect(&self, batch: &mut Batch, path: &str, revision: Revision) {
        batch.expect(self.absolute(path), revision);
    }
}
