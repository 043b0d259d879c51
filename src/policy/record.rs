//! A policy in the barrier.
//!
//! ```text
//! format (1 byte) | text | modified | version                 format 1
//! format (1 byte) | text | modified | version | terms         format 2
//! ```
//!
//! All fields are in postcard. A policy without terms is written in format 1, which all releases
//! read. A release that knows only format 1 ignores the terms, as it ignored them in requests.

use crate::barrier::BarrierError;
use crate::clock::Timestamp;
use crate::secret::{Secret, SecretBytes};
use serde::{Deserialize, Serialize};

/// The stored form of a policy.
#[derive(Debug)]
pub(super) struct PolicyRecord {
    pub text: String,
    pub modified: Timestamp,
    pub version: u64,
    pub terms: Terms,
}

/// Conditions of a policy; most policies have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub expiration: Option<Timestamp>,
    pub cas_required: bool,
}

#[derive(Serialize, Deserialize)]
struct Plain {
    format: u8,
    text: String,
    modified: Timestamp,
    version: u64,
}

/// A record as text.
#[derive(Serialize, Deserialize)]
struct Shown {
    format: u8,
    text: String,
    modified: Timestamp,
    version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    terms: Option<Terms>,
}

impl PolicyRecord {
    /// Returns the bytes of a record as JSON; `None` when they are not a record.
    pub fn show(bytes: &[u8]) -> Option<String> {
        let record = Self::decode(bytes)?;
        let is_bare = record.terms == Terms::default();
        let shown = Shown {
            format: if is_bare { 1 } else { 2 },
            text: record.text,
            modified: record.modified,
            version: record.version,
            terms: (!is_bare).then_some(record.terms),
        };
        serde_json::to_string(&shown).ok()
    }

    /// Returns the bytes for a text that [`PolicyRecord::show`] gave.
    pub fn take(text: &str) -> Result<Vec<u8>, String> {
        let shown: Shown = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let record = Self {
            text: shown.text,
            modified: shown.modified,
            version: shown.version,
            terms: shown.terms.unwrap_or_default(),
        };
        let bytes = record.encode().map_err(|error| error.to_string())?;
        Ok(bytes.expose().clone())
    }

    /// Returns true if the policy exists at `now`.
    pub fn is_good(&self, now: Timestamp) -> bool {
        let expiration = self.terms.expiration;
        expiration.is_none_or(|expiration| expiration > now)
    }

    pub fn encode(self) -> Result<SecretBytes, BarrierError> {
        let bare = self.terms == Terms::default();
        let plain = Plain {
            format: if bare { 1 } else { 2 },
            text: self.text,
            modified: self.modified,
            version: self.version,
        };
        let bytes = match bare {
            true => postcard::to_stdvec(&plain),
            false => postcard::to_stdvec(&(plain, self.terms)),
        };
        let bytes = bytes.map_err(|_| BarrierError::Decode("outgoing"))?;
        Ok(Secret::new(bytes))
    }

    /// Reads a record; returns `None` when the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (plain, rest) = postcard::take_from_bytes::<Plain>(bytes).ok()?;
        let terms = match plain.format {
            1 => Terms::default(),
            2 => postcard::from_bytes(rest).ok()?,
            _ => return None,
        };
        Some(Self {
            text: plain.text,
            modified: plain.modified,
            version: plain.version,
            terms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(terms: Terms) -> PolicyRecord {
        PolicyRecord {
            text: "t".to_owned(),
            modified: Timestamp(5),
            version: 7,
            terms,
        }
    }

    #[test]
    fn both_formats_are_read() {
        let ends = Terms {
            expiration: Some(Timestamp(9)),
            cas_required: true,
        };
        for (terms, wanted) in [
            (Terms::default(), &[1, 1, b't', 5, 7][..]),
            (ends, &[2, 1, b't', 5, 7, 1, 9, 1][..]),
        ] {
            let bytes = record(terms.clone()).encode().expect("encodes");
            assert_eq!(bytes.expose(), wanted);
            let read = PolicyRecord::decode(bytes.expose()).expect("decodes");
            assert_eq!((read.text.as_str(), read.version), ("t", 7));
            assert_eq!((read.modified, &read.terms), (Timestamp(5), &terms));
            assert!(read.is_good(Timestamp(8)));
            assert_eq!(read.is_good(Timestamp(9)), terms.expiration.is_none());
        }
        for bad in [&[][..], &[3, 1, b't', 5, 7], &[2, 1, b't', 5, 7]] {
            assert!(PolicyRecord::decode(bad).is_none(), "{bad:?}");
        }
    }
}
