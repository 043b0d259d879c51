//! The join key and its derivations: see `join.rs`.

use super::mac::MacKey;
use super::xchacha::Cipher;
use crate::secret::Key256;

/// The length of a proof, in bytes.
pub const PROOF_BYTES: usize = 32;

/// The key that all holders of the seal key, or of one join token, can derive.
pub struct JoinKey(Key256);

impl JoinKey {
    /// Derives the join key of a store that `seal_key` opens.
    pub fn of_seal_key(seal_key: &Key256) -> Self {
        Self(MacKey::new(seal_key).derive("join"))
    }

    /// Derives the join key of a joiner that holds a token with this key, and no unseal keys.
    pub fn of_token(key: &Key256) -> Self {
        Self(MacKey::new(key).derive("join by token"))
    }

    pub(super) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    pub(super) fn expose(&self) -> &Key256 {
        &self.0
    }

    pub(super) fn new(key: Key256) -> Self {
        Self(key)
    }

    fn mac(&self) -> MacKey {
        MacKey::new(&self.0)
    }

    pub(super) fn cipher(&self, purpose: &str) -> Cipher {
        Cipher::new(self.mac().derive(purpose))
    }

    pub(super) fn proof(&self, inner: &[u8], statement: &[u8]) -> [u8; PROOF_BYTES] {
        let length = (inner.len() as u64).to_be_bytes();
        let key = MacKey::new(&self.mac().derive("join proof"));
        key.sign(&[&length, inner, statement])
    }
}
