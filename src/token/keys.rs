//! The secret keys of the token room: one for record names, one for batch tokens.
//!
//! Made with the first token and kept in the barrier, so that the keyring protects them.

use super::TokenError;
use crate::barrier::{Batch, View};
use crate::secret::{Secret, SecretBytes};
use crate::store::Revision;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::{Arc, OnceLock};
use zeroize::Zeroize;

/// Where they are kept.
const RECORD: &str = "keys";
/// Two keys of 32 bytes.
const RECORD_LEN: usize = 64;
/// Hexadecimal digits of a record name: 128 bits of a keyed hash.
const NAME_DIGITS: usize = 32;

pub(super) struct Keys {
    naming: hmac::Key,
    batch: Secret<[u8; 32]>,
}

impl Keys {
    /// The name of the record of the token `text`.
    pub fn name(&self, text: &str) -> String {
        let tag = hmac::sign(&self.naming, text.as_bytes());
        let mut name = hex::encode(tag.as_ref());
        name.truncate(NAME_DIGITS);
        name.insert(0, 'h');
        name
    }

    /// For sealing batch tokens.
    pub fn batch(&self) -> &[u8; 32] {
        self.batch.expose()
    }

    fn from_record(record: &[u8]) -> Option<Self> {
        let (naming, batch) = record.split_at_checked(RECORD_LEN / 2)?;
        Some(Self {
            naming: hmac::Key::new(hmac::HMAC_SHA256, naming),
            batch: Secret::new(batch.try_into().ok()?),
        })
    }
}

/// The keys once they exist.
#[derive(Default)]
pub(super) struct KeyHolder {
    loaded: OnceLock<Arc<Keys>>,
    /// Made here and on their way into the store; every batch until then carries the same.
    candidate: OnceLock<SecretBytes>,
}

impl KeyHolder {
    /// The keys; `None` when no token was ever made.
    pub fn load(&self, view: &View) -> Result<Option<Arc<Keys>>, TokenError> {
        if let Some(keys) = self.loaded.get() {
            return Ok(Some(Arc::clone(keys)));
        }
        let Some(entry) = view.get(RECORD)? else {
            return Ok(None);
        };
        let keys = Keys::from_record(entry.value.expose())
            .ok_or(crate::barrier::BarrierError::Decode("token keys"))?;
        Ok(Some(Arc::clone(self.loaded.get_or_init(|| Arc::new(keys)))))
    }

    /// The keys; makes them, with a put in `batch`, when there are none.
    pub fn load_or_make(&self, view: &View, batch: &mut Batch) -> Result<Arc<Keys>, TokenError> {
        if let Some(keys) = self.load(view)? {
            return Ok(keys);
        }
        if self.candidate.get().is_none() {
            let mut bytes = vec![0_u8; RECORD_LEN];
            SystemRandom::new()
                .fill(&mut bytes)
                .map_err(|_| TokenError::Random)?;
            // Where another thread was faster, its keys stand.
            let _ = self.candidate.set(Secret::new(bytes));
        }
        let candidate = self.candidate.get().ok_or(TokenError::Random)?;
        view.expect(batch, RECORD, Revision(0));
        view.put(batch, RECORD, Secret::new(candidate.expose().clone()));
        let mut copy = candidate.expose().clone();
        let keys = Keys::from_record(&copy);
        copy.zeroize();
        keys.map(Arc::new).ok_or(TokenError::Random)
    }
}
