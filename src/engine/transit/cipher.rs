//! The ciphers of keys, and what is derived from a key.

use super::kind::KeyType;
use crate::engine::Error;
use crate::secret::{KEY_BYTES, Secret, SecretBytes, fill_random};
use chacha20::{R20, hchacha};
use ring::aead::{self, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use zeroize::Zeroize;

/// The bytes of a tag.
const TAG_BYTES: usize = 16;
/// The part of an extended nonce that goes into the subkey, in bytes.
const SUBKEY_NONCE_BYTES: usize = 16;
/// The zeros before the rest of an extended nonce, in bytes.
const PADDING_BYTES: usize = NONCE_LEN - (XNONCE_BYTES - SUBKEY_NONCE_BYTES);
const XNONCE_BYTES: usize = 24;
/// The bytes of the key that convergent nonces are made with.
const NONCE_KEY_BYTES: usize = 32;

const fn nonce_bytes(kind: KeyType) -> usize {
    match kind {
        KeyType::XChaCha20Poly1305 => XNONCE_BYTES,
        _ => NONCE_LEN,
    }
}

/// Returns ring's algorithm of a cipher with a tag; no other type comes here.
fn algorithm(kind: KeyType) -> &'static aead::Algorithm {
    match kind {
        KeyType::Aes128Gcm96 => &aead::AES_128_GCM,
        KeyType::ChaCha20Poly1305 | KeyType::XChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        _ => &aead::AES_256_GCM,
    }
}

/// The key of one request: a version's own, or one derived from it.
pub(super) struct Cipher {
    kind: KeyType,
    key: SecretBytes,
    /// The key that convergent nonces are made with; `None` for random ones.
    nonce_key: Option<hmac::Key>,
}

impl Cipher {
    /// Returns the cipher of a version's key as it is.
    pub(super) fn plain(kind: KeyType, key: SecretBytes) -> Self {
        Self {
            kind,
            key,
            nonce_key: None,
        }
    }

    /// Derives a key for `context`, and for a convergent key another one for nonces behind it.
    pub(super) fn derived(
        kind: KeyType,
        key: &SecretBytes,
        context: &[u8],
        convergent: bool,
    ) -> Result<Self, Error> {
        let extra = if convergent { NONCE_KEY_BYTES } else { 0 };
        let mut bytes = derive(key, context, kind.key_bytes() + extra)?;
        let nonce_key = bytes.expose_mut().split_off(kind.key_bytes());
        let nonce_key = Secret::new(nonce_key);
        Ok(Self {
            kind,
            key: bytes,
            nonce_key: convergent.then(|| hmac::Key::new(hmac::HMAC_SHA256, nonce_key.expose())),
        })
    }

    /// Encrypts, and returns nonce, ciphertext and tag.
    pub(super) fn seal(&self, plaintext: &[u8], associated: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce_bytes = nonce_bytes(self.kind);
        let mut sealed = Vec::with_capacity(nonce_bytes + plaintext.len() + TAG_BYTES);
        sealed.resize(nonce_bytes, 0);
        self.fill_nonce(&mut sealed, plaintext, associated);
        sealed.extend_from_slice(plaintext);
        let (nonce, text) = sealed.split_at_mut(nonce_bytes);
        let (key, nonce) = self.keyed(nonce)?;
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(associated), text);
        let tag =
            tag.map_err(|_| Error::invalid("the plaintext is longer than the cipher takes"))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Decrypts what [`Cipher::seal`] returned.
    ///
    /// # Errors
    /// 400 where it was made with another key, other associated data, or changed since.
    pub(super) fn open(&self, sealed: Vec<u8>, associated: &[u8]) -> Result<SecretBytes, Error> {
        let mut sealed = Secret::new(sealed);
        let nonce_bytes = nonce_bytes(self.kind);
        if sealed.expose().len() < nonce_bytes + TAG_BYTES {
            return Err(Error::invalid("invalid ciphertext length"));
        }
        let mut text = Secret::new(sealed.expose_mut().split_off(nonce_bytes));
        let (key, nonce) = self.keyed(sealed.expose())?;
        let opened = key.open_in_place(nonce, Aad::from(associated), text.expose_mut());
        let length = opened.map(|text| text.len());
        let length = length.map_err(|_| {
            let cipher = match self.kind {
                KeyType::ChaCha20Poly1305 | KeyType::XChaCha20Poly1305 => "chacha20poly1305",
                _ => "cipher",
            };
            Error::invalid(format!("{cipher}: message authentication failed"))
        })?;
        text.expose_mut().truncate(length);
        Ok(text)
    }

    /// Fills in a nonce: drawn at random, or for a convergent key a keyed hash of everything that
    /// is encrypted or authenticated with it, so that no two texts share one.
    fn fill_nonce(&self, nonce: &mut [u8], plaintext: &[u8], associated: &[u8]) {
        let Some(key) = &self.nonce_key else {
            return fill_random(nonce);
        };
        // Texts with associated data have a key of their own for it: one that is no prefix of the
        // other's input, whatever both are.
        let tag = match associated {
            [] => hmac::sign(key, plaintext),
            associated => {
                let own = Secret::new(hmac::sign(key, associated).as_ref().to_vec());
                let own = hmac::Key::new(hmac::HMAC_SHA256, own.expose());
                hmac::sign(&own, plaintext)
            }
        };
        let (head, _) = tag.as_ref().split_at(nonce.len());
        nonce.copy_from_slice(head);
    }

    /// Returns ring's key and nonce for a nonce of this type.
    fn keyed(&self, nonce: &[u8]) -> Result<(LessSafeKey, Nonce), Error> {
        let wrong = |_| Error::internal("a key or nonce of transit has the wrong length");
        let unbound = |bytes: &[u8]| UnboundKey::new(algorithm(self.kind), bytes);
        if self.kind != KeyType::XChaCha20Poly1305 {
            let key = unbound(self.key.expose()).map_err(wrong)?;
            let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(wrong)?;
            return Ok((LessSafeKey::new(key), nonce));
        }
        let split = |_| Error::internal("a key or nonce of transit has the wrong length");
        let (head, tail) = nonce.split_at(SUBKEY_NONCE_BYTES);
        let own: &[u8; KEY_BYTES] = self.key.expose().as_slice().try_into().map_err(split)?;
        let head: [u8; SUBKEY_NONCE_BYTES] = head.try_into().map_err(split)?;
        let mut subkey = hchacha::<R20>(own.into(), (&head).into());
        let key = unbound(subkey.as_slice()).map_err(wrong);
        subkey.as_mut_slice().zeroize();
        let mut rest = [0; NONCE_LEN];
        rest[PADDING_BYTES..].copy_from_slice(tail);
        Ok((LessSafeKey::new(key?), Nonce::assume_unique_for_key(rest)))
    }
}

/// Derives bytes for `context` by HKDF with SHA-256 (RFC 5869), without a salt.
pub(super) fn derive(
    key: &SecretBytes,
    context: &[u8],
    bytes: usize,
) -> Result<SecretBytes, Error> {
    let mut derived = Secret::new(vec![0; bytes]);
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]);
    let info = [context];
    salt.extract(key.expose())
        .expand(&info, Length(bytes))
        .and_then(|okm| okm.fill(derived.expose_mut()))
        .map_err(|_| Error::internal("a derived key is shorter than HKDF allows"))?;
    Ok(derived)
}

/// A length, as ring wants it.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
