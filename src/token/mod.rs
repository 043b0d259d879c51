//! Tokens: records, lookup, creation, revocation.
//!
//! Owns the token records (`sys/token/id/<id>`), the indexes by accessor and by parent, and the
//! text of tokens.
//!
//! Invariants
//! - The text of a service token is nowhere stored; its record's name is a keyed hash of it.
//! - A token is alive only while its record exists, its time has not come, and its parent is
//!   alive. A cached token is dropped when the store applies a change of its record.
//! - A batch token is never stored: what decrypts under this cluster's key is the record.
//! - Whatever creates or ends a token changes record, indexes and lease in one batch.
//!
//! It never commits, and its errors never hold a token.

mod batch;
mod cache;
mod fingerprint;
mod record;
mod revoke;
mod spec;
mod store;
mod text;
pub mod ttl;

pub use fingerprint::Fingerprint;
pub use record::Token;
pub use revoke::{REVOKE_BATCH_MAX, Sweep};
pub use spec::{Minted, Spec};
pub use store::{Belongings, Living, Store};
pub use text::{RANDOM_CHARS, SERVICE_PREFIX};

use crate::barrier::Codec;

/// Returns the codec that shows the record at `path`, below `sys/token/`, as text.
pub fn codec(path: &str) -> Option<Codec> {
    match path.split_once('/')? {
        ("id", _) => Some(Codec::of::<record::TokenRecord>()),
        ("accessor" | "login", _) => Some(Codec::of::<String>()),
        _ => None,
    }
}

/// The reasons for which a token cannot be made, renewed or ended.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The barrier's error: not now, or fatal.
    #[error(transparent)]
    Barrier(#[from] crate::barrier::BarrierError),
    /// The client's fault, with the message for it.
    #[error("{0}")]
    Invalid(String),
}

impl TokenError {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}

impl From<TokenError> for crate::engine::Error {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Barrier(cause) => cause.into(),
            TokenError::Invalid(message) => Self::invalid(message),
        }
    }
}
