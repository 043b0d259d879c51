//! Batches whose keys were replaced on their way: sealed anew, so that a caller notices nothing.

use super::keys::Keys;
use super::record::{Parsed, RecordKind};
use super::sealed_batch::SealedBatch;
use super::{BarrierError, Unsealed};
use crate::store::Op;
use std::sync::Arc;

impl Unsealed {
    /// Seals the records of `batch` again, under the active key term of `keys`.
    pub(super) fn seal_anew(
        &self,
        mut batch: SealedBatch,
        keys: Arc<Keys>,
    ) -> Result<SealedBatch, BarrierError> {
        if let Some(before) = batch.reserved_before.take() {
            self.usage.unreserve(before);
        }
        // The last condition is the keyring's, and the last change may be the reservation.
        batch.transaction.preconditions.pop();
        batch.transaction.ops.truncate(batch.places.len());
        for (op, place) in batch.transaction.ops.iter_mut().zip(&batch.places) {
            let (Op::Put { value, .. }, Some(place)) = (op, place) else {
                continue;
            };
            let kind = RecordKind::Record(place.path());
            let parsed = Parsed::new(value)?;
            let cipher = batch.keys.keyring.cipher(parsed.key_term);
            let cipher = cipher.ok_or(BarrierError::UnknownKeyTerm(parsed.key_term))?;
            let opened = parsed.open(cipher, kind)?;
            *value = self.seal_record(&keys, kind, opened.expose()).into();
        }
        batch.keys = keys;
        self.reserve(&mut batch)?;
        Ok(batch)
    }
}
