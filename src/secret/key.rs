//! A 256-bit key.

use zeroize::Zeroize;

/// Length of every symmetric key here, in bytes.
pub const KEY_BYTES: usize = 32;

/// A 256-bit symmetric key. It lies on the heap, so that moving the handle leaves no copy behind,
/// and is wiped on drop. It has no `Clone`, no `==`, and a `Debug` that hides the bytes.
pub struct Key256(Box<[u8; KEY_BYTES]>);

impl Key256 {
    /// Returns a fresh random key.
    pub fn generate() -> Self {
        let mut key = Self(Box::new([0; KEY_BYTES]));
        super::fill_random(key.0.as_mut());
        key
    }

    /// Returns a copy of `bytes`, which stay the caller's to wipe; `None` unless there are exactly
    /// 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != KEY_BYTES {
            return None;
        }
        let mut key = Self(Box::new([0; KEY_BYTES]));
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    /// Returns the bytes. Callers neither log them nor put them into an error.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Returns a second copy of the bytes, for the few places that must hold a key twice.
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Drop for Key256 {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Key256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key256(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_exactly_its_length() {
        assert!(Key256::from_slice(&[1; 31]).is_none());
        assert!(Key256::from_slice(&[1; 33]).is_none());
        assert_eq!(Key256::from_slice(&[1; 32]).unwrap().expose(), &[1; 32]);
    }

    #[test]
    fn generated_keys_differ() {
        assert_ne!(Key256::generate().expose(), Key256::generate().expose());
    }
}
