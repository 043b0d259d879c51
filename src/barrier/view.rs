//! One subtree of the barrier, as an engine sees it.

use super::batch::Target;
use super::names::{SealedPath, is_folder};
use super::{BarrierError, Batch, Entry, Plaintext, Slot, Unsealed};
use crate::store::Revision;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::{Arc, OnceLock};

/// Reads below a prefix, and addresses changes below it. Cheap to clone.
#[derive(Clone)]
pub struct View {
    barrier: Arc<Unsealed>,
    prefix: Arc<str>,
    /// The prefix, encrypted once for all calls; `None` when the barrier was sealed already.
    place: Option<Arc<SealedPath>>,
    /// The first folder below the prefix that a call led into: an engine's records are mostly in
    /// one, such as kv's `m/`, so its name is encrypted once.
    folder: Arc<OnceLock<(Box<str>, SealedPath)>>,
}

impl View {
    pub(super) fn new(barrier: Arc<Unsealed>, prefix: &str) -> Self {
        let place = barrier.place(&SealedPath::root(), prefix);
        Self::at(barrier, prefix.into(), place.ok())
    }

    fn at(barrier: Arc<Unsealed>, prefix: Arc<str>, place: Option<SealedPath>) -> Self {
        debug_assert!(prefix.is_empty() || prefix.ends_with('/'));
        Self {
            barrier,
            prefix,
            place: place.map(Arc::new),
            folder: Arc::default(),
        }
    }

    /// Returns a view of the subtree `prefix` (ends in `/`) below this one.
    pub fn sub(&self, prefix: &str) -> Self {
        Self::at(
            Arc::clone(&self.barrier),
            self.absolute(prefix).into(),
            self.locate(prefix).ok(),
        )
    }

    /// Returns the absolute barrier path of `path`.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// Returns the storage key of `path`, as observers are told it. It never changes. The key of a
    /// folder (empty, or with a trailing `/`) is the beginning of all keys below it.
    pub fn key(&self, path: &str) -> Result<crate::store::Key, BarrierError> {
        crate::path::check(&self.absolute(path))?;
        Ok(self.locate(path)?.into_key())
    }

    /// Reads and decrypts one record. A folder (empty, or with a trailing `/`) has none.
    pub fn get(&self, path: &str) -> Result<Option<Entry>, BarrierError> {
        let absolute = self.absolute(path);
        crate::path::check(&absolute)?;
        if is_folder(&absolute) {
            return Ok(None);
        }
        self.barrier.read(self.locate(path)?.key(), &absolute)
    }

    /// Reads one place, to be written from the record that was read. A folder (empty, or with a
    /// trailing `/`) has no record, and none can be committed there.
    pub fn read(&self, path: &str) -> Result<Slot, BarrierError> {
        let target = self.target(path);
        crate::path::check(target.path())?;
        if is_folder(target.path()) {
            return Ok(Slot::new(target, None));
        }
        let key = self.locate(path)?.into_key();
        let found = self.barrier.read(&key, target.path())?;
        Ok(Slot::new(target.at(key), found))
    }

    fn locate(&self, path: &str) -> Result<SealedPath, BarrierError> {
        let prefix = self.place.as_ref().ok_or(BarrierError::Sealed)?;
        let Some((folder, rest)) = path.split_once('/') else {
            return self.barrier.place(prefix, path);
        };
        let (first, place) = match self.folder.get() {
            Some((first, place)) => (first, place),
            None => {
                let place = self.barrier.place(prefix, folder)?;
                let (first, place) = self.folder.get_or_init(|| (folder.into(), place));
                (first, place)
            }
        };
        match **first == *folder {
            true => self.barrier.place(place, rest),
            false => self.barrier.place(prefix, path),
        }
    }

    fn target(&self, path: &str) -> Target {
        let prefix = self
            .place
            .as_ref()
            .map(|place| (Arc::clone(place), self.prefix.len()));
        Target::new(self.absolute(path), prefix)
    }

    /// Reads a record that [`View::put_record_blindly`] or [`Batch::replace_record`] wrote; `kind`
    /// names it in errors.
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

    /// Lists the child names directly below `prefix` (empty, or ending in `/`), sorted; a name with
    /// children has a trailing `/`, and a name that is both leaf and folder appears twice.
    pub fn list(&self, prefix: &str) -> Result<Vec<String>, BarrierError> {
        crate::path::check(&self.absolute(prefix))?;
        self.barrier.list(&self.locate(prefix)?)
    }

    /// Returns the paths of all records below `prefix`, relative to it, at most `limit` of them, in
    /// storage order (not sorted). For purges.
    pub fn walk(&self, prefix: &str, limit: usize) -> Result<Vec<String>, BarrierError> {
        crate::path::check(&self.absolute(prefix))?;
        self.barrier.walk(&self.locate(prefix)?, None, limit)
    }

    /// Continues [`View::walk`] behind the path `after`, which an earlier call gave; begins anew
    /// where it is empty.
    pub fn walk_after(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, BarrierError> {
        if after.is_empty() {
            return self.walk(prefix, limit);
        }
        crate::path::check(&self.absolute(prefix))?;
        let last = self.locate(&format!("{prefix}{after}"))?.into_key();
        self.barrier.walk(&self.locate(prefix)?, Some(&last), limit)
    }

    /// Counts the records below this view: a walk over their keys, in which nothing is decrypted.
    pub fn count(&self) -> Result<u64, BarrierError> {
        self.barrier.count(&self.locate("")?)
    }

    /// Returns the place of a record that was read before with this revision (zero: it was absent),
    /// for owners that keep the decoded record and not its plaintext.
    pub fn known(&self, path: &str, revision: Revision) -> Slot {
        Slot::known(self.target(path), revision)
    }

    /// Adds a change to `batch`: write `value` at `path`, whatever is there by then. The caller
    /// says beside it why no earlier record matters; all others read a [`Slot`] and replace it.
    pub fn put_blindly(&self, batch: &mut Batch, path: &str, value: impl Into<Plaintext>) {
        batch.put(self.target(path), value.into());
    }

    /// Does as [`View::put_blindly`], with `value` encoded with postcard. Types of records are
    /// versioned by their owners: append fields only behind an enum or a version number.
    pub fn put_record_blindly<T: Serialize>(
        &self,
        batch: &mut Batch,
        path: &str,
        value: &T,
    ) -> Result<(), BarrierError> {
        self.put_blindly(batch, path, Plaintext::record(value)?);
        Ok(())
    }

    /// Returns the value that `batch` will write at `path`, when its last change there is a put.
    /// For a record that two rooms change in one request: the second must go on from the value of
    /// the first.
    pub fn pending<'a>(&self, batch: &'a Batch, path: &str) -> Option<&'a Plaintext> {
        batch.pending(&self.absolute(path))
    }

    /// Returns the paths below `prefix` (empty, or ending in `/`), relative to it, at which `batch`
    /// will write: a purge in the same batch must delete them beside the stored records.
    pub fn pending_below(&self, batch: &Batch, prefix: &str) -> Vec<String> {
        batch.pending_below(&self.absolute(prefix))
    }

    /// Returns true when the last change of `batch` at `path` deletes it.
    pub fn deletes(&self, batch: &Batch, path: &str) -> bool {
        batch.deletes(&self.absolute(path))
    }

    /// Adds a change to `batch`: delete `path`.
    pub fn delete(&self, batch: &mut Batch, path: &str) {
        batch.delete(self.target(path));
    }
}
