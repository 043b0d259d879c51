//! age: encrypts a share to its holder's public keys, as the program `age` does.
//!
//! Owns the reading and judging of recipients ([`AgeRecipient::parse`]: X25519, and the Ed25519 and
//! RSA keys of SSH) and the making of files ([`encrypt`]), in ASCII armor. The format is version 1
//! of <https://age-encryption.org/v1>, the SSH keys' as `age` and `rage` have them.
//!
//! ```text
//! age-encryption.org/v1
//! -> X25519 share            the file key (16 bytes), wrapped for each recipient
//! wrapped
//! --- mac                    HMAC-SHA-256 of all above under the file key
//! nonce (16) | ChaCha20-Poly1305 of the text, as one chunk, the last
//! ```
//!
//! Invariants
//! - A recipient that parses can be encrypted to: parsing ends with a trial.
//! - It never decrypts and never holds a private key.
//!
//! It is written here because the crate `age` brings 166 others, among them second versions of the
//! ciphers and of the arithmetic that are here.
//! Arithmetic and ciphers are not written here: `ring` hashes and encrypts, `curve25519-dalek`
//! agrees on keys, and the RSA is the one of OpenPGP's room.

mod bech32;
mod file;
mod recipient;
mod ssh;
mod stanza;
#[cfg(test)]
mod tests;

pub use file::{PLAINTEXT_BYTES_MAX, encrypt};
pub use recipient::AgeRecipient;

/// Reasons to refuse a recipient. All but the last are the fault of whoever gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgeError {
    /// The text is of no kind that is known.
    #[error("it is neither an age recipient (age1...) nor a public key of SSH")]
    Unknown,
    /// The text has the form of an age recipient, and a letter of it is wrong or missing.
    #[error("its checksum does not fit: a letter is wrong or missing")]
    Checksum,
    /// A private key was given: it belongs to its owner alone, and should now be replaced.
    #[error("it is a private key, which is nobody else's: give the public one")]
    PrivateKey,
    /// The recipient is of a kind that is known and not supported; the text names it.
    #[error("{0} not supported; age1..., ssh-ed25519 and ssh-rsa are")]
    Unsupported(&'static str),
    /// The body of the SSH key is damaged or cut short.
    #[error("the SSH key is damaged or cut short")]
    SshBody,
    /// The numbers make no key, or one that protects nothing.
    #[error("the numbers of the key are no valid key")]
    Invalid,
    /// The RSA key is refused; the text says why.
    #[error("{0}")]
    Rsa(&'static str),
    /// The plaintext is larger than anything that is handed out under a recipient's key.
    #[error("more than {PLAINTEXT_BYTES_MAX} bytes are not encrypted to a recipient")]
    PlaintextTooLarge,
}
