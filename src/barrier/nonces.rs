//! Random nonces, drawn from the kernel a page's worth at a time.

use super::xchacha::{NONCE_BYTES, XNonce};
use crate::secret::fill_random;
use std::sync::{Mutex, PoisonError};

/// The number of nonces per draw: one system call serves this many records.
const NONCES_PER_DRAW: usize = 64;

/// Hands out each nonce once. Nonces are not secret; they must not repeat.
pub(super) struct Nonces(Mutex<Vec<XNonce>>);

impl Nonces {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Vec::with_capacity(NONCES_PER_DRAW)))
    }

    pub(super) fn next(&self) -> XNonce {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(nonce) = ready.pop() {
            return nonce;
        }
        let mut drawn = [0; NONCES_PER_DRAW * NONCE_BYTES];
        fill_random(&mut drawn);
        let (nonces, _) = drawn.as_chunks::<NONCE_BYTES>();
        ready.extend_from_slice(nonces);
        ready.pop().expect("a draw is never empty")
    }
}

/// Draws one nonce without a source at hand: for the few seals of keys under keys.
pub(super) fn single() -> XNonce {
    let mut nonce = [0; NONCE_BYTES];
    fill_random(&mut nonce);
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn none_repeats_across_draws() {
        let nonces = Nonces::new();
        let drawn: HashSet<XNonce> = (0..10 * NONCES_PER_DRAW).map(|_| nonces.next()).collect();
        assert_eq!(drawn.len(), 10 * NONCES_PER_DRAW);
    }
}
