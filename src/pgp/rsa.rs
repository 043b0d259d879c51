//! RSA's public half: judging its numbers, and raising a padded text to its power.

use crate::secret::SecretBytes;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};

/// The fewest bits of an RSA key.
pub const RSA_BITS_MIN: usize = 2048;
/// The most bits of an RSA key.
pub const RSA_BITS_MAX: usize = 8192;
/// The longest public exponent, in bytes; that of nearly all keys has three.
const EXPONENT_BYTES_MAX: usize = 8;

/// The numbers of a public RSA key, without leading zeros.
#[derive(Clone, Debug)]
pub struct RsaNumbers {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl RsaNumbers {
    /// Returns the key of these numbers, or the reason for which nothing is encrypted to it.
    ///
    /// # Errors
    /// The key is too short or too long, or is none.
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, &'static str> {
        let bits = modulus.len() * 8;
        let is_odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
        if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
            return Err("its RSA key has fewer than 2048 bits, or more than 8192");
        }
        if !is_odd(modulus) || !is_odd(exponent) || exponent == [1] {
            return Err("its RSA key is none");
        }
        if exponent.len() > EXPONENT_BYTES_MAX {
            return Err("the exponent of its RSA key is too long");
        }
        Ok(Self {
            modulus: modulus.to_vec(),
            exponent: exponent.to_vec(),
        })
    }

    /// Returns the length of the modulus, to which a text is padded.
    pub fn modulus_bytes(&self) -> usize {
        self.modulus.len()
    }

    /// Raises a padded text to the key's power; `None` for numbers that are none.
    pub fn power(&self, padded: &SecretBytes) -> Option<Vec<u8>> {
        let precision = u32::try_from(self.modulus.len() * 8).ok()?;
        let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, precision).ok();
        let modulus: Option<Odd<BoxedUint>> = Odd::new(number(&self.modulus)?).into();
        let params = BoxedMontyParams::new_vartime(modulus?);
        let exponent = BoxedUint::from_be_slice_vartime(&self.exponent);
        let power = BoxedMontyForm::new(number(padded.expose())?, &params).pow(&exponent);
        Some(power.retrieve().to_be_bytes().into_vec())
    }
}
