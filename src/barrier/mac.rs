//! HMAC-SHA256 with a key that does not outlive its owner.

use crate::secret::{KEY_BYTES, Key256};
use ring::hmac::{Context, HMAC_SHA256, Key};
use zeroize::Zeroize;

/// A size that covers the stack frames of an HMAC, in bytes.
const STACK_BYTES: usize = 8 << 10;
/// The length of a whole tag, in bytes.
pub(super) const MAC_BYTES: usize = 32;

/// A prepared HMAC key. Boxed, so that moving it leaves no copy; ring does not wipe its keys, so on
/// drop this one is overwritten by the schedule of a zero key.
pub(super) struct MacKey(Box<Key>);

impl MacKey {
    pub(super) fn new(key: &Key256) -> Self {
        Self(Box::new(Key::new(HMAC_SHA256, key.expose())))
    }

    /// Computes the tag of the concatenation of `parts`. The caller makes the parts unambiguous.
    pub(super) fn sign(&self, parts: &[&[u8]]) -> [u8; MAC_BYTES] {
        let mut context = Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let tag = context.sign();
        let mut bytes = [0; MAC_BYTES];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    /// Derives a key for `purpose`, independent of those for all other purposes.
    pub(super) fn derive(&self, purpose: &str) -> Key256 {
        let mut bytes = self.sign(&[b"coffer key ", purpose.as_bytes()]);
        let key = Key256::from_slice(&bytes).expect("a tag is as long as a key");
        bytes.zeroize();
        wipe_stack();
        key
    }
}

/// Overwrites the stack frames of finished calls: ring returns a tag, which is a key here, by value
/// and wipes none of its copies.
#[inline(never)]
fn wipe_stack() {
    let mut unused = [0_u8; STACK_BYTES];
    unused.zeroize();
    std::hint::black_box(&unused);
}

impl Drop for MacKey {
    fn drop(&mut self) {
        *self.0 = Key::new(HMAC_SHA256, &[0; KEY_BYTES]);
        std::hint::black_box(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_independent_and_parts_concatenate() {
        let key = MacKey::new(&Key256::from_slice(&[5; 32]).unwrap());
        assert_ne!(key.derive("a").expose(), key.derive("b").expose());
        assert_eq!(key.sign(&[b"ab", b"c"]), key.sign(&[b"abc"]));
    }

    /// RFC 4231, test case 2, with its key padded by zeros to the length of this room's keys (HMAC
    /// pads the same).
    #[test]
    fn agrees_with_rfc_4231() {
        let mut padded = [0; 32];
        padded[..4].copy_from_slice(b"Jefe");
        let key = MacKey::new(&Key256::from_slice(&padded).unwrap());
        assert_eq!(
            hex::encode(key.sign(&[b"what do ya want ", b"for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
