//! Secrets in memory: zeroized when dropped, never printed, never compared by accident.
//!
//! Invariant: the only ways to the inside are [`Secret::expose`] and its kin, so that every use
//! can be found by searching for that word.

mod json;
mod key;
mod memory;
mod random;
mod wipe;

pub use json::wipe;
pub use key::{KEY_BYTES, Key256};
pub use memory::{MemoryError, forbid_core_dumps, lock_memory};
pub use random::{fill_random, random_text};
pub use wipe::{Wipe, Wiped};

/// A value that is wiped on drop. It has no `Clone`, no `Serialize`, no `==`.
pub struct Secret<T: Wipe>(T);

/// Secret bytes: keys, plaintext records.
pub type SecretBytes = Secret<Vec<u8>>;

/// Secret text: tokens, passwords.
pub type SecretString = Secret<String>;

impl<T: Wipe> Secret<T> {
    /// Takes ownership of `value`; copies that the caller made before are the caller's to wipe.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value. Callers neither log it nor put it into an error.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// Returns the value, to be filled in place.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Wipe + Default> Secret<T> {
    /// Takes the value out; from here the caller wipes it.
    pub fn into_inner(mut self) -> T {
        std::mem::take(&mut self.0)
    }
}

impl<T: Wipe> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.wipe();
    }
}

impl<T: Wipe> std::fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_redacted() {
        let secret = Secret::new(String::from("hunter2"));
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
        assert_eq!(secret.expose(), "hunter2");
    }
}
