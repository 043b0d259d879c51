//! The hashes that requests name.

use hmac::{KeyInit, Mac, SimpleHmac};
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};

/// A hash, by the name that clients use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// `sha1`.
    Sha1,
    /// `sha2-224`.
    Sha2_224,
    /// `sha2-256`.
    Sha2_256,
    /// `sha2-384`.
    Sha2_384,
    /// `sha2-512`.
    Sha2_512,
    /// `sha3-224`.
    Sha3_224,
    /// `sha3-256`.
    Sha3_256,
    /// `sha3-384`.
    Sha3_384,
    /// `sha3-512`.
    Sha3_512,
}

/// Does something with the type of a hash.
macro_rules! with_hash {
    ($hash:expr, $D:ident => $done:expr) => {
        match $hash {
            $crate::engine::hash::Hash::Sha1 => {
                type $D = sha1::Sha1;
                $done
            }
            $crate::engine::hash::Hash::Sha2_224 => {
                type $D = sha2::Sha224;
                $done
            }
            $crate::engine::hash::Hash::Sha2_256 => {
                type $D = sha2::Sha256;
                $done
            }
            $crate::engine::hash::Hash::Sha2_384 => {
                type $D = sha2::Sha384;
                $done
            }
            $crate::engine::hash::Hash::Sha2_512 => {
                type $D = sha2::Sha512;
                $done
            }
            $crate::engine::hash::Hash::Sha3_224 => {
                type $D = sha3::Sha3_224;
                $done
            }
            $crate::engine::hash::Hash::Sha3_256 => {
                type $D = sha3::Sha3_256;
                $done
            }
            $crate::engine::hash::Hash::Sha3_384 => {
                type $D = sha3::Sha3_384;
                $done
            }
            $crate::engine::hash::Hash::Sha3_512 => {
                type $D = sha3::Sha3_512;
                $done
            }
        }
    };
}
pub(crate) use with_hash;

impl Hash {
    /// Returns the hash called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "sha1" => Self::Sha1,
            "sha2-224" => Self::Sha2_224,
            "sha2-256" => Self::Sha2_256,
            "sha2-384" => Self::Sha2_384,
            "sha2-512" => Self::Sha2_512,
            "sha3-224" => Self::Sha3_224,
            "sha3-256" => Self::Sha3_256,
            "sha3-384" => Self::Sha3_384,
            "sha3-512" => Self::Sha3_512,
            _ => return None,
        })
    }

    /// Returns the length of its sums, in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha2_224 | Self::Sha3_224 => 28,
            Self::Sha2_256 | Self::Sha3_256 => 32,
            Self::Sha2_384 | Self::Sha3_384 => 48,
            Self::Sha2_512 | Self::Sha3_512 => 64,
        }
    }

    /// Returns the sum of `input`.
    pub fn sum(self, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(input).to_vec(),
            Self::Sha2_224 => Sha224::digest(input).to_vec(),
            Self::Sha2_256 => Sha256::digest(input).to_vec(),
            Self::Sha2_384 => Sha384::digest(input).to_vec(),
            Self::Sha2_512 => Sha512::digest(input).to_vec(),
            Self::Sha3_224 => Sha3_224::digest(input).to_vec(),
            Self::Sha3_256 => Sha3_256::digest(input).to_vec(),
            Self::Sha3_384 => Sha3_384::digest(input).to_vec(),
            Self::Sha3_512 => Sha3_512::digest(input).to_vec(),
        }
    }

    /// Returns the keyed sum of `input` (RFC 2104).
    pub fn keyed(self, key: &[u8], input: &[u8]) -> Vec<u8> {
        with_hash!(self, D => {
            // HMAC takes keys of any length.
            let Ok(mut hmac) = <SimpleHmac<D> as KeyInit>::new_from_slice(key) else {
                return Vec::new();
            };
            hmac.update(input);
            hmac.finalize().into_bytes().to_vec()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 9] = [
        "sha1", "sha2-224", "sha2-256", "sha2-384", "sha2-512", "sha3-224", "sha3-256", "sha3-384",
        "sha3-512",
    ];

    /// "abc" of FIPS 180-4 and FIPS 202, by the first bytes of each sum.
    #[test]
    fn sums_are_the_published_ones() {
        let heads = [
            "a9993e364706816a",
            "23097d223405d822",
            "ba7816bf8f01cfea",
            "cb00753f45a35e8b",
            "ddaf35a193617aba",
            "e642824c3f8cf24a",
            "3a985da74fe225b2",
            "ec01498288516fc9",
            "b751850b1a57168a",
        ];
        for (name, head) in NAMES.into_iter().zip(heads) {
            let hash = Hash::named(name).expect("known");
            let sum = hash.sum(b"abc");
            assert_eq!(sum.len(), hash.bytes(), "{name}");
            assert_eq!(hex::encode(&sum[..8]), head, "{name}");
        }
        assert_eq!(Hash::named("none"), None);
    }

    /// RFC 4231 (case 2) and RFC 2202 (case 2); both have a key that is shorter than a sum.
    #[test]
    fn keyed_sums_are_the_published_ones() {
        let wanted = [
            ("sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (
                "sha2-224",
                "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
            ),
            (
                "sha2-256",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
        ];
        for (name, sum) in wanted {
            let hash = Hash::named(name).expect("known");
            let made = hash.keyed(b"Jefe", b"what do ya want for nothing?");
            assert_eq!(hex::encode(made), sum, "{name}");
        }
    }
}
