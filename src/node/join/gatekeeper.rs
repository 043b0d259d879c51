//! Remembers the answered challenges of this process.

use crate::barrier::Issuer;
use crate::clock::Timestamp;
use crate::secret::fill_random;
use std::sync::{Mutex, PoisonError};

/// The most answers within a challenge's life. Only holders of the unseal keys use any up.
const ANSWERS_MAX: usize = 256;

/// Remembers the challenges that were answered, so that none is answered twice.
pub(in crate::node) struct Gatekeeper {
    pub(super) issuer: Issuer,
    answered: Mutex<Vec<([u8; 16], Timestamp)>>,
}

impl Gatekeeper {
    pub fn new() -> Self {
        let mut issuer = Issuer::default();
        fill_random(&mut issuer);
        Self {
            issuer,
            answered: Mutex::default(),
        }
    }

    /// Returns true once for each challenge; false when it was answered before, or when too many
    /// were.
    pub(super) fn first_time(&self, nonce: [u8; 16], expires: Timestamp, now: Timestamp) -> bool {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.retain(|(_, expires)| *expires > now);
        let known = answered.iter().any(|(known, _)| *known == nonce);
        if known || answered.len() >= ANSWERS_MAX {
            return false;
        }
        answered.push((nonce, expires));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_answered_once_and_the_memory_of_it_is_bounded() {
        let gatekeeper = Gatekeeper::new();
        let (now, later) = (Timestamp::from_secs(1), Timestamp::from_secs(31));
        assert!(gatekeeper.first_time([1; 16], later, now));
        assert!(!gatekeeper.first_time([1; 16], later, now));
        for number in 0..ANSWERS_MAX as u128 {
            gatekeeper.first_time(number.to_be_bytes(), later, now);
        }
        assert!(!gatekeeper.first_time([2; 16], later, now), "full");
        assert!(gatekeeper.first_time([2; 16], Timestamp(u64::MAX), later));
        let answered = gatekeeper.answered.lock().unwrap();
        assert_eq!(answered.len(), 1, "what has expired is forgotten");
    }
}
