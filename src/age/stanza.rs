//! Stanzas of a file's header: the file key, wrapped for one recipient.

use super::AgeError;
use super::recipient::RecipientKey;
use crate::pgp::RsaNumbers;
use crate::secret::{Secret, SecretBytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::traits::IsIdentity;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use ring::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

pub(super) const FILE_KEY_BYTES: usize = 16;
const X25519: &str = "age-encryption.org/v1/X25519";
const SSH_ED25519: &str = "age-encryption.org/v1/ssh-ed25519";
const SSH_RSA: &[u8] = b"age-encryption.org/v1/ssh-rsa";
const LINE_LETTERS: usize = 64;
/// The bytes of the hash of an SSH key that name it.
const TAG_BYTES: usize = 4;

/// Fills its argument with chance.
pub(super) type Chance<'a> = &'a mut dyn FnMut(&mut [u8]);

/// Appends the stanza of `key` to a header.
pub(super) fn wrap(
    header: &mut String,
    key: &RecipientKey,
    file_key: &[u8; FILE_KEY_BYTES],
    chance: Chance<'_>,
) -> Result<(), AgeError> {
    let (words, body) = match key {
        RecipientKey::X25519(point) => {
            let (share, secret) = agree(point, chance)?;
            let salt = [share, point.0].concat();
            let body = sealed(&secret, &salt, X25519, file_key);
            (format!("X25519 {}", BASE64.encode(share)), body)
        }
        RecipientKey::SshEd25519 { wire, point } => {
            let (share, secret) = agree(point, chance)?;
            // The key is bound to the whole SSH key, not to its number alone.
            let tweak = derived(&[], wire, SSH_ED25519);
            let secret = Zeroizing::new(MontgomeryPoint(*secret).mul_clamped(*tweak).0);
            let salt = [share, point.0].concat();
            let body = sealed(&secret, &salt, SSH_ED25519, file_key);
            let share = BASE64.encode(share);
            (format!("ssh-ed25519 {} {share}", tag(wire)), body)
        }
        RecipientKey::SshRsa { wire, numbers } => {
            let padded = padded(numbers, file_key, chance)?;
            let body = numbers.power(&padded).ok_or(AgeError::Invalid)?;
            (format!("ssh-rsa {}", tag(wire)), body)
        }
    };
    header.push_str(&format!("-> {words}\n"));
    let body = BASE64.encode(body);
    // The last line is shorter than the others, if need be empty: so the end is known.
    let mut rest = body.as_str();
    while let Some((line, after)) = rest.split_at_checked(LINE_LETTERS) {
        header.push_str(&format!("{line}\n"));
        rest = after;
    }
    header.push_str(&format!("{rest}\n"));
    Ok(())
}

/// A share that the recipient agrees by, and the secret.
type AgreedSecret = ([u8; 32], Zeroizing<[u8; 32]>);

/// Makes a key for this file, and agrees with `point`.
fn agree(point: &MontgomeryPoint, chance: Chance<'_>) -> Result<AgreedSecret, AgeError> {
    let mut ours = Zeroizing::new([0; 32]);
    chance(ours.as_mut());
    let share = MontgomeryPoint::mul_base_clamped(*ours);
    let secret = point.mul_clamped(*ours);
    // A point of small order: whoever reads the file could compute the secret.
    match secret.is_identity() {
        true => Err(AgeError::Invalid),
        false => Ok((share.0, Zeroizing::new(secret.0))),
    }
}

/// Returns the file key under a key of `secret`.
fn sealed(secret: &[u8; 32], salt: &[u8], label: &str, file_key: &[u8]) -> Vec<u8> {
    let mut body = file_key.to_vec();
    encrypt(&derived(secret, salt, label), [0; NONCE_LEN], &mut body);
    body
}

/// Encrypts in place, and appends the tag.
pub(super) fn encrypt(key: &[u8; 32], nonce: [u8; NONCE_LEN], text: &mut Vec<u8>) {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("a key of 32 bytes");
    let nonce = Nonce::assume_unique_for_key(nonce);
    let sealed = LessSafeKey::new(key).seal_in_place_append_tag(nonce, Aad::empty(), text);
    sealed.expect("a text far below the cipher's limit");
}

/// Derives a key by HKDF-SHA-256.
pub(super) fn derived(secret: &[u8], salt: &[u8], label: &str) -> Zeroizing<[u8; 32]> {
    let made = Salt::new(HKDF_SHA256, salt).extract(secret);
    let mut key = Zeroizing::new([0; 32]);
    let info = [label.as_bytes()];
    let filled = made.expand(&info, HKDF_SHA256);
    let filled = filled.and_then(|made| made.fill(key.as_mut()));
    filled.expect("one block of the hash");
    key
}

/// Returns the short hash by which a holder's program finds the key.
fn tag(wire: &[u8]) -> String {
    let hash = digest(&SHA256, wire);
    BASE64.encode(hash.as_ref().get(..TAG_BYTES).unwrap_or_default())
}

/// Pads the file key by OAEP with SHA-256 (RFC 8017, section 7.1.1).
fn padded(
    numbers: &RsaNumbers,
    file_key: &[u8; FILE_KEY_BYTES],
    chance: Chance<'_>,
) -> Result<SecretBytes, AgeError> {
    let mut padded = Secret::new(vec![0; numbers.modulus_bytes()]);
    let all = padded
        .expose_mut()
        .split_at_mut_checked(1 + SHA256_OUTPUT_LEN);
    let (head, data) = all.ok_or(AgeError::Invalid)?;
    let seed = head.get_mut(1..).ok_or(AgeError::Invalid)?;
    chance(seed);
    let label = digest(&SHA256, SSH_RSA);
    let begin = data.first_chunk_mut().ok_or(AgeError::Invalid)?;
    *begin = <[u8; SHA256_OUTPUT_LEN]>::try_from(label.as_ref()).expect("its length");
    let end = data.last_chunk_mut::<{ FILE_KEY_BYTES + 1 }>();
    let [mark, text @ ..] = end.ok_or(AgeError::Invalid)?;
    (*mark, *text) = (1, *file_key);
    mask(data, seed);
    mask(seed, data);
    Ok(padded)
}

/// Adds the mask that `seed` makes (MGF1, RFC 8017, section B.2.1).
fn mask(target: &mut [u8], seed: &[u8]) {
    for (block, count) in target.chunks_mut(SHA256_OUTPUT_LEN).zip(0_u32..) {
        let mut hash = ring::digest::Context::new(&SHA256);
        hash.update(seed);
        hash.update(&count.to_be_bytes());
        for (byte, mask) in block.iter_mut().zip(hash.finish().as_ref()) {
            *byte ^= mask;
        }
    }
}
