//! Messages between unsealed nodes of a cluster, sealed apart from the connection that carries
//! them.
//!
//! ```text
//! sealed message   nonce, random (24) | XChaCha20 ciphertext | Poly1305 tag (16)
//! ```
//!
//! The key is the cluster's for forwarding ([`super::ClusterKey::Forwarding`]), so a member that
//! was never unsealed can neither make nor read one. Associated data: the parts of the context,
//! each behind its length (4 bytes, big-endian). The caller makes the context, of the kind of the
//! message, its sender, its receiver and the request that it answers.

use super::xchacha::{NONCE_BYTES, TAG_BYTES};
use super::{BarrierError, Unsealed};
use crate::secret::{Secret, SecretBytes};

/// The bytes that sealing adds to a message.
pub const MESSAGE_OVERHEAD_BYTES: usize = NONCE_BYTES + TAG_BYTES;
/// The length of the nonce with which a sealed message begins, in bytes.
pub const MESSAGE_NONCE_BYTES: usize = NONCE_BYTES;

impl Unsealed {
    /// Appends `plaintext` to `out`, sealed and bound to `context`.
    ///
    /// # Errors
    /// [`BarrierError::Sealed`]; `out` is as it was.
    pub fn seal_message(
        &self,
        context: &[&[u8]],
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), BarrierError> {
        let keys = self.keys()?;
        let nonce = self.nonces.next();
        // Grown before anything is written: growing later would leave plaintext behind.
        out.reserve_exact(MESSAGE_OVERHEAD_BYTES + plaintext.len());
        out.extend(nonce);
        let start = out.len();
        out.extend_from_slice(plaintext);
        let body = out.split_at_mut(start).1;
        let tag = keys
            .forwarding
            .seal(&nonce, &associated_data(context), body);
        out.extend(tag);
        Ok(())
    }

    /// Opens a message that [`Unsealed::seal_message`] made with the same context, here or on
    /// another unsealed node.
    ///
    /// # Errors
    /// [`BarrierError::Tampered`] when the message was made by other keys, for another context, or
    /// altered; [`BarrierError::Sealed`].
    pub fn open_message(
        &self,
        context: &[&[u8]],
        sealed: &[u8],
    ) -> Result<SecretBytes, BarrierError> {
        let (nonce, body) = sealed.split_first_chunk().ok_or(BarrierError::Tampered)?;
        let keys = self.keys()?;
        let mut buffer = Secret::new(body.to_vec());
        let inside = buffer.expose_mut();
        let data = associated_data(context);
        let length = keys.forwarding.open(nonce, &data, inside)?;
        inside.truncate(length);
        Ok(buffer)
    }
}

fn associated_data(context: &[&[u8]]) -> Vec<u8> {
    let bytes = context.iter().map(|part| part.len() + 4).sum();
    let mut data = Vec::with_capacity(bytes);
    for part in context {
        data.extend((part.len() as u32).to_be_bytes());
        data.extend_from_slice(part);
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Inmem;
    use std::sync::Arc;

    fn barrier() -> Arc<Unsealed> {
        Unsealed::for_test(Arc::new(Inmem::new()))
    }

    fn sealed(barrier: &Unsealed, context: &[&[u8]], text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        barrier.seal_message(context, text, &mut out).unwrap();
        out
    }

    #[test]
    fn a_message_opens_in_its_context_under_its_key_and_unaltered_only() {
        let (barrier, other) = (barrier(), barrier());
        let message = sealed(&barrier, &[b"ab", b"c"], b"a token");
        assert_eq!(message.len(), 7 + MESSAGE_OVERHEAD_BYTES);
        let opened = barrier.open_message(&[b"ab", b"c"], &message).unwrap();
        assert_eq!(opened.expose(), b"a token");
        let contexts: [&[&[u8]]; 4] = [&[b"a", b"bc"], &[b"abc"], &[b"ab"], &[]];
        for context in contexts {
            let refused = barrier.open_message(context, &message);
            assert!(matches!(refused, Err(BarrierError::Tampered)));
        }
        let refused = other.open_message(&[b"ab", b"c"], &message);
        assert!(matches!(refused, Err(BarrierError::Tampered)));
        for at in 0..message.len() {
            let mut altered = message.clone();
            altered[at] ^= 1;
            let refused = barrier.open_message(&[b"ab", b"c"], &altered);
            assert!(matches!(refused, Err(BarrierError::Tampered)), "{at}");
            let refused = barrier.open_message(&[b"ab", b"c"], &message[..at]);
            assert!(matches!(refused, Err(BarrierError::Tampered)), "{at}");
        }
    }

    #[test]
    fn no_two_messages_look_alike_and_a_sealed_barrier_has_no_part_in_them() {
        let barrier = barrier();
        let first = sealed(&barrier, &[], b"x");
        assert_ne!(first, sealed(&barrier, &[], b"x"));
        barrier.seal();
        let mut out = b"before".to_vec();
        let refused = barrier.seal_message(&[], b"x", &mut out);
        assert!(matches!(refused, Err(BarrierError::Sealed)));
        assert_eq!(out, b"before");
        let refused = barrier.open_message(&[], &first);
        assert!(matches!(refused, Err(BarrierError::Sealed)));
    }
}
