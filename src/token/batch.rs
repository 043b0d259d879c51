//! Batch tokens: the record itself, sealed, as text.
//!
//! ```text
//! "hvb." base64url( version (1) | nonce (24) | XChaCha20-Poly1305( record ) | tag (16) )
//! ```
//! The associated data is the prefix and the version byte.

use super::keys::Keys;
use super::record::Stored;
use super::text::BATCH_PREFIX;
use super::{Token, TokenError};
use crate::barrier::BarrierError;
use crate::secret::{Secret, SecretString};
use crate::store::Revision;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use ring::rand::{SecureRandom, SystemRandom};

const VERSION: u8 = 1;
const NONCE_LEN: usize = 24;
const AAD: &[u8] = b"hvb.\x01";

/// Seals `token`; nothing is stored.
pub(super) fn seal(keys: &Keys, token: &Token) -> Result<SecretString, TokenError> {
    let encode = |_| TokenError::Barrier(BarrierError::Decode("outgoing"));
    let record = Secret::new(postcard::to_stdvec(&Stored::from_token(token)).map_err(encode)?);
    let mut nonce = [0_u8; NONCE_LEN];
    SystemRandom::new()
        .fill(&mut nonce)
        .map_err(|_| TokenError::Random)?;
    let payload = Payload {
        msg: record.expose(),
        aad: AAD,
    };
    let sealed = cipher(keys)
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| TokenError::Barrier(BarrierError::Decode("outgoing")))?;
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&sealed);
    let text = URL_SAFE_NO_PAD.encode(bytes);
    Ok(Secret::new(format!("{BATCH_PREFIX}{text}")))
}

/// Opens a text that starts with the prefix; `None` for anything that this cluster did not seal.
pub(super) fn open(keys: &Keys, text: &str) -> Option<Token> {
    let bytes = URL_SAFE_NO_PAD
        .decode(text.strip_prefix(BATCH_PREFIX)?)
        .ok()?;
    let (version, rest) = bytes.split_first()?;
    let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
    let nonce: [u8; NONCE_LEN] = nonce.try_into().ok()?;
    if *version != VERSION {
        return None;
    }
    let payload = Payload {
        msg: sealed,
        aad: AAD,
    };
    let record = cipher(keys).decrypt(&XNonce::from(nonce), payload).ok()?;
    let record = Secret::new(record);
    let stored: Stored = postcard::from_bytes(record.expose()).ok()?;
    Some(stored.into_token("", Revision(0)))
}

fn cipher(keys: &Keys) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(*keys.batch()))
}
