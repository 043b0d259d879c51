//! Collects shares until there are enough.

use super::{SHARE_BYTES_MAX, SHARE_BYTES_MIN, SealConfig, SealError, combine};
use crate::secret::{Key256, SecretBytes};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// The shares given since the last start over.
#[derive(Debug, Default)]
pub struct UnsealProgress {
    attempt: Option<Uuid>,
    shares: Vec<SecretBytes>,
}

/// The outcome of giving a share.
#[derive(Debug)]
pub enum Collected {
    /// More shares are needed.
    Waiting,
    /// There were enough shares. The key is only a candidate, which
    /// [`crate::barrier::Sealed::unseal`] tries. Collecting has started over.
    Key(Key256),
}

impl UnsealProgress {
    /// Returns an empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one share. A share that was given before changes nothing. If the last share of a set
    /// does not fit the others, collecting starts over and the error says why.
    pub fn submit(
        &mut self,
        config: SealConfig,
        share: SecretBytes,
    ) -> Result<Collected, SealError> {
        if config.threshold == 0 {
            return Err(SealError::NotShared);
        }
        if share.expose().len() < SHARE_BYTES_MIN {
            return Err(SealError::TooShort);
        }
        if share.expose().len() > SHARE_BYTES_MAX {
            return Err(SealError::TooLong);
        }
        if self.holds(&share) {
            return Ok(Collected::Waiting);
        }
        self.attempt.get_or_insert_with(Uuid::new_v4);
        self.shares.push(share);
        if self.shares.len() < usize::from(config.threshold) {
            return Ok(Collected::Waiting);
        }
        let shares = std::mem::take(self).shares;
        let key = match shares.as_slice() {
            [only] => Key256::from_slice(only.expose()),
            several => Key256::from_slice(combine(several)?.expose()),
        };
        key.map(Collected::Key).ok_or(SealError::KeyLength)
    }

    /// Returns true if this share was given since the last start over.
    pub fn holds(&self, share: &SecretBytes) -> bool {
        self.shares.iter().any(|known| is_same(known, share))
    }

    /// Drops the shares given so far.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Returns the number of different shares given; always below the threshold.
    pub fn count(&self) -> u8 {
        u8::try_from(self.shares.len()).unwrap_or(u8::MAX)
    }

    /// Returns the UUID of this attempt; empty when no share was given.
    pub fn nonce(&self) -> String {
        self.attempt
            .map(|attempt| attempt.to_string())
            .unwrap_or_default()
    }
}

fn is_same(one: &SecretBytes, other: &SecretBytes) -> bool {
    one.expose().ct_eq(other.expose()).into()
}

#[cfg(test)]
mod tests {
    use super::super::{SealType, check_config, generate};
    use super::*;
    use crate::secret::Secret;

    fn copy(share: &SecretBytes) -> SecretBytes {
        Secret::new(share.expose().clone())
    }

    #[test]
    fn collects_up_to_the_threshold_and_starts_over() {
        let config = check_config(5, 3).unwrap();
        let (key, shares) = generate(config).unwrap();
        let mut progress = UnsealProgress::new();
        assert_eq!((progress.count(), progress.nonce()), (0, String::new()));
        for (index, share) in shares.iter().take(2).enumerate() {
            let step = progress.submit(config, copy(share)).unwrap();
            assert!(matches!(step, Collected::Waiting));
            assert_eq!(usize::from(progress.count()), index + 1);
        }
        let nonce = progress.nonce();
        assert!(Uuid::parse_str(&nonce).is_ok());
        assert!(matches!(
            progress.submit(config, copy(&shares[1])).unwrap(),
            Collected::Waiting
        ));
        assert_eq!((progress.count(), progress.nonce()), (2, nonce));
        match progress.submit(config, copy(&shares[4])).unwrap() {
            Collected::Key(found) => assert_eq!(found.expose(), key.expose()),
            Collected::Waiting => panic!("three of three were given"),
        }
        assert_eq!((progress.count(), progress.nonce()), (0, String::new()));
    }

    #[test]
    fn a_share_that_cannot_be_one_is_not_counted() {
        let config = check_config(5, 3).unwrap();
        let mut progress = UnsealProgress::new();
        for (length, error) in [
            (0, SealError::TooShort),
            (15, SealError::TooShort),
            (34, SealError::TooLong),
            (1 << 20, SealError::TooLong),
        ] {
            let share = Secret::new(vec![1; length]);
            assert_eq!(progress.submit(config, share).unwrap_err(), error);
            assert_eq!(progress.count(), 0);
        }
    }

    #[test]
    fn a_set_that_does_not_fit_together_starts_over() {
        let config = check_config(3, 2).unwrap();
        let (_, shares) = generate(config).unwrap();
        let mut progress = UnsealProgress::new();
        let mut same_number = copy(&shares[0]);
        same_number.expose_mut()[0] ^= 1;
        for (second, error) in [
            (Secret::new(vec![7; 16]), SealError::LengthsDiffer),
            (same_number, SealError::DuplicatePart),
        ] {
            progress.submit(config, copy(&shares[0])).unwrap();
            assert_eq!(progress.submit(config, second).unwrap_err(), error);
            assert_eq!((progress.count(), progress.nonce()), (0, String::new()));
        }
        progress.submit(config, Secret::new(vec![1; 20])).unwrap();
        let other = Secret::new(vec![2; 20]);
        assert_eq!(
            progress.submit(config, other).unwrap_err(),
            SealError::KeyLength
        );
        assert_eq!(progress.count(), 0);
    }

    #[test]
    fn where_providers_alone_keep_the_key_no_share_is_taken() {
        let config = SealConfig {
            seal_type: SealType::Auto,
            shares: 0,
            threshold: 0,
        };
        let mut progress = UnsealProgress::new();
        let refused = progress.submit(config, Secret::new(vec![1; 32]));
        assert_eq!(refused.unwrap_err(), SealError::NotShared);
        assert_eq!(progress.count(), 0);
    }

    #[test]
    fn reset_forgets() {
        let config = check_config(5, 3).unwrap();
        let mut progress = UnsealProgress::new();
        progress.submit(config, Secret::new(vec![1; 33])).unwrap();
        progress.reset();
        assert_eq!((progress.count(), progress.nonce()), (0, String::new()));
    }

    #[test]
    fn a_single_share_is_enough_when_one_was_made() {
        let config = check_config(1, 1).unwrap();
        let (key, shares) = generate(config).unwrap();
        match UnsealProgress::new()
            .submit(config, copy(&shares[0]))
            .unwrap()
        {
            Collected::Key(found) => assert_eq!(found.expose(), key.expose()),
            Collected::Waiting => panic!("one of one was given"),
        }
    }
}
