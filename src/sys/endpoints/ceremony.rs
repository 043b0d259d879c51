//! The check of the key that holders of shares make together, to allow what no token allows: a new
//! root token, new keys.

use crate::barrier::{BarrierError, SealRecord, Sealed, Unsealed};
use crate::secret::Key256;
use std::sync::Arc;

/// The way by which the caller came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sys) enum Door {
    /// The door that asks for no token.
    Open,
    /// The door that asks for a token.
    Authenticated,
}

/// Checks that `key` is the recovery key of this seal, or the seal key where it has none.
///
/// # Errors
/// [`BarrierError::WrongRecoveryKey`] and [`BarrierError::WrongSealKey`].
pub(in crate::sys) fn check_key(
    barrier: &Unsealed,
    seal: &SealRecord,
    key: &Key256,
) -> Result<(), BarrierError> {
    match seal.recovery {
        Some(_) => barrier.check_recovery_key(key),
        None => Sealed::new(Arc::clone(barrier.storage())).check(key),
    }
}

/// Returns true where the shares were not the right ones.
pub(in crate::sys) const fn is_wrong_key(error: &BarrierError) -> bool {
    matches!(
        error,
        BarrierError::WrongRecoveryKey | BarrierError::WrongSealKey
    )
}
