//! The public keys that a request names, and the forms in which shares are shown: as they are, or
//! each encrypted to the key of the person who is to have it.

use crate::clock::Timestamp;
use crate::engine::Error;
use crate::engine::table::Fields;
use crate::pgp::{PgpError, PublicKey};
use crate::secret::{Secret, SecretBytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The shares of a key as an answer has them, each in both forms.
pub(in crate::sys) struct ShareTexts {
    pub hex: Vec<String>,
    pub base64: Vec<String>,
}

/// Returns the texts of the field `name`, without empty ones: the public keys of a list, or one.
pub(in crate::sys) fn key_texts(fields: &Fields<'_>, name: &str) -> Vec<String> {
    let one = fields.text(name).map(str::to_owned);
    let listed = fields.list(name).unwrap_or_default().iter().cloned();
    let mut texts: Vec<String> = one.into_iter().chain(listed).collect();
    if texts.iter().all(String::is_empty) {
        texts.clear();
    }
    texts
}

/// Reads and judges public keys. Verifying their signatures takes a while on a small machine, so it
/// has its turn among such work.
///
/// # Errors
/// [`PgpError`] of the first key that is refused.
pub(in crate::sys) async fn public_keys(
    texts: Vec<String>,
    now: Timestamp,
) -> Result<Result<Vec<PublicKey>, PgpError>, Error> {
    if texts.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let work = move || {
        let keys = texts.iter().map(|text| PublicKey::parse(text, now));
        keys.collect()
    };
    crate::task::compute(work).await.map_err(ended)
}

/// Returns the shares as they are shown: each encrypted to the key at its place, or in clear where
/// there are no keys. Vault encrypts the hexadecimal form.
pub(in crate::sys) async fn share_texts(
    shares: &[SecretBytes],
    keys: &[PublicKey],
) -> Result<ShareTexts, Error> {
    if keys.is_empty() {
        let bytes = || shares.iter().map(|share| share.expose());
        return Ok(ShareTexts {
            hex: bytes().map(hex::encode).collect(),
            base64: bytes().map(|share| BASE64.encode(share)).collect(),
        });
    }
    let texts = shares
        .iter()
        .map(|share| hex::encode(share.expose()).into_bytes());
    let plain: Vec<SecretBytes> = texts.map(Secret::new).collect();
    let keys = keys.to_vec();
    let work = move || -> Result<Vec<Vec<u8>>, PgpError> {
        let pairs = plain.iter().zip(&keys);
        pairs
            .map(|(text, key)| key.encrypt(text.expose()))
            .collect()
    };
    let messages = crate::task::compute(work).await.map_err(ended)?;
    let messages = messages.map_err(|error| Error::internal(error.to_string()))?;
    Ok(ShareTexts {
        hex: messages.iter().map(hex::encode).collect(),
        base64: messages
            .iter()
            .map(|message| BASE64.encode(message))
            .collect(),
    })
}

/// Returns a token encrypted to `key`, in base64.
pub(in crate::sys) fn token_text(token: &str, key: &PublicKey) -> Result<String, Error> {
    let message = key.encrypt(token.as_bytes());
    let message = message.map_err(|error| Error::internal(error.to_string()))?;
    Ok(BASE64.encode(message))
}

fn ended(error: tokio::task::JoinError) -> Error {
    Error::internal(format!("work with PGP keys ended early: {error}"))
}
