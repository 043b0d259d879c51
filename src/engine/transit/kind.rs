//! The types of keys, and what each can do.

use crate::engine::Error;
use crate::secret::KEY_BYTES;
use serde::{Deserialize, Serialize};

/// The type of a key. Further ones are added behind: records have their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum KeyType {
    /// `aes128-gcm96`.
    Aes128Gcm96,
    /// `aes256-gcm96`.
    Aes256Gcm96,
    /// `chacha20-poly1305`.
    ChaCha20Poly1305,
    /// `xchacha20-poly1305`.
    XChaCha20Poly1305,
    /// `ed25519`.
    Ed25519,
    /// `ecdsa-p256`.
    EcdsaP256,
    /// `ecdsa-p384`.
    EcdsaP384,
    /// `ecdsa-p521`.
    EcdsaP521,
    /// `rsa-2048`.
    Rsa2048,
    /// `rsa-3072`.
    Rsa3072,
    /// `rsa-4096`.
    Rsa4096,
    /// `hmac`.
    Hmac,
}

/// The lengths that keys of type `hmac` may have, in bytes.
pub(super) const HMAC_BYTES: std::ops::RangeInclusive<u32> = 32..=512;

impl KeyType {
    /// The name of the type that a key has where none is asked for.
    pub(super) const DEFAULT: &str = Self::Aes256Gcm96.name();
    const ALL: [Self; 12] = [
        Self::Aes128Gcm96,
        Self::Aes256Gcm96,
        Self::ChaCha20Poly1305,
        Self::XChaCha20Poly1305,
        Self::Ed25519,
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::EcdsaP521,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::Hmac,
    ];

    /// Returns the name that clients use.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Aes128Gcm96 => "aes128-gcm96",
            Self::Aes256Gcm96 => "aes256-gcm96",
            Self::ChaCha20Poly1305 => "chacha20-poly1305",
            Self::XChaCha20Poly1305 => "xchacha20-poly1305",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
            Self::EcdsaP521 => "ecdsa-p521",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
            Self::Hmac => "hmac",
        }
    }

    /// Returns the name that a version of the key has beside its public key.
    pub(super) const fn curve(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "P-256",
            Self::EcdsaP384 => "P-384",
            Self::EcdsaP521 => "P-521",
            other => other.name(),
        }
    }

    /// Returns the type called `name`.
    ///
    /// # Errors
    /// 400 for a type that this build does not have.
    pub(super) fn named(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| Error::invalid(format!("unknown key type {name}")))
    }

    /// Returns the length of a key that is random bytes; of `hmac` where none is asked for.
    pub(super) const fn key_bytes(self) -> usize {
        match self {
            Self::Aes128Gcm96 => 16,
            _ => KEY_BYTES,
        }
    }

    /// Returns the length of the modulus, in bits; zero for what is not RSA.
    pub(super) const fn rsa_bits(self) -> usize {
        match self {
            Self::Rsa2048 => 2048,
            Self::Rsa3072 => 3072,
            Self::Rsa4096 => 4096,
            _ => 0,
        }
    }

    /// Returns true for RSA.
    pub(super) const fn is_rsa(self) -> bool {
        self.rsa_bits() != 0
    }

    /// Returns true for a cipher with a tag, which takes associated data.
    pub(super) const fn is_aead(self) -> bool {
        matches!(
            self,
            Self::Aes128Gcm96
                | Self::Aes256Gcm96
                | Self::ChaCha20Poly1305
                | Self::XChaCha20Poly1305
        )
    }

    /// Returns true when it encrypts and decrypts.
    pub(super) const fn encrypts(self) -> bool {
        self.is_aead() || self.is_rsa()
    }

    /// Returns true when it signs, and so has public keys.
    pub(super) const fn signs(self) -> bool {
        !self.is_aead() && !matches!(self, Self::Hmac)
    }

    /// Returns true when it signs the hash of an input, not the input.
    pub(super) const fn hashes_input(self) -> bool {
        self.signs() && !matches!(self, Self::Ed25519)
    }

    /// Returns true when keys can be derived from it.
    pub(super) const fn derives(self) -> bool {
        self.is_aead() || matches!(self, Self::Ed25519)
    }

    /// Refuses a key of this type that is derived or convergent where that cannot be.
    ///
    /// # Errors
    /// 400.
    pub(super) fn admit(self, derived: bool, convergent: bool) -> Result<(), Error> {
        let what = match self {
            _ if self.is_aead() => return Ok(()),
            Self::Ed25519 if !convergent => return Ok(()),
            Self::Ed25519 => "convergent encryption",
            _ if !derived && !convergent => return Ok(()),
            _ => "key derivation and convergent encryption",
        };
        let name = self.name();
        Err(Error::invalid(format!(
            "{what} not supported for keys of type {name}"
        )))
    }
}
