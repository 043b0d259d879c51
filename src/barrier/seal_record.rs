//! The public record of the seal key's holders, readable while sealed.
//!
//! Version 1 knows shares alone. Every release writes it where it suffices, so that members of
//! release 0.2 read the record of a newer active node.
//!
//! ```text
//! offset  bytes  field
//! 0       1      format version, 0x01
//! 1       1      seal type: 1 = shamir
//! 2       1      shares
//! 3       1      threshold
//! ```
//!
//! Version 2 is a list of fields; integers are big-endian:
//!
//! ```text
//! 0       1      format version, 0x02
//! 1       ...    fields, tags ascending: tag (1) | length of the value (2) | value
//!
//! tag     value
//! 0x01    shares of the seal key: how many (1) | threshold (1)
//! 0x02    the seal key as one provider wrapped it, once for each, in the order in which they are
//!         asked: kind | name | key id, each with its length (1) before it | ciphertext
//! 0x80    shares of the recovery key: how many (1) | threshold (1)
//! ```
//!
//! A record with a field below 0x80 that this release does not know is refused, since a cluster
//! may depend on it. Fields from 0x80 on may be passed over; they are kept as they are.

use super::BarrierError;

const VERSION_OF_SHARES: u8 = 1;
const VERSION_OF_FIELDS: u8 = 2;
const TYPE_SHAMIR: u8 = 1;
const TAG_SHARES: u8 = 0x01;
const TAG_WRAPPED: u8 = 0x02;
/// The first tag that a release which does not know it passes over.
const TAG_OPTIONAL: u8 = 0x80;
const TAG_RECOVERY: u8 = 0x80;
/// The most providers that keep one seal key.
pub const WRAPPED_KEYS_MAX: usize = 16;

/// The holders of the seal key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealType {
    /// People hold the key, as shares of it.
    Shamir,
    /// Providers hold the key, each of which wraps it; there may be shares besides.
    Auto,
}

/// The number of shares of the seal key, and the number that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealConfig {
    /// The holders of the seal key.
    pub seal_type: SealType,
    /// The number of shares made; zero where providers alone hold the key.
    pub shares: u8,
    /// The number of shares needed; at least 1 and at most `shares`, or zero with them.
    pub threshold: u8,
}

/// The seal key as one provider wrapped it. Opens only with that provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// The provider's kind, as its `seal` stanza spells it: `transit`. At most 255 bytes.
    pub kind: String,
    /// The name that tells providers of one kind from each other; often empty. At most 255 bytes.
    pub name: String,
    /// The id of the provider's key that wrapped it; empty where there is only one. At most 255
    /// bytes.
    pub key_id: String,
    /// The wrapped key, in the provider's own form.
    pub ciphertext: Vec<u8>,
}

/// The record of the seal key's holders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealRecord {
    /// The shares that operators hold.
    pub config: SealConfig,
    /// The key as each provider wrapped it, in the order in which they are asked.
    pub wrapped: Vec<WrappedKey>,
    /// The shares of the recovery key, by which people authorise what unseal keys authorise
    /// elsewhere; `None` where there is none.
    pub recovery: Option<SealConfig>,
    /// Optional fields of later releases.
    later: Vec<(u8, Vec<u8>)>,
}

impl From<SealConfig> for SealRecord {
    fn from(config: SealConfig) -> Self {
        Self {
            config,
            wrapped: Vec::new(),
            recovery: None,
            later: Vec::new(),
        }
    }
}

impl SealRecord {
    /// Makes the record of a seal key that providers alone hold.
    pub fn of_providers(wrapped: Vec<WrappedKey>) -> Self {
        let config = SealConfig {
            seal_type: SealType::Auto,
            shares: 0,
            threshold: 0,
        };
        Self {
            wrapped,
            ..config.into()
        }
    }

    /// Returns the type as `sys/seal-status` spells it: `shamir`, or the kind of the provider that
    /// is asked first.
    pub fn kind(&self) -> &str {
        self.wrapped.first().map_or("shamir", |first| &first.kind)
    }

    /// Returns the shares by which people authorise a new root token or new keys: those of the
    /// recovery key where there is one, else those of the seal key.
    pub fn ceremony(&self) -> SealConfig {
        self.recovery.unwrap_or(self.config)
    }

    /// Returns the emergency shares: those of a seal key that providers keep. They open where the
    /// providers are gone.
    pub fn emergency(&self) -> Option<SealConfig> {
        Some(self.config).filter(|config| self.is_auto() && config.shares > 0)
    }

    /// Gives a record of providers emergency shares, or none.
    pub fn set_emergency(&mut self, shares: Option<SealConfig>) {
        let (shares, threshold) = shares.map_or((0, 0), |config| (config.shares, config.threshold));
        self.config = SealConfig {
            seal_type: SealType::Auto,
            shares,
            threshold,
        };
    }

    /// Returns true where providers unseal.
    pub fn is_auto(&self) -> bool {
        !self.wrapped.is_empty()
    }

    /// Returns the stored form.
    ///
    /// # Errors
    /// [`BarrierError::Encode`] when a text or a ciphertext is too long, or there are too many.
    pub fn encode(&self) -> Result<Vec<u8>, BarrierError> {
        let SealConfig {
            shares, threshold, ..
        } = self.config;
        let is_plain = self.recovery.is_none() && self.later.is_empty();
        if self.wrapped.is_empty() && is_plain {
            return Ok(vec![VERSION_OF_SHARES, TYPE_SHAMIR, shares, threshold]);
        }
        let mut out = vec![VERSION_OF_FIELDS];
        if shares > 0 {
            put_field(&mut out, TAG_SHARES, &[shares, threshold])?;
        }
        if self.wrapped.len() > WRAPPED_KEYS_MAX {
            return Err(TOO_LONG);
        }
        for wrapped in &self.wrapped {
            put_field(&mut out, TAG_WRAPPED, &wrapped.encode()?)?;
        }
        if let Some(recovery) = self.recovery {
            let numbers = [recovery.shares, recovery.threshold];
            put_field(&mut out, TAG_RECOVERY, &numbers)?;
        }
        for (tag, value) in &self.later {
            put_field(&mut out, *tag, value)?;
        }
        Ok(out)
    }

    /// Decodes a record that [`SealRecord::encode`] made, here or in an earlier release.
    ///
    /// # Errors
    /// [`BarrierError::Decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BarrierError> {
        let malformed = BarrierError::Decode("seal configuration");
        match bytes {
            [VERSION_OF_SHARES, TYPE_SHAMIR, shares, threshold] => {
                let shares = shared(*shares, *threshold, SealType::Shamir);
                shares.map(Self::from).ok_or(malformed)
            }
            [VERSION_OF_FIELDS, fields @ ..] => Self::of_fields(fields).ok_or(malformed),
            _ => Err(malformed),
        }
    }

    fn of_fields(mut rest: &[u8]) -> Option<Self> {
        let mut record = Self::of_providers(Vec::new());
        let mut before = 0;
        while let Some((tag, after)) = rest.split_first() {
            let (length, after) = after.split_first_chunk()?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (value, after) = after.split_at_checked(length)?;
            let is_again = *tag == before;
            match *tag {
                tag if tag < before => return None,
                TAG_WRAPPED if record.wrapped.len() < WRAPPED_KEYS_MAX => {
                    record.wrapped.push(WrappedKey::decode(value)?);
                }
                _ if is_again => return None,
                TAG_SHARES => record.config = numbers(value, SealType::Auto)?,
                TAG_RECOVERY => record.recovery = Some(numbers(value, SealType::Shamir)?),
                tag if tag >= TAG_OPTIONAL => record.later.push((tag, value.to_vec())),
                _ => return None,
            }
            (before, rest) = (*tag, after);
        }
        if record.wrapped.is_empty() {
            record.config.seal_type = SealType::Shamir;
        }
        // People or providers must be able to open it.
        (record.is_auto() || record.config.shares > 0).then_some(record)
    }
}

impl WrappedKey {
    fn encode(&self) -> Result<Vec<u8>, BarrierError> {
        let mut out = Vec::with_capacity(self.ciphertext.len());
        for text in [&self.kind, &self.name, &self.key_id] {
            out.push(u8::try_from(text.len()).map_err(|_| TOO_LONG)?);
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(&self.ciphertext);
        Ok(out)
    }

    fn decode(mut rest: &[u8]) -> Option<Self> {
        let mut text = || {
            let (length, after) = rest.split_first()?;
            let (text, after) = after.split_at_checked(usize::from(*length))?;
            rest = after;
            std::str::from_utf8(text).ok().map(str::to_owned)
        };
        let (kind, name, key_id) = (text()?, text()?, text()?);
        (!kind.is_empty()).then(|| Self {
            kind,
            name,
            key_id,
            ciphertext: rest.to_vec(),
        })
    }
}

const TOO_LONG: BarrierError = BarrierError::Encode("seal configuration");

fn put_field(out: &mut Vec<u8>, tag: u8, value: &[u8]) -> Result<(), BarrierError> {
    let length = u16::try_from(value.len()).map_err(|_| TOO_LONG)?;
    out.push(tag);
    out.extend(length.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}

fn numbers(value: &[u8], seal_type: SealType) -> Option<SealConfig> {
    match value {
        [shares, threshold] => shared(*shares, *threshold, seal_type),
        _ => None,
    }
}

fn shared(shares: u8, threshold: u8, seal_type: SealType) -> Option<SealConfig> {
    (threshold >= 1 && threshold <= shares).then_some(SealConfig {
        seal_type,
        shares,
        threshold,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_shares(seal_type: SealType) -> SealConfig {
        SealConfig {
            seal_type,
            shares: 5,
            threshold: 3,
        }
    }

    fn wrapped(name: &str) -> WrappedKey {
        WrappedKey {
            kind: "transit".into(),
            name: name.into(),
            key_id: "v2".into(),
            ciphertext: vec![7; 300],
        }
    }

    #[test]
    fn shares_alone_are_written_as_every_release_reads_them() {
        let record = SealRecord::from(of_shares(SealType::Shamir));
        assert_eq!(record.encode().unwrap(), [1, 1, 5, 3]);
        assert_eq!(SealRecord::decode(&[1, 1, 5, 3]).unwrap(), record);
        assert_eq!((record.kind(), record.is_auto()), ("shamir", false));
    }

    #[test]
    fn decodes_what_it_encodes_and_nothing_else() {
        let alone = SealRecord::of_providers(vec![wrapped("a"), wrapped("")]);
        let mut with_shares = alone.clone();
        with_shares.config = of_shares(SealType::Auto);
        let mut with_recovery = alone.clone();
        with_recovery.recovery = Some(of_shares(SealType::Shamir));
        assert_eq!(alone.ceremony(), alone.config);
        assert_eq!(with_recovery.ceremony(), of_shares(SealType::Shamir));
        assert_eq!(alone.emergency(), None);
        assert_eq!(with_shares.emergency(), Some(with_shares.config));
        let mut set = alone.clone();
        set.set_emergency(Some(of_shares(SealType::Shamir)));
        assert_eq!(set, with_shares);
        set.set_emergency(None);
        assert_eq!(set, alone);
        for record in [alone, with_shares, with_recovery] {
            assert_eq!((record.kind(), record.is_auto()), ("transit", true));
            let bytes = record.encode().unwrap();
            assert_eq!(SealRecord::decode(&bytes).unwrap(), record);
            let read = |length| SealRecord::decode(&bytes[..length]);
            let good: Vec<usize> = (0..bytes.len()).filter(|at| read(*at).is_ok()).collect();
            // A record that ends after a provider is whole, too.
            assert!(good.len() <= 2, "{good:?}");
            assert!(good.iter().all(|at| read(*at).unwrap() != record));
        }
        for bad in [
            &[][..],
            &[1, 1, 5],
            &[3, 1, 5, 3],
            &[1, 9, 5, 3],
            &[1, 1, 3, 5],
            &[1, 1, 5, 0],
            &[1, 1, 5, 3, 0],
            &[2],
            &[2, 1, 0, 2, 3, 5],
            &[2, 1, 0, 2, 5, 3, 1, 0, 2, 5, 3],
            &[2, 2, 0, 3, 0, 0, 0],
            &[2, 0x80, 0, 0],
            &[2, 1, 0, 2, 5, 3, 0x80, 0, 2, 3, 5],
            &[2, 1, 0, 2, 5, 3, 0x80, 0, 1, 5],
        ] {
            assert!(SealRecord::decode(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_later_release_s_fields_are_kept_or_have_the_record_refused() {
        let optional = [2, 1, 0, 2, 5, 3, 0x90, 0, 1, 42];
        let record = SealRecord::decode(&optional).unwrap();
        assert_eq!(record.config, of_shares(SealType::Shamir));
        assert_eq!(record.encode().unwrap(), optional, "kept as it was");
        let needed = [2, 1, 0, 2, 5, 3, 0x7f, 0, 1, 42];
        assert!(SealRecord::decode(&needed).is_err());
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        let long = WrappedKey {
            name: "x".repeat(256),
            ..wrapped("")
        };
        let large = WrappedKey {
            ciphertext: vec![0; 1 << 16],
            ..wrapped("")
        };
        for bad in [vec![long], vec![large], vec![wrapped(""); 17]] {
            let encoded = SealRecord::of_providers(bad).encode();
            assert!(matches!(encoded, Err(BarrierError::Encode(_))));
        }
    }
}
