//! A place in the store as it was read, through which it is written.

use super::batch::{Batch, Target};
use super::{BarrierError, Plaintext};
use crate::secret::SecretBytes;
use crate::store::Revision;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A decrypted record.
#[derive(Debug)]
pub struct Entry {
    /// The entry that wrote the record, for [`super::View::known`].
    pub revision: Revision,
    /// The plaintext.
    pub value: SecretBytes,
}

/// Holds one place as it was read: its encrypted name, its revision and its plaintext, if a record
/// is there. A change that is made through it ([`Batch::replace`], [`Batch::remove`],
/// [`Batch::keep`]) commits only while the place is still as it was read. The name is encrypted
/// and the record decrypted once, however often they are used. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Slot {
    target: Target,
    /// The record's revision; zero where there is none.
    revision: Revision,
    value: Option<Arc<SecretBytes>>,
}

impl Slot {
    pub(super) fn new(target: Target, found: Option<Entry>) -> Self {
        let (revision, value) = match found {
            Some(entry) => (entry.revision, Some(Arc::new(entry.value))),
            None => (Revision(0), None),
        };
        Self {
            target,
            revision,
            value,
        }
    }

    pub(super) const fn known(target: Target, revision: Revision) -> Self {
        Self {
            target,
            revision,
            value: None,
        }
    }

    /// Returns the absolute barrier path.
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// Returns the log entry that wrote the record; zero where there is none.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// Returns true where a record was found.
    pub fn is_taken(&self) -> bool {
        self.value.is_some()
    }

    /// Returns the plaintext of the record, if there is one.
    pub fn value(&self) -> Option<&SecretBytes> {
        self.value.as_deref()
    }

    /// Decodes the record that [`Batch::replace_record`] wrote; `kind` names it in errors.
    pub fn record<T: DeserializeOwned>(
        &self,
        kind: &'static str,
    ) -> Result<Option<T>, BarrierError> {
        let Some(value) = self.value() else {
            return Ok(None);
        };
        let decoded = postcard::from_bytes(value.expose());
        decoded.map(Some).map_err(|_| BarrierError::Decode(kind))
    }

    /// Returns the same place, taken to be empty: a change through it conflicts with a record that
    /// is there.
    pub fn as_absent(&self) -> Self {
        Self {
            target: self.target.clone(),
            revision: Revision(0),
            value: None,
        }
    }
}

impl Batch {
    /// Adds a change: write `value` in place of the record that was read.
    pub fn replace(&mut self, slot: &Slot, value: impl Into<Plaintext>) {
        self.keep(slot);
        self.put(slot.target.clone(), value.into());
    }

    /// Adds a change: write `value`, encoded with postcard, in place of the record that was read.
    /// Types of records are versioned by their owners: append fields only behind an enum or a
    /// version number.
    pub fn replace_record<T: Serialize>(
        &mut self,
        slot: &Slot,
        value: &T,
    ) -> Result<(), BarrierError> {
        self.replace(slot, Plaintext::record(value)?);
        Ok(())
    }

    /// Adds a change: write `value`, whatever is in the place by then. For a whole value that
    /// replaces the one before without regard to it, so that two writers need not take turns.
    pub fn overwrite_blindly(&mut self, slot: &Slot, value: impl Into<Plaintext>) {
        self.put(slot.target.clone(), value.into());
    }

    /// Adds a change: delete the record that was read.
    pub fn remove(&mut self, slot: &Slot) {
        self.keep(slot);
        self.delete(slot.target.clone());
    }

    /// Adds the condition that the place is still as it was read, for other changes that follow
    /// from it.
    pub fn keep(&mut self, slot: &Slot) {
        self.expect(slot.target.clone(), slot.revision);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::Unsealed;
    use crate::clock::Timestamp;
    use crate::store::{CommitError, Inmem};
    use futures_util::FutureExt;

    const NOW: Timestamp = Timestamp(1);

    fn commit(barrier: &Unsealed, batch: Batch) -> Result<(), BarrierError> {
        let committed = barrier.commit(batch, NOW).now_or_never();
        committed.expect("does not wait").map(|_| ())
    }

    fn text(text: &str) -> SecretBytes {
        crate::secret::Secret::new(text.as_bytes().to_vec())
    }

    /// Reads the slot `a/b` in a store where `before` is there, writes `meanwhile` there or not,
    /// and commits the changes that `change` makes of the slot.
    fn tried(
        before: Option<&str>,
        meanwhile: Option<&str>,
        change: impl FnOnce(&mut Batch, &Slot),
    ) -> (Result<(), BarrierError>, Option<String>) {
        let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
        let view = barrier.view("v/");
        let write = |value: &str| {
            let mut batch = Batch::new();
            view.put_blindly(&mut batch, "a/b", text(value));
            commit(&barrier, batch).unwrap();
        };
        before.into_iter().for_each(write);
        let slot = view.read("a/b").unwrap();
        assert_eq!(slot.is_taken(), before.is_some());
        assert_eq!(slot.path(), "v/a/b");
        meanwhile.into_iter().for_each(write);
        let mut batch = Batch::new();
        change(&mut batch, &slot);
        let committed = commit(&barrier, batch);
        let found = view.get("a/b").unwrap();
        let found = found.map(|entry| String::from_utf8(entry.value.into_inner()).unwrap());
        (committed, found)
    }

    #[test]
    fn what_is_made_of_a_slot_commits_only_while_it_is_as_it_was_read() {
        for before in [None, Some("one")] {
            let (done, found) = tried(before, None, |batch, slot| batch.replace(slot, text("2")));
            assert!(done.is_ok());
            assert_eq!(found.as_deref(), Some("2"));
            let (done, found) = tried(before, Some("theirs"), |batch, slot| {
                batch.replace(slot, text("2"))
            });
            assert!(matches!(
                done,
                Err(BarrierError::Commit(CommitError::Conflict))
            ));
            assert_eq!(found.as_deref(), Some("theirs"));
            let (done, found) = tried(before, Some("theirs"), Batch::remove);
            assert!(done.is_err());
            assert_eq!(found.as_deref(), Some("theirs"));
        }
        let (done, found) = tried(Some("one"), None, Batch::remove);
        assert!(done.is_ok());
        assert_eq!(found, None);
    }

    #[test]
    fn only_a_blind_write_takes_no_notice() {
        let blind = |batch: &mut Batch, slot: &Slot| batch.overwrite_blindly(slot, text("2"));
        let (done, found) = tried(Some("one"), Some("theirs"), blind);
        assert!(done.is_ok());
        assert_eq!(found.as_deref(), Some("2"));
    }

    #[test]
    fn a_folder_reads_as_empty_and_takes_no_record() {
        let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
        let view = barrier.view("v/");
        for folder in ["", "a/"] {
            let slot = view.read(folder).unwrap();
            assert!(!slot.is_taken(), "{folder:?}");
            let mut batch = Batch::new();
            batch.replace(&slot, text("2"));
            assert!(commit(&barrier, batch).is_err(), "{folder:?}");
        }
    }

    #[test]
    fn a_slot_taken_to_be_empty_conflicts_with_what_is_there() {
        let create = |batch: &mut Batch, slot: &Slot| batch.replace(&slot.as_absent(), text("2"));
        let (done, found) = tried(Some("one"), None, create);
        assert!(done.is_err());
        assert_eq!(found.as_deref(), Some("one"));
        let (done, _) = tried(None, None, create);
        assert!(done.is_ok());
    }
}
