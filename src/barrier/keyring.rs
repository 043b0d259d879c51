//! The keyring: the keys that seal records, itself sealed by the root key.
//!
//! Plaintext of the keyring record, version 1; integers are big-endian:
//!
//! ```text
//! offset  bytes  field
//! 0       1      format version, 0x01
//! 1       32     path key: names (never changes)
//! 33      32     derivation key: keyed hashes for other rooms (never changes)
//! 65      8      rotation: encryptions per key term at most
//! 73      8      rotation: seconds per key term at most; 0 for no such limit
//! 81      1      rotation: 1 when automatic, 0 when not
//! 82      2      number of key terms, at least 1
//! 84      44*n   key terms, ascending: number (4), installed (8, ns since the epoch), key (32)
//! ```
//!
//! The last key term is the active one. Old ones stay, so that records sealed under them stay
//! readable, until a re-encryption finds that there are none (`rewrap.rs`). Then numbers are
//! missing at the front.

use super::BarrierError;
use super::xchacha::Cipher;
use crate::clock::Timestamp;
use crate::secret::{KEY_BYTES, Key256, Secret, SecretBytes};

const FORMAT_VERSION: u8 = 1;
const HEAD_BYTES: usize = 1 + 2 * KEY_BYTES + 8 + 8 + 1 + 2;
const TERM_BYTES: usize = 4 + 8 + KEY_BYTES;

/// The most key terms that a keyring holds; with Vault's shortest interval of a day that is 11
/// years.
pub const KEY_TERMS_MAX: usize = 4096;
/// The number of encryptions after which a key term is replaced even where rotation is switched
/// off. A random 192-bit nonce repeats within that many with a chance of 2^-113.
pub const ENCRYPTIONS_HARD_MAX: u64 = 1 << 40;
/// Vault's default for the configured limit of encryptions, and the largest that it takes.
pub const ENCRYPTIONS_MAX: u64 = 3_865_470_566;
/// The smallest limit of encryptions that Vault takes.
pub const ENCRYPTIONS_MIN: u64 = 1_000_000;
/// The shortest interval that Vault takes, in seconds.
pub const INTERVAL_S_MIN: u64 = 24 * 60 * 60;

/// The limits at which a key term is replaced without a request (`sys/rotate/config`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationConfig {
    /// The most encryptions per key term.
    pub max_operations: u64,
    /// The longest use of a key term, in seconds; zero for no such limit.
    pub interval_s: u64,
    /// True to rotate by these limits; otherwise only [`ENCRYPTIONS_HARD_MAX`] holds.
    pub enabled: bool,
}

impl Default for RotationConfig {
    fn default() -> Self {
        Self {
            max_operations: ENCRYPTIONS_MAX,
            interval_s: 0,
            enabled: true,
        }
    }
}

impl RotationConfig {
    /// Refuses limits outside Vault's.
    pub fn check(&self) -> Result<(), BarrierError> {
        if !(ENCRYPTIONS_MIN..=ENCRYPTIONS_MAX).contains(&self.max_operations) {
            return Err(BarrierError::RotationOperations);
        }
        if self.interval_s != 0 && self.interval_s < INTERVAL_S_MIN {
            return Err(BarrierError::RotationInterval);
        }
        Ok(())
    }
}

/// One generation of the record key.
pub(super) struct KeyTerm {
    pub(super) number: u32,
    pub(super) installed: Timestamp,
    pub(super) cipher: Cipher,
}

/// A key term that is not in use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OlderTerm {
    /// Its number.
    pub key_term: u32,
    /// The time at which it became active.
    pub installed: Timestamp,
    /// The time at which the next one did.
    pub replaced: Timestamp,
}

/// All key terms and the keys that never change.
pub(super) struct Keyring {
    pub(super) path_key: Key256,
    pub(super) derivation_key: Key256,
    pub(super) rotation: RotationConfig,
    terms: Vec<KeyTerm>,
}

impl Keyring {
    /// Makes fresh keys, with key term 1.
    pub(super) fn generate(now: Timestamp) -> Self {
        Self {
            path_key: Key256::generate(),
            derivation_key: Key256::generate(),
            rotation: RotationConfig::default(),
            terms: vec![KeyTerm {
                number: 1,
                installed: now,
                cipher: Cipher::new(Key256::generate()),
            }],
        }
    }

    /// Returns the key term that new records are sealed under.
    pub(super) fn active(&self) -> &KeyTerm {
        self.terms.last().expect("decode and generate leave one")
    }

    /// Returns the cipher of the key term `number`.
    pub(super) fn cipher(&self, number: u32) -> Option<&Cipher> {
        let index = self.terms.binary_search_by_key(&number, |term| term.number);
        Some(&self.terms.get(index.ok()?)?.cipher)
    }

    /// Returns this keyring with one more key term, which is active.
    pub(super) fn rotated(&self, now: Timestamp) -> Result<Self, BarrierError> {
        if self.terms.len() >= KEY_TERMS_MAX {
            return Err(BarrierError::TooManyKeyTerms);
        }
        let number = self.active().number.checked_add(1);
        let mut next = self.configured(self.rotation);
        next.terms.push(KeyTerm {
            number: number.ok_or(BarrierError::TooManyKeyTerms)?,
            installed: now,
            cipher: Cipher::new(Key256::generate()),
        });
        Ok(next)
    }

    /// Returns this keyring under another rotation configuration.
    pub(super) fn configured(&self, rotation: RotationConfig) -> Self {
        Self {
            path_key: self.path_key.duplicate(),
            derivation_key: self.derivation_key.duplicate(),
            rotation,
            terms: self.terms.iter().map(KeyTerm::duplicate).collect(),
        }
    }

    /// Returns this keyring without the terms below `number`; the active one stays.
    pub(super) fn without(&self, number: u32) -> Self {
        let mut next = self.configured(self.rotation);
        let active = next.active().number;
        next.terms.retain(|term| term.number >= number.min(active));
        next
    }

    /// Returns the terms before the active one, ascending.
    pub(super) fn older(&self) -> Vec<OlderTerm> {
        let pairs = self.terms.iter().zip(self.terms.iter().skip(1));
        let older = pairs.map(|(term, next)| OlderTerm {
            key_term: term.number,
            installed: term.installed,
            replaced: next.installed,
        });
        older.collect()
    }

    pub(super) fn encode(&self) -> SecretBytes {
        // Reserved at once: a vector that grows leaves unwiped copies behind.
        let mut out = Vec::with_capacity(HEAD_BYTES + TERM_BYTES * self.terms.len());
        out.push(FORMAT_VERSION);
        out.extend_from_slice(self.path_key.expose());
        out.extend_from_slice(self.derivation_key.expose());
        out.extend(self.rotation.max_operations.to_be_bytes());
        out.extend(self.rotation.interval_s.to_be_bytes());
        out.push(u8::from(self.rotation.enabled));
        let count = u16::try_from(self.terms.len()).expect("at most KEY_TERMS_MAX");
        out.extend(count.to_be_bytes());
        for term in &self.terms {
            out.extend(term.number.to_be_bytes());
            out.extend(term.installed.0.to_be_bytes());
            out.extend_from_slice(term.cipher.key().expose());
        }
        Secret::new(out)
    }

    pub(super) fn decode(bytes: &SecretBytes) -> Result<Self, BarrierError> {
        Self::parse(bytes.expose()).ok_or(BarrierError::Decode("keyring"))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (path_key, rest) = rest.split_at_checked(KEY_BYTES)?;
        let (derivation_key, rest) = rest.split_at_checked(KEY_BYTES)?;
        let (max_operations, rest) = rest.split_first_chunk()?;
        let (interval_s, rest) = rest.split_first_chunk()?;
        let (enabled, rest) = rest.split_first()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (terms, tail) = rest.as_chunks::<TERM_BYTES>();
        let known = *version == FORMAT_VERSION && *enabled <= 1 && tail.is_empty();
        if !known || terms.is_empty() || terms.len() != usize::from(u16::from_be_bytes(*count)) {
            return None;
        }
        let terms: Vec<KeyTerm> = terms.iter().map(parse_term).collect::<Option<_>>()?;
        if !terms.is_sorted_by(|a, b| a.number < b.number) {
            return None;
        }
        Some(Self {
            path_key: Key256::from_slice(path_key)?,
            derivation_key: Key256::from_slice(derivation_key)?,
            rotation: RotationConfig {
                max_operations: u64::from_be_bytes(*max_operations),
                interval_s: u64::from_be_bytes(*interval_s),
                enabled: *enabled == 1,
            },
            terms,
        })
    }
}

impl KeyTerm {
    fn duplicate(&self) -> Self {
        Self {
            number: self.number,
            installed: self.installed,
            cipher: Cipher::new(self.cipher.key().duplicate()),
        }
    }
}

fn parse_term(bytes: &[u8; TERM_BYTES]) -> Option<KeyTerm> {
    let (number, rest) = bytes.split_first_chunk()?;
    let (installed, key) = rest.split_first_chunk()?;
    Some(KeyTerm {
        number: u32::from_be_bytes(*number),
        installed: Timestamp(u64::from_be_bytes(*installed)),
        cipher: Cipher::new(Key256::from_slice(key)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_encoding_with_all_its_terms() {
        let first = Keyring::generate(Timestamp(7));
        let second = first.rotated(Timestamp(9)).unwrap();
        let decoded = Keyring::decode(&second.encode()).unwrap();
        assert_eq!(decoded.active().number, 2);
        assert_eq!(decoded.active().installed, Timestamp(9));
        assert_eq!(decoded.rotation, RotationConfig::default());
        let key = |keyring: &Keyring, number| *keyring.cipher(number).unwrap().key().expose();
        assert_eq!(key(&decoded, 1), key(&first, 1));
        assert_eq!(key(&decoded, 2), key(&second, 2));
        assert_ne!(key(&decoded, 1), key(&decoded, 2));
        assert!(decoded.cipher(3).is_none());
    }

    #[test]
    fn every_truncation_and_every_unknown_version_is_refused() {
        let encoded = Keyring::generate(Timestamp(7)).encode().into_inner();
        for length in 0..encoded.len() {
            let cut = Secret::new(encoded[..length].to_vec());
            assert!(Keyring::decode(&cut).is_err(), "{length} bytes");
        }
        let mut newer = encoded.clone();
        newer[0] = 2;
        assert!(Keyring::decode(&Secret::new(newer)).is_err());
        let mut longer = encoded;
        longer.push(0);
        assert!(Keyring::decode(&Secret::new(longer)).is_err());
    }

    #[test]
    fn the_number_of_terms_is_bounded() {
        let mut keyring = Keyring::generate(Timestamp(0));
        while keyring.terms.len() < KEY_TERMS_MAX {
            let number = keyring.active().number + 1;
            keyring.terms.push(KeyTerm {
                number,
                installed: Timestamp(0),
                cipher: Cipher::new(Key256::generate()),
            });
        }
        assert!(matches!(
            keyring.rotated(Timestamp(0)),
            Err(BarrierError::TooManyKeyTerms)
        ));
        assert!(Keyring::decode(&keyring.encode()).is_ok());
    }

    #[test]
    fn rotation_limits_hold() {
        let good = RotationConfig::default();
        assert!(good.check().is_ok());
        for max_operations in [0, ENCRYPTIONS_MIN - 1, ENCRYPTIONS_MAX + 1] {
            let bad = RotationConfig {
                max_operations,
                ..good
            };
            assert!(matches!(bad.check(), Err(BarrierError::RotationOperations)));
        }
        let bad = RotationConfig {
            interval_s: INTERVAL_S_MIN - 1,
            ..good
        };
        assert!(matches!(bad.check(), Err(BarrierError::RotationInterval)));
    }
}
