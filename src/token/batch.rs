//! Batch tokens: the record itself, sealed by the barrier, as text.
//!
//! ```text
//! "hvb." base64url( the barrier's blob of the record )
//! ```

use super::record::TokenRecord;
use super::text::BATCH_PREFIX;
use super::{Token, TokenError};
use crate::barrier::{BarrierError, Unsealed};
use crate::secret::{Secret, SecretString};
use crate::store::Revision;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The purpose of the blob; one sealed for another purpose does not open here.
const DOMAIN: &str = "batch token";

/// Seals `token` as text. Stores nothing.
pub(super) fn seal(barrier: &Unsealed, token: &Token) -> Result<SecretString, TokenError> {
    let encoded = postcard::to_stdvec(&TokenRecord::from_token(token));
    let record = Secret::new(encoded.map_err(|_| BarrierError::Decode("outgoing"))?);
    let blob = barrier.seal_blob(DOMAIN, record.expose())?;
    let text = URL_SAFE_NO_PAD.encode(blob);
    Ok(Secret::new(format!("{BATCH_PREFIX}{text}")))
}

/// Opens a text that starts with the prefix; `None` for anything that this cluster did not seal.
pub(super) fn open(barrier: &Unsealed, text: &str) -> Result<Option<Token>, TokenError> {
    let body = text.strip_prefix(BATCH_PREFIX).unwrap_or_default();
    let Ok(blob) = URL_SAFE_NO_PAD.decode(body) else {
        return Ok(None);
    };
    let record = match barrier.open_blob(DOMAIN, &blob) {
        Ok(record) => record,
        Err(BarrierError::Sealed) => return Err(BarrierError::Sealed.into()),
        // Anyone can send garbage; it says nothing about our data.
        Err(_) => return Ok(None),
    };
    let stored = postcard::from_bytes::<TokenRecord>(record.expose()).ok();
    Ok(stored.map(|stored| stored.into_token("", Revision(0))))
}
