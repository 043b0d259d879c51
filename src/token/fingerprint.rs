//! The fingerprint by which a token's text is known.

use std::fmt;

/// Bytes of the keyed hash that are kept.
const FINGERPRINT_BYTES: usize = 16;
/// The mark before the fingerprint's digits in a record's name.
const MARK: char = 'h';

/// A keyed hash of a service token's text, 128 bits: its record's name follows from it, the text
/// does not. Working it out is what a lookup costs, so a request does it once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; FINGERPRINT_BYTES]);

impl Fingerprint {
    /// Keeps the first half of `mac`.
    pub(super) fn new(mac: &[u8; 2 * FINGERPRINT_BYTES]) -> Self {
        let mut kept = [0; FINGERPRINT_BYTES];
        kept.copy_from_slice(mac.split_at(FINGERPRINT_BYTES).0);
        Self(kept)
    }

    /// Returns the name of the token's record: `h` and 32 hexadecimal digits.
    pub(super) fn record_name(self) -> String {
        let mut name = String::with_capacity(1 + 2 * FINGERPRINT_BYTES);
        name.push(MARK);
        let mut digits = [0; 2 * FINGERPRINT_BYTES];
        // Both lengths are fixed.
        if hex::encode_to_slice(self.0, &mut digits).is_ok()
            && let Ok(digits) = std::str::from_utf8(&digits)
        {
            name.push_str(digits);
        }
        name
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_records_name_is_half_of_the_hash_in_digits() {
        let mac = std::array::from_fn(|index| u8::try_from(index).unwrap() * 7);
        let name = Fingerprint::new(&mac).record_name();
        assert_eq!(name, "h00070e151c232a31383f464d545b6269");
    }
}
