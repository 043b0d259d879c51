//! Messages: literal data, encrypted with a check of its integrity (RFC 9580, section 5.13.1).
//!
//! ```text
//! packet  encrypted session key: cipher (1), key (32), sum (2), to the recipient
//! packet  encrypted data: version 1 | AES-256 in CFB, from a block of zeros, of
//!           16 random bytes and the last two of them again
//!           packet  literal data: 'b', no name, no date, the plaintext
//!           packet  the SHA-1 of all before and of this packet's header
//! ```

use super::blocks::BLOCK_BYTES;
use super::packet::{push_header, push_packet, tag};
use super::{PgpError, PublicKey};
use crate::secret::{KEY_BYTES, Key256, Secret, SecretBytes, fill_random};
use aes::Aes256;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN, digest};

/// The most bytes that are encrypted at once; shares and tokens are far shorter.
pub const PLAINTEXT_BYTES_MAX: usize = 16 << 10;
const CIPHER_AES256: u8 = 9;
const DATA_VERSION: u8 = 1;

impl PublicKey {
    /// Encrypts `plaintext` to the key; returns a binary OpenPGP message.
    ///
    /// # Errors
    /// [`PgpError::PlaintextTooLarge`].
    pub fn encrypt(&self, plaintext: &[u8]) -> Result<Vec<u8>, PgpError> {
        if plaintext.len() > PLAINTEXT_BYTES_MAX {
            return Err(PgpError::PlaintextTooLarge);
        }
        let key = Key256::generate();
        let sum = key
            .expose()
            .iter()
            .map(|byte| u16::from(*byte))
            .sum::<u16>();
        let mut session = Secret::new(Vec::with_capacity(1 + KEY_BYTES + 2));
        session.expose_mut().push(CIPHER_AES256);
        session.expose_mut().extend_from_slice(key.expose());
        session.expose_mut().extend(sum.to_be_bytes());
        let mut message = Vec::new();
        push_packet(
            &mut message,
            tag::SESSION_KEY,
            &self.recipient.seal(&session)?,
        );
        let mut inside = inside(plaintext);
        encrypt_feedback(&Aes256::new(key.expose().into()), inside.expose_mut());
        push_header(&mut message, tag::ENCRYPTED, 1 + inside.expose().len());
        message.push(DATA_VERSION);
        message.extend_from_slice(inside.expose());
        Ok(message)
    }
}

/// Returns the random beginning, the literal data and the check, in clear.
fn inside(plaintext: &[u8]) -> SecretBytes {
    // Reserved at once: a vector that grows leaves unwiped copies behind.
    let room = plaintext.len() + BLOCK_BYTES + 64;
    let mut inside = Secret::new(Vec::with_capacity(room));
    let out = inside.expose_mut();
    let mut random = [0; BLOCK_BYTES];
    fill_random(&mut random);
    out.extend(random);
    out.extend_from_slice(random.last_chunk::<2>().expect("two of sixteen"));
    let literal = [b'b', 0, 0, 0, 0, 0];
    push_header(out, tag::LITERAL, literal.len() + plaintext.len());
    out.extend(literal);
    out.extend_from_slice(plaintext);
    push_header(out, tag::MODIFICATION, SHA1_OUTPUT_LEN);
    let check = digest(&SHA1_FOR_LEGACY_USE_ONLY, out);
    out.extend_from_slice(check.as_ref());
    inside
}

/// Encrypts in place by cipher feedback, beginning with a block of zeros.
fn encrypt_feedback(cipher: &Aes256, text: &mut [u8]) {
    let mut feedback = Array::from([0; BLOCK_BYTES]);
    for block in text.chunks_mut(BLOCK_BYTES) {
        cipher.encrypt_block(&mut feedback);
        for (byte, key) in block.iter_mut().zip(&mut feedback) {
            *byte ^= *key;
            *key = *byte;
        }
    }
}
