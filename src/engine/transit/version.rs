//! The versions of keys: their secrets.

use super::cipher::derive;
use super::kind::KeyType;
use super::pair::{ED25519_BYTES, Pair};
use crate::barrier::{Batch, Slot};
use crate::engine::Error;
use crate::secret::{Secret, SecretBytes, fill_random};
use serde::{Deserialize, Serialize};

/// The bytes of the key that a version makes keyed hashes with.
const HMAC_KEY_BYTES: usize = 32;

/// A version of a key.
pub(super) struct Version {
    pub(super) kind: KeyType,
    /// The key of a cipher, or of `hmac`; the seed and the public key of Ed25519; the private key
    /// of the other pairs.
    pub(super) key: SecretBytes,
    /// The key of keyed hashes.
    pub(super) hmac_key: SecretBytes,
    /// The public key, as clients are shown it; empty where there is none.
    pub(super) public: String,
}

/// The form of a version's record; further ones are added behind.
#[derive(Serialize, Deserialize)]
enum StoredVersion {
    V1 {
        key: Vec<u8>,
        hmac_key: Vec<u8>,
    },
    V2 {
        key: Vec<u8>,
        hmac_key: Vec<u8>,
        public: String,
    },
}

fn wipe(stored: StoredVersion) {
    let (StoredVersion::V1 { key, hmac_key } | StoredVersion::V2 { key, hmac_key, .. }) = stored;
    drop((Secret::new(key), Secret::new(hmac_key)));
}

fn random(bytes: usize) -> SecretBytes {
    let mut random = Secret::new(vec![0; bytes]);
    fill_random(random.expose_mut());
    random
}

impl Version {
    /// Makes a version; one of `hmac` has `hmac_bytes`. RSA takes long.
    pub(super) fn generate(kind: KeyType, hmac_bytes: u32) -> Result<Self, Error> {
        let key = match kind {
            KeyType::Hmac => random(usize::try_from(hmac_bytes).unwrap_or(HMAC_KEY_BYTES)),
            KeyType::Ed25519 => random(ED25519_BYTES),
            kind if kind.signs() => Pair::generate(kind)?.stored()?,
            kind => random(kind.key_bytes()),
        };
        Self::new(kind, key)
    }

    /// Returns a version with this key, of which the public part is found here.
    pub(super) fn new(kind: KeyType, mut key: SecretBytes) -> Result<Self, Error> {
        let mut public = String::new();
        if kind.signs() {
            let pair = Pair::read(kind, key.expose())?;
            public = pair.public_text()?;
            if let Some(bytes) = pair.ed25519_public() {
                // As in OpenBao, where both parts together are what keys are derived from.
                let mut both = Secret::new(Vec::with_capacity(2 * ED25519_BYTES));
                let seed = key.expose().iter().take(ED25519_BYTES);
                both.expose_mut().extend(seed.chain(bytes));
                key = both;
            }
        }
        let hmac_key = match kind {
            KeyType::Hmac => Secret::new(key.expose().clone()),
            _ => random(HMAC_KEY_BYTES),
        };
        Ok(Self {
            kind,
            key,
            hmac_key,
            public,
        })
    }

    /// Reads a version of a key of this type; `None` where there is none.
    pub(super) fn of(kind: KeyType, slot: &Slot) -> Result<Option<Self>, Error> {
        let stored: Option<StoredVersion> = slot.record("version of a key of transit")?;
        Ok(stored.map(|stored| Self::from_stored(kind, stored)))
    }

    fn from_stored(kind: KeyType, stored: StoredVersion) -> Self {
        let (key, hmac_key, public) = match stored {
            StoredVersion::V1 { key, hmac_key } => (key, hmac_key, String::new()),
            StoredVersion::V2 {
                key,
                hmac_key,
                public,
            } => (key, hmac_key, public),
        };
        Self {
            kind,
            key: Secret::new(key),
            hmac_key: Secret::new(hmac_key),
            public,
        }
    }

    fn stored(&self) -> StoredVersion {
        StoredVersion::V2 {
            key: self.key.expose().clone(),
            hmac_key: self.hmac_key.expose().clone(),
            public: self.public.clone(),
        }
    }

    /// Adds its record to a batch.
    pub(super) fn write(&self, slot: &Slot, batch: &mut Batch) -> Result<(), Error> {
        let stored = self.stored();
        let written = batch.replace_record(slot, &stored);
        wipe(stored);
        Ok(written?)
    }

    /// Returns its record, as a backup has it.
    pub(super) fn to_bytes(&self) -> Result<SecretBytes, Error> {
        let stored = self.stored();
        let packed = postcard::to_allocvec(&stored);
        wipe(stored);
        let unpackable = |_| Error::internal("a version of a key cannot be packed");
        Ok(Secret::new(packed.map_err(unpackable)?))
    }

    /// Reads what [`Version::to_bytes`] returned; `None` for anything else, also for a key that
    /// cannot be, or whose public part is another's.
    pub(super) fn from_bytes(kind: KeyType, bytes: &[u8]) -> Option<Self> {
        let (stored, rest) = postcard::take_from_bytes(bytes).ok()?;
        let read = Self::from_stored(kind, stored);
        let own = Self::new(kind, Secret::new(read.key.expose().clone())).ok()?;
        let is_hmac = kind == KeyType::Hmac;
        let is_own = own.public == read.public
            && own.key.expose() == read.key.expose()
            && (!is_hmac || own.hmac_key.expose() == read.hmac_key.expose());
        let has_hmac_key = is_hmac || read.hmac_key.expose().len() == HMAC_KEY_BYTES;
        (rest.is_empty() && is_own && has_hmac_key).then_some(read)
    }

    /// Returns its key pair, or the one that is derived from it for a context.
    pub(super) fn pair(&self, context: Option<&[u8]>) -> Result<Pair, Error> {
        match context {
            None => Pair::read(self.kind, self.key.expose()),
            Some(context) => {
                let seed = derive(&self.key, context, ED25519_BYTES)?;
                Pair::read(self.kind, seed.expose())
            }
        }
    }
}
