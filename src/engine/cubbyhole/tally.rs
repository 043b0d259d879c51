//! The tally of the records that a token keeps, and of their bytes.
//!
//! The tally lies beside the token's folder, under the cubbyhole's id, and every change of what is
//! kept changes it under a precondition: so writers that come at the same time cannot pass the
//! limits together. A cubbyhole from before there were tallies is counted once.

use crate::barrier::{BarrierError, Batch, View};
use crate::engine::Error;
use crate::store::Revision;
use serde::{Deserialize, Serialize};

/// Most records that a token may keep.
pub const RECORDS_MAX: usize = 1000;
/// Largest record with its path, in bytes.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;
/// Most that a token may keep, paths included, in bytes.
pub const TOKEN_BYTES_MAX: usize = 1024 * 1024;

/// The stored form; the variant is the version.
#[derive(Serialize, Deserialize)]
enum Stored {
    V1 { records: u64, bytes: u64 },
}

/// The number of records that a token keeps, and their bytes.
pub(super) struct CubbyholeTally {
    revision: Revision,
    records: usize,
    bytes: usize,
}

/// Returns the bytes that a record takes, its path included.
pub(super) fn size(path: &str, value: &[u8]) -> usize {
    path.len() + value.len()
}

impl CubbyholeTally {
    /// Reads the tally of `cubbyhole_id`, whose records lie in `own`. A tally without room for
    /// another record of the largest size is counted anew, because an older version may have
    /// removed something without telling.
    pub(super) fn read(view: &View, own: &View, cubbyhole_id: &str) -> Result<Self, Error> {
        let (revision, stored) = match view.get_record(cubbyhole_id, "cubbyhole tally")? {
            Some((revision, stored)) => (revision, Some(stored)),
            None => (Revision(0), None),
        };
        if let Some(Stored::V1 { records, bytes }) = stored {
            let tally = Self {
                revision,
                records: usize::try_from(records).unwrap_or(usize::MAX),
                bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            };
            let has_room = tally.bytes <= TOKEN_BYTES_MAX - RECORD_BYTES_MAX;
            if has_room && tally.records < RECORDS_MAX {
                return Ok(tally);
            }
        }
        let paths = own.walk("", RECORDS_MAX + 1)?;
        let mut bytes = 0;
        for path in &paths {
            bytes += own
                .get(path)?
                .map_or(0, |entry| size(path, entry.value.expose()));
        }
        Ok(Self {
            revision,
            records: paths.len(),
            bytes,
        })
    }

    /// Counts a record of `bytes` in place of one of `before` bytes, or of none. Refuses a record
    /// that takes more than may be kept, unless it is no larger than the one before.
    pub(super) fn replace(&mut self, before: Option<usize>, bytes: usize) -> Result<(), Error> {
        let refuse = |message: String| Err(Error::invalid(message));
        let grows = before.is_none_or(|before| bytes > before);
        self.bytes = self.bytes.saturating_sub(before.unwrap_or(0)) + bytes;
        self.records += usize::from(before.is_none());
        if grows && bytes > RECORD_BYTES_MAX {
            return refuse(format!(
                "a secret in a cubbyhole has at most {RECORD_BYTES_MAX} bytes"
            ));
        }
        if before.is_none() && self.records > RECORDS_MAX {
            return refuse(format!("a cubbyhole holds at most {RECORDS_MAX} secrets"));
        }
        if grows && self.bytes > TOKEN_BYTES_MAX {
            return refuse(format!("a cubbyhole holds at most {TOKEN_BYTES_MAX} bytes"));
        }
        Ok(())
    }

    /// Subtracts a record of `bytes`.
    pub(super) fn remove(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.records = self.records.saturating_sub(1);
    }

    /// Adds "keep this tally" to `batch`, which holds only while the record is as it was read.
    pub(super) fn write(
        &self,
        view: &View,
        batch: &mut Batch,
        cubbyhole_id: &str,
    ) -> Result<(), BarrierError> {
        let slot = view.known(cubbyhole_id, self.revision);
        if self.records == 0 {
            batch.remove(&slot);
            return Ok(());
        }
        let stored = Stored::V1 {
            records: self.records as u64,
            bytes: self.bytes as u64,
        };
        batch.replace_record(&slot, &stored)
    }

    /// Adds "remove the tally" to `batch`.
    pub(super) fn forget(view: &View, batch: &mut Batch, cubbyhole_id: &str) {
        view.delete(batch, cubbyhole_id);
    }
}
