//! The seal: keeps the key that opens the root key, and gives it back.
//!
//! Owns Shamir's secret sharing ([`split`], [`combine`]), the collection of shares
//! ([`UnsealProgress`]), the seam to providers that keep the key without people
//! ([`Provider`], [`Providers`]), and the providers, a file for each kind of `seal` stanza
//! (`kinds.rs` lists them), and the question whether a cluster is to move from one seal to another
//! (`migration.rs`). Shares are interchangeable with Vault's.
//!
//! ```text
//! people: shares of the seal key ----combine----+
//! providers: the seal key, wrapped ---unwrap----+--> seal key --> root key, proof of a joiner
//! ```
//!
//! Invariants
//! - Every computation on a share's y bytes takes the same time and touches the same memory for all
//!   their values; x bytes and lengths are public.
//! - Shares given are wiped when they are used, refused or thrown away.
//! - A set of shares is tried once: right or wrong, collecting starts over.
//! - A provider keeps the whole seal key and never sees the data behind it; any one of several
//!   opens the seal.

mod aws;
mod http;
mod kinds;
mod migration;
mod progress;
mod provider;
mod providers;
mod settings;
mod shamir;
mod static_key;
mod stick;
#[cfg(test)]
pub(crate) mod testing;
mod transit;

pub use crate::barrier::{SealConfig, SealRecord, SealType, WrappedKey};
pub use kinds::{KINDS, provider};
pub use migration::{Direction, SealMigration, SealRoute, SealSet};
pub use progress::{Collected, UnsealProgress};
pub use provider::{Description, Provider, ProviderError};
pub use providers::{CALL_WITHIN, Providers, Renewed, Unkept};
pub use settings::{SettingError, Settings, Variables};
pub use shamir::{combine, split};
pub use stick::new_key as new_stick_key;

use crate::secret::{KEY_BYTES, Key256, Secret, SecretBytes};

/// Shortest share that is accepted, in bytes (Vault's smallest key).
pub const SHARE_BYTES_MIN: usize = 16;
/// Longest share, in bytes: a key and its x.
pub const SHARE_BYTES_MAX: usize = KEY_BYTES + 1;

/// Reasons to refuse shares. Always the operator's fault; the texts are Vault's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There are to be no shares; ask for at least one.
    #[error("invalid seal configuration: shares must be at least one")]
    NoShares,
    /// The threshold is below one; ask for at least one.
    #[error("invalid seal configuration: threshold must be at least one")]
    NoThreshold,
    /// The threshold is above the number of shares; ask for at most that.
    #[error("invalid seal configuration: threshold cannot be larger than shares")]
    ThresholdAboveShares,
    /// Several shares are to open the seal alone each, which is no sharing.
    #[error("invalid seal configuration: threshold must be greater than one for multiple shares")]
    ThresholdOfOne,
    /// There are to be too many shares; ask for at most 255.
    #[error("invalid seal configuration: shares must be less than 256")]
    TooManyShares,
    /// The share is too short.
    #[error("invalid key: key is shorter than minimum {SHARE_BYTES_MIN} bytes")]
    TooShort,
    /// The share is too long.
    #[error("invalid key: key is longer than maximum {SHARE_BYTES_MAX} bytes")]
    TooLong,
    /// The shares given are not of one set; start over.
    #[error("invalid key: failed to compute combined key: all parts must be the same length")]
    LengthsDiffer,
    /// Two shares of one number; start over.
    #[error("invalid key: failed to compute combined key: duplicate part detected")]
    DuplicatePart,
    /// Fewer shares than [`combine`] can work with.
    #[error("invalid key: failed to compute combined key: less than two parts cannot be used")]
    TooFewParts,
    /// Providers keep the seal key, and there are no shares of it.
    #[error("this cluster has no unseal keys: its seal opens it")]
    NotShared,
    /// The shares fit each other and make a key of a wrong length.
    #[error("invalid key: the combined key is not {KEY_BYTES} bytes long")]
    KeyLength,
}

/// Returns the fault of an operator's numbers, in the words and the order in which Vault finds
/// them; `None` where so many shares can be made.
pub fn fault(shares: i64, threshold: i64) -> Option<&'static str> {
    let most = i64::from(u8::MAX);
    let faults = [
        (shares < 1, "shares must be at least one"),
        (threshold < 1, "threshold must be at least one"),
        (
            shares > 1 && threshold == 1,
            "threshold must be greater than one for multiple shares",
        ),
        (shares > most, "shares must be less than 256"),
        (threshold > most, "threshold must be less than 256"),
        (threshold > shares, "threshold cannot be larger than shares"),
    ];
    let mut found = faults.into_iter().filter(|(is_so, _)| *is_so);
    found.next().map(|(_, what)| what)
}

/// Checks the numbers that an operator gives at initialization.
pub fn check_config(shares: i64, threshold: i64) -> Result<SealConfig, SealError> {
    if shares < 1 {
        return Err(SealError::NoShares);
    }
    let shares = u8::try_from(shares).map_err(|_| SealError::TooManyShares)?;
    if threshold < 1 {
        return Err(SealError::NoThreshold);
    }
    if threshold > i64::from(shares) {
        return Err(SealError::ThresholdAboveShares);
    }
    if threshold == 1 && shares > 1 {
        return Err(SealError::ThresholdOfOne);
    }
    Ok(SealConfig {
        seal_type: SealType::Shamir,
        shares,
        threshold: u8::try_from(threshold).map_err(|_| SealError::ThresholdAboveShares)?,
    })
}

/// Returns a fresh seal key and its shares for `config`, which [`check_config`] made. A single
/// share is the key itself, as in Vault.
pub fn generate(config: SealConfig) -> Result<(Key256, Vec<SecretBytes>), SealError> {
    let key = Key256::generate();
    let shares = shares_of(&key, config)?;
    Ok((key, shares))
}

/// Returns the shares of `key` for `config`, which [`check_config`] made.
pub fn shares_of(key: &Key256, config: SealConfig) -> Result<Vec<SecretBytes>, SealError> {
    check_config(config.shares.into(), config.threshold.into())?;
    match config.shares {
        1 => Ok(vec![Secret::new(key.expose().to_vec())]),
        shares => split(key.expose(), shares, config.threshold),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_refused_with_the_reason() {
        for (shares, threshold, error) in [
            (0, 0, SealError::NoShares),
            (-1, 2, SealError::NoShares),
            (3, 0, SealError::NoThreshold),
            (3, 4, SealError::ThresholdAboveShares),
            (1, 2, SealError::ThresholdAboveShares),
            (3, 1, SealError::ThresholdOfOne),
            (256, 3, SealError::TooManyShares),
            (300, 3, SealError::TooManyShares),
        ] {
            assert_eq!(check_config(shares, threshold), Err(error));
        }
        for (shares, threshold) in [(1, 1), (2, 2), (5, 3), (255, 255)] {
            let config = check_config(shares, threshold).unwrap();
            let found = (i64::from(config.shares), i64::from(config.threshold));
            assert_eq!(found, (shares, threshold));
        }
    }

    #[test]
    fn numbers_are_at_fault_where_they_make_no_configuration() {
        for shares in -1..=257 {
            for threshold in [-1, 0, 1, 2, 3, 255, 256, 257] {
                let is_good = fault(shares, threshold).is_none();
                assert_eq!(is_good, check_config(shares, threshold).is_ok());
            }
        }
        let both = fault(300, 1).unwrap();
        assert_eq!(
            both,
            "threshold must be greater than one for multiple shares"
        );
    }

    #[test]
    fn a_single_share_is_the_key() {
        let (key, shares) = generate(check_config(1, 1).unwrap()).unwrap();
        assert_eq!(shares.len(), 1);
        assert_eq!(shares[0].expose().as_slice(), key.expose());
    }
}
