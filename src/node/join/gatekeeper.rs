//! Remembers the answered challenges of this process, and the join tokens that it made.

use super::token::{JoinToken, TokenId};
use crate::barrier::{Issuer, JoinKey};
use crate::clock::Timestamp;
use crate::secret::fill_random;
use std::sync::{Mutex, PoisonError};

/// The most answers within a challenge's life. Only holders of the unseal keys use any up.
const ANSWERS_MAX: usize = 256;
/// The most join tokens that are good at a time.
pub(super) const TOKENS_MAX: usize = 32;

/// Remembers the challenges that were answered, so that none is answered twice.
pub(in crate::node) struct Gatekeeper {
    pub(super) issuer: Issuer,
    /// Held while a node is let in by a token, so that one is at a time.
    pub(super) admitting: tokio::sync::Mutex<()>,
    answered: Mutex<Vec<([u8; 16], Timestamp)>>,
    tokens: Mutex<Vec<IssuedToken>>,
}

/// A join token that nobody has used yet.
pub(super) struct IssuedToken {
    token: JoinToken,
    expires: Timestamp,
}

impl Gatekeeper {
    pub fn new() -> Self {
        let mut issuer = Issuer::default();
        fill_random(&mut issuer);
        Self {
            issuer,
            admitting: tokio::sync::Mutex::default(),
            answered: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    /// Keeps a token until it is used or expires. Returns false when there are too many.
    pub(super) fn keep(&self, token: JoinToken, expires: Timestamp, now: Timestamp) -> bool {
        self.put_back(IssuedToken { token, expires }, now)
    }

    /// Keeps a token again with which nobody was let in.
    pub(super) fn put_back(&self, issued: IssuedToken, now: Timestamp) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|issued| issued.expires > now);
        let has_room = tokens.len() < TOKENS_MAX;
        if has_room {
            tokens.push(issued);
        }
        has_room
    }

    /// Returns the key of a token that is good.
    pub(super) fn join_key(&self, id: &TokenId, now: Timestamp) -> Option<JoinKey> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let mut good = tokens.iter().filter(|issued| issued.expires > now);
        let found = good.find(|issued| issued.token.id == *id);
        found.map(|issued| issued.token.join_key())
    }

    /// Takes a token, which is used now: each can be taken once.
    pub(super) fn take(&self, id: &TokenId, now: Timestamp) -> Option<IssuedToken> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let at = tokens.iter().position(|issued| issued.token.id == *id)?;
        Some(tokens.remove(at)).filter(|issued| issued.expires > now)
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
    fn a_token_is_taken_once_and_in_time_and_there_are_not_many() {
        let gatekeeper = Gatekeeper::new();
        let (now, later) = (Timestamp::from_secs(1), Timestamp::from_secs(31));
        let token = JoinToken::generate();
        let id = token.id;
        assert!(gatekeeper.keep(token, later, now));
        assert!(gatekeeper.join_key(&[0; 16], now).is_none());
        assert!(gatekeeper.join_key(&id, now).is_some());
        assert!(gatekeeper.join_key(&id, later).is_none(), "expired");
        let taken = gatekeeper.take(&id, now).unwrap();
        assert!(gatekeeper.take(&id, now).is_none(), "used");
        assert!(gatekeeper.join_key(&id, now).is_none());
        assert!(gatekeeper.put_back(taken, now));
        assert!(gatekeeper.take(&id, later).is_none(), "expired");
        for _ in 0..TOKENS_MAX {
            assert!(gatekeeper.keep(JoinToken::generate(), later, now));
        }
        assert!(!gatekeeper.keep(JoinToken::generate(), later, now));
        let end = Timestamp::from_secs(61);
        assert!(gatekeeper.keep(JoinToken::generate(), end, later));
    }

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
