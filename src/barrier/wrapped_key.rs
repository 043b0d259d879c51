//! A seal key under a key that a provider of this program holds itself.
//!
//! The form is that of a record (`record.rs`) with key term 0, bound to the provider's kind and
//! name and to the id of its key.

use super::record::{self, Parsed, RecordKind};
use super::xchacha::Cipher;
use super::{BarrierError, WrappedKey, nonces};
use crate::secret::Key256;

/// Returns `place` with `key` sealed under `by`.
pub fn wrap_key(by: &Key256, key: &Key256, mut place: WrappedKey) -> WrappedKey {
    let cipher = Cipher::new(by.duplicate());
    let label = label(&place);
    let kind = RecordKind::WrappedKey(&label);
    place.ciphertext = record::seal(&cipher, 0, &nonces::single(), kind, key.expose());
    place
}

/// Returns the key that [`wrap_key`] sealed under `by`.
///
/// # Errors
/// [`BarrierError::Tampered`] where another key sealed it, or for another place.
pub fn unwrap_key(by: &Key256, wrapped: &WrappedKey) -> Result<Key256, BarrierError> {
    let cipher = Cipher::new(by.duplicate());
    let label = label(wrapped);
    let parsed = Parsed::new(&wrapped.ciphertext)?;
    let opened = parsed.open(&cipher, RecordKind::WrappedKey(&label))?;
    Key256::from_slice(opened.expose()).ok_or(BarrierError::Decode("seal key"))
}

/// Returns kind, name and key id, each with its length before it.
fn label(place: &WrappedKey) -> Vec<u8> {
    let mut label = Vec::new();
    for text in [&place.kind, &place.name, &place.key_id] {
        label.extend((text.len() as u64).to_be_bytes());
        label.extend_from_slice(text.as_bytes());
    }
    label
}
