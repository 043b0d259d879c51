//! The block cipher under keys of several lengths.

use crate::secret::SecretBytes;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};

/// The bytes that AES works in.
pub(super) const BLOCK_BYTES: usize = 16;

/// AES, block by block, with a key of any of its lengths.
pub(super) enum CipherBlocks {
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}

impl CipherBlocks {
    pub(super) fn new(key: &SecretBytes) -> Option<Self> {
        let key = key.expose();
        match key.len() {
            16 => Aes128::new_from_slice(key).ok().map(Self::Aes128),
            24 => Aes192::new_from_slice(key).ok().map(Self::Aes192),
            32 => Aes256::new_from_slice(key).ok().map(Self::Aes256),
            _ => None,
        }
    }

    pub(super) fn encrypt(&self, block: &mut [u8; BLOCK_BYTES]) {
        let block: &mut Array<u8, _> = block.into();
        match self {
            Self::Aes128(cipher) => cipher.encrypt_block(block),
            Self::Aes192(cipher) => cipher.encrypt_block(block),
            Self::Aes256(cipher) => cipher.encrypt_block(block),
        }
    }
}
