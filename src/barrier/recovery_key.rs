//! The recovery key: by its shares people allow what the holders of unseal keys allow elsewhere,
//! where a provider keeps the seal key. It opens nothing.
//!
//! Only a check of it is stored, sealed by the root key: whoever writes the files of a stopped node
//! cannot make one, and it is read only where a provider has given the seal key.
//!
//! ```text
//! check   HMAC-SHA256 by the recovery key: "coffer key recovery check"
//! ```

use super::mac::MacKey;
use super::{BarrierError, Batch, Unsealed, reserved};
use crate::secret::Key256;
use subtle::ConstantTimeEq;

/// Returns the check of `key`.
pub(super) fn check_of(key: &Key256) -> Key256 {
    MacKey::new(key).derive("recovery check")
}

impl Unsealed {
    /// Checks in constant time that `key` is the recovery key.
    ///
    /// # Errors
    /// [`BarrierError::WrongRecoveryKey`] when it is another one, or there is none;
    /// [`BarrierError::Tampered`] when the stored check was not made by this cluster.
    pub fn check_recovery_key(&self, key: &Key256) -> Result<(), BarrierError> {
        let record = self.storage.get(reserved::RECOVERY_KEY)?;
        let record = record.ok_or(BarrierError::WrongRecoveryKey)?;
        let check = self.keys()?.root_key.open_recovery_check(&record.value)?;
        match bool::from(check.expose().ct_eq(check_of(key).expose())) {
            true => Ok(()),
            false => Err(BarrierError::WrongRecoveryKey),
        }
    }

    /// Adds the check of `key`, the first recovery key of a cluster, to `batch`.
    pub fn put_recovery_key(&self, batch: &mut Batch, key: &Key256) -> Result<(), BarrierError> {
        let check = self.keys()?.root_key.seal_recovery_check(&check_of(key));
        batch.put_raw(reserved::RECOVERY_KEY, check);
        Ok(())
    }
}
