//! OpenPGP: encrypts a share or a token to a person's public key, as Vault's `pgp_keys` does.
//!
//! Owns the reading and judging of public keys ([`PublicKey::parse`]) and one form of message
//! ([`PublicKey::encrypt`]), which every OpenPGP program since 2003 reads. RFC 9580 has the
//! formats: version 4 of keys and version 1 of encrypted data.
//!
//! ```text
//! text --armor--> packets --key--> primary key, subkeys --judged--> the subkey to encrypt to
//! message: session key, encrypted to the subkey | AES-256 in CFB: literal data, its SHA-1
//! ```
//!
//! Invariants
//! - Nothing is believed of a key that its primary key did not sign: a subkey that somebody added
//!   to another's key is passed over. A revocation of the whole key is believed of anybody, since
//!   its owner may have let another person revoke it.
//! - A key that parses can be encrypted to: parsing ends with a trial.
//! - It never decrypts and never holds a private key.
//!
//! It is written here because no crate fits: `pgp` and `sequoia-openpgp` both bring the crate
//! `rsa`, which RUSTSEC-2023-0071 concerns in all versions, beside some hundred crates for what is
//! not needed, and the second's licence does not allow a static binary. Arithmetic and ciphers are
//! not written here: `ring` verifies, agrees on keys and hashes; `aes` and `crypto-bigint` do the
//! rest.

mod armor;
mod blocks;
mod encrypt;
mod key;
mod material;
mod packet;
mod recipient;
mod rsa;
mod signature;
#[cfg(test)]
mod tests;

pub use armor::KEY_BYTES_MAX;
pub use encrypt::PLAINTEXT_BYTES_MAX;
pub use key::{PublicKey, SIGNATURES_MAX};
pub use rsa::{RSA_BITS_MAX, RSA_BITS_MIN, RsaNumbers};

/// Reasons to refuse a public key. All but the last are the fault of whoever gave the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PgpError {
    /// The text is neither base64 nor ASCII armor; give `gpg --export KEY | base64`.
    #[error("error decoding given PGP key: it is neither base64 nor ASCII armor")]
    Text,
    /// A name of a key on keybase; the server fetches none: give the key itself.
    #[error(
        "error decoding given PGP key: keybase names are not looked up; \
         give the key itself, as `gpg --export KEY | base64` prints it"
    )]
    Keybase,
    /// The key is too large, mostly by others' signatures; give `gpg --export-options
    /// export-minimal --export KEY`.
    #[error(
        "error decoding given PGP key: it has more than {KEY_BYTES_MAX} bytes; \
         export it with --export-options export-minimal"
    )]
    TooLarge,
    /// The armor's checksum does not fit: the text was damaged on its way.
    #[error("error decoding given PGP key: the checksum of its armor does not fit")]
    Checksum,
    /// The bytes are not OpenPGP's, or are cut short; the text names the place.
    #[error("error parsing given PGP key: {0}")]
    Malformed(&'static str),
    /// A private key was given: it belongs to its owner alone, and should now be replaced.
    #[error("error parsing given PGP key: it is a private key; give the public one")]
    PrivateKey,
    /// The bytes are OpenPGP's and no key: a message or a signature.
    #[error("error parsing given PGP key: it is not a public key")]
    NotAKey,
    /// The text holds the keys of several people; give one key in each place.
    #[error("error parsing given PGP key: there is more than one key in it")]
    SeveralKeys,
    /// The key's format is newer or older than version 4.
    #[error("error parsing given PGP key: version {0} of keys is not supported, only 4")]
    Version(u8),
    /// The primary key signs by an algorithm that cannot be verified here.
    #[error(
        "error parsing given PGP key: algorithm {0} of the primary key is not supported; \
         RSA, Ed25519, NIST P-256 and P-384 are"
    )]
    Algorithm(u8),
    /// The key has more signatures of its own than are verified.
    #[error("error parsing given PGP key: it has more than {SIGNATURES_MAX} signatures of its own")]
    TooManySignatures,
    /// No signature of the primary key over its names verifies: the key was altered, or its hash is
    /// too weak.
    #[error("error parsing given PGP key: no signature of its own verifies")]
    NoSelfSignature,
    /// The owner revoked the key.
    #[error("the given PGP key is revoked")]
    Revoked,
    /// The key's time is over; its owner can extend it, and should export it anew.
    #[error("the given PGP key has expired")]
    Expired,
    /// The key has no part that can be encrypted to; the text says how the last one falls short.
    #[error("the given PGP key cannot be encrypted to: {0}")]
    CannotEncrypt(&'static str),
    /// The plaintext is larger than anything that is handed out under a PGP key.
    #[error("more than {PLAINTEXT_BYTES_MAX} bytes are not encrypted to a PGP key")]
    PlaintextTooLarge,
}
