//! The sealed form of all that is stored or handed out.
//!
//! ```text
//! offset  bytes  field
//! 0       1      format version, 0x01
//! 1       4      key term, big-endian; 0 where the key is not one of the keyring's
//! 5       24     nonce, random
//! 29      n      XChaCha20 ciphertext of the n bytes of plaintext
//! 29+n    16     Poly1305 tag
//! ```
//!
//! Associated data: format version (1 byte), kind (1 byte), then the kind's label. For a record
//! that is its plaintext path, so a record that is moved to another key does not open there; for
//! a blob its domain, so one made for one purpose does not serve another.

use super::BarrierError;
use super::plaintext::Plaintext;
pub(super) use super::xchacha::TAG_BYTES;
use super::xchacha::{Cipher, NONCE_BYTES, XNonce};
use crate::secret::{Secret, SecretBytes};

const FORMAT_VERSION: u8 = 1;
pub(super) const HEADER_BYTES: usize = 1 + 4 + NONCE_BYTES;
/// The bytes that sealing adds to a plaintext.
pub(super) const OVERHEAD_BYTES: usize = HEADER_BYTES + TAG_BYTES;

/// The purpose of a sealed thing, and the place where it belongs.
#[derive(Clone, Copy)]
pub(super) enum RecordKind<'a> {
    /// A stored record at this path.
    Record(&'a str),
    /// Something handed out, such as a batch token, of this domain.
    Blob(&'a str),
    /// The root key under the seal key.
    RootKey,
    /// The keyring under the root key.
    Keyring,
    /// The join key under the root key.
    JoinKey,
    /// The check of the recovery key under the root key.
    RecoveryKey,
    /// The hashes of shares under the root key.
    ShareHashes,
    /// A challenge to a joiner, inside and outside.
    Challenge,
    /// The reply to the joiner that gave this proof.
    JoinReply(&'a [u8]),
    /// A seal key under a provider's key, for this place.
    WrappedKey(&'a [u8]),
}

impl RecordKind<'_> {
    fn associated_data(self) -> Vec<u8> {
        let (kind, label): (u8, &[u8]) = match self {
            Self::Record(path) => (1, path.as_bytes()),
            Self::Blob(domain) => (2, domain.as_bytes()),
            Self::RootKey => (3, &[]),
            Self::Keyring => (4, &[]),
            Self::JoinKey => (5, &[]),
            Self::Challenge => (6, &[]),
            Self::JoinReply(proof) => (7, proof),
            Self::WrappedKey(place) => (8, place),
            Self::RecoveryKey => (9, &[]),
            Self::ShareHashes => (10, &[]),
        };
        let mut data = Vec::with_capacity(2 + label.len());
        data.extend([FORMAT_VERSION, kind]);
        data.extend_from_slice(label);
        data
    }
}

/// Seals `plaintext` under `cipher`, which is the key of `key_term`.
pub(super) fn seal(
    cipher: &Cipher,
    key_term: u32,
    nonce: &XNonce,
    kind: RecordKind<'_>,
    plaintext: &[u8],
) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD_BYTES);
    sealed.resize(HEADER_BYTES, 0);
    sealed.extend_from_slice(plaintext);
    seal_buffer(cipher, key_term, nonce, kind, sealed)
}

/// Seals a plaintext as [`seal`] does, in its own buffer where that has room.
pub(super) fn seal_in_place(
    cipher: &Cipher,
    key_term: u32,
    nonce: &XNonce,
    kind: RecordKind<'_>,
    plaintext: Plaintext,
) -> Vec<u8> {
    match plaintext.into_buffer() {
        Ok(buffer) => seal_buffer(cipher, key_term, nonce, kind, buffer),
        Err(bytes) => seal(cipher, key_term, nonce, kind, bytes.expose()),
    }
}

/// Seals the plaintext that follows on the room for the header.
fn seal_buffer(
    cipher: &Cipher,
    key_term: u32,
    nonce: &XNonce,
    kind: RecordKind<'_>,
    mut sealed: Vec<u8>,
) -> Vec<u8> {
    let (header, body) = sealed.split_at_mut(HEADER_BYTES);
    let parts = [&[FORMAT_VERSION][..], &key_term.to_be_bytes(), nonce];
    for (byte, from) in header.iter_mut().zip(parts.into_iter().flatten()) {
        *byte = *from;
    }
    let tag = cipher.seal(nonce, &kind.associated_data(), body);
    sealed.extend(tag);
    sealed
}

/// The parts of a sealed record, before anything is trusted.
pub(super) struct Parsed<'a> {
    pub(super) key_term: u32,
    nonce: XNonce,
    body: &'a [u8],
}

impl<'a> Parsed<'a> {
    /// Splits `sealed`; bytes that are too short or of another version count as tampered.
    pub(super) fn new(sealed: &'a [u8]) -> Result<Self, BarrierError> {
        let (version, rest) = sealed.split_first().ok_or(BarrierError::Tampered)?;
        let (key_term, rest) = rest.split_first_chunk().ok_or(BarrierError::Tampered)?;
        let (nonce, body) = rest.split_first_chunk().ok_or(BarrierError::Tampered)?;
        if *version != FORMAT_VERSION || body.len() < TAG_BYTES {
            return Err(BarrierError::Tampered);
        }
        Ok(Self {
            key_term: u32::from_be_bytes(*key_term),
            nonce: *nonce,
            body,
        })
    }

    /// Decrypts and authenticates.
    pub(super) fn open(
        &self,
        cipher: &Cipher,
        kind: RecordKind<'_>,
    ) -> Result<SecretBytes, BarrierError> {
        let mut buffer = self.body.to_vec();
        let length = cipher.open(&self.nonce, &kind.associated_data(), &mut buffer)?;
        buffer.truncate(length);
        Ok(Secret::new(buffer))
    }
}
