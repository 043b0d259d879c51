//! How the root key is sealed: a public parameter, readable while sealed.
//!
//! ```text
//! offset  bytes  field
//! 0       1      format version, 0x01
//! 1       1      seal type: 1 = shamir
//! 2       1      shares
//! 3       1      threshold
//! ```

use super::BarrierError;

const FORMAT_VERSION: u8 = 1;

/// Who holds the seal key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealType {
    /// People, as shares of it.
    Shamir,
}

impl SealType {
    /// As `sys/seal-status` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shamir => "shamir",
        }
    }
}

/// How many shares there are and how many are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealConfig {
    /// Who holds the seal key.
    pub seal_type: SealType,
    /// Shares made.
    pub shares: u8,
    /// Shares needed; at least 1, at most `shares`.
    pub threshold: u8,
}

impl SealConfig {
    pub(super) fn encode(self) -> Vec<u8> {
        let seal_type = match self.seal_type {
            SealType::Shamir => 1,
        };
        vec![FORMAT_VERSION, seal_type, self.shares, self.threshold]
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BarrierError> {
        match bytes {
            [FORMAT_VERSION, 1, shares, threshold] if *threshold >= 1 && threshold <= shares => {
                Ok(Self {
                    seal_type: SealType::Shamir,
                    shares: *shares,
                    threshold: *threshold,
                })
            }
            _ => Err(BarrierError::Decode("seal configuration")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_it_encodes_and_nothing_else() {
        let config = SealConfig {
            seal_type: SealType::Shamir,
            shares: 5,
            threshold: 3,
        };
        assert_eq!(SealConfig::decode(&config.encode()).unwrap(), config);
        for bad in [
            &[][..],
            &[1, 1, 5],
            &[2, 1, 5, 3],
            &[1, 9, 5, 3],
            &[1, 1, 3, 5],
            &[1, 1, 5, 0],
            &[1, 1, 5, 3, 0],
        ] {
            assert!(SealConfig::decode(bad).is_err(), "{bad:?}");
        }
    }
}
