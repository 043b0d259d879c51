//! Snapshots of the whole state: [`save`] as a stream, and [`restore`] from one.
//!
//! Both run on the active node, once the router has authorized the call and audited it; their
//! endpoints are rows of `acts.rs`.
//!
//! Invariants
//! - A snapshot that does not hold together, or that another cluster made, changes nothing.
//! - Memory does not grow with the data; what comes in lies in a nameless file meanwhile.

mod incoming;
mod restore;
mod save;

pub use restore::restore;
pub use save::{save, save_to};

use super::ports::LifecycleError;
use crate::barrier::{BarrierError, Unsealed};
use crate::store::archive::ArchiveError;
use subtle::ConstantTimeEq;

/// The largest snapshot that is taken in, in bytes. The device's space is the nearer limit.
pub const SNAPSHOT_BYTES_MAX: u64 = 16 << 30;

/// The refusal where there is no raft store, in Vault's words.
pub(super) const NO_RAFT: &str = "raft storage is not in use";
/// The domain that separates these proofs from every other use of the keys.
const DOMAIN: &str = "snapshot sums";
const SEAL_VERSION: u8 = 1;

/// Proves that this cluster made the snapshot with these sums: a version byte and a keyed hash. The
/// key is not that of a term, so the proof holds also after rotations, and after restores of older
/// snapshots.
fn seal(barrier: &Unsealed, sums: &[u8]) -> Result<Vec<u8>, BarrierError> {
    let mut sealed = vec![SEAL_VERSION];
    sealed.extend_from_slice(&barrier.mac(DOMAIN, sums)?);
    Ok(sealed)
}

fn is_ours(barrier: &Unsealed, sums: &[u8], sealed: &[u8]) -> Result<bool, BarrierError> {
    Ok(seal(barrier, sums)?.ct_eq(sealed).into())
}

fn archive_error(error: ArchiveError) -> LifecycleError {
    match error.is_clients() {
        true => LifecycleError::Invalid(error.to_string()),
        false => LifecycleError::Internal(error.to_string()),
    }
}

fn internal(error: impl std::fmt::Display) -> LifecycleError {
    LifecycleError::Internal(error.to_string())
}
