//! Names as ciphertext: deterministic, so that a path is found again and a list is a prefix scan.
//!
//! A storage key is the namespace byte and one item per path segment:
//!
//! ```text
//! key:   0x01 | item | item | ...
//! item:  length | synthetic nonce (12) | segment ciphertext (length)
//! length: 0x00..0x7f in one byte, else two bytes: 0x80 | high, low
//! ```
//!
//! The synthetic nonce (SIV, after RFC 5297) is the first 12 bytes of `chain_i = HMAC-SHA256(mac
//! key, chain_(i-1) | segment)` with `chain_0` = 32 zeros, and the ciphertext is the segment under
//! ChaCha20 (RFC 8439) with that nonce. So equal names in different folders look unrelated, and a
//! stolen card shows of a path its depth, the lengths of its segments and the paths that share a
//! folder with it.
//!
//! 12 bytes are enough: two different (folder, segment) pairs must share a nonce before a
//! keystream repeats. Among 2^30 names that has a chance of 2^-37, and its cost would be the
//! exclusive-or of two segment names; storage keys stay distinct, because the ciphertexts differ.
//! Names need no tag of their own: a listed name is checked against its nonce (96 bits), and a
//! record is bound to its plaintext path by its own tag.

use super::BarrierError;
use super::mac::{MAC_BYTES, MacKey};
use crate::path::{self, PathError};
use crate::secret::Key256;
use crate::store::Key;
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use subtle::ConstantTimeEq;

/// The first byte of every encrypted name; also the version of this scheme.
const NAMESPACE: u8 = 0x01;
const SIV_BYTES: usize = 12;
const ITEM_OVERHEAD_BYTES_MAX: usize = SIV_BYTES + 2;
/// The longest storage key that a checked path can have, in bytes.
pub(super) const STORAGE_KEY_BYTES_MAX: usize =
    1 + path::PATH_BYTES_MAX + path::SEGMENTS_MAX * ITEM_OVERHEAD_BYTES_MAX;
const _: () = assert!(
    STORAGE_KEY_BYTES_MAX < u16::MAX as usize,
    "fjall's limit on keys"
);
const _: () = assert!(path::SEGMENT_BYTES_MAX < 1 << 15, "two length bytes");

/// Encrypts and decrypts names. The keys never change while the data lives.
pub(super) struct Names {
    mac: MacKey,
    stream: Key256,
}

/// A folder or record whose name is encrypted already. Holds no key: the chain is the output of
/// a keyed hash.
#[derive(Clone, Debug)]
pub(super) struct SealedPath {
    key: Vec<u8>,
    chain: [u8; MAC_BYTES],
}

/// One decrypted name below a folder.
pub(super) struct Child {
    pub(super) name: String,
    /// The place that the name leads to.
    pub(super) place: SealedPath,
    /// True for a record, false for a folder.
    pub(super) is_leaf: bool,
}

impl SealedPath {
    pub(super) fn root() -> Self {
        Self {
            key: vec![NAMESPACE],
            chain: [0; MAC_BYTES],
        }
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(super) fn into_key(self) -> Key {
        self.key.into()
    }

    /// Returns the first storage key after all keys below this place.
    pub(super) fn successor(&self) -> Vec<u8> {
        let mut key = self.key.clone();
        while let Some(last) = key.pop() {
            if let Some(next) = last.checked_add(1) {
                key.push(next);
                break;
            }
        }
        key
    }
}

impl Names {
    pub(super) fn new(path_key: &Key256) -> Self {
        let root = MacKey::new(path_key);
        Self {
            mac: MacKey::new(&root.derive("names mac")),
            stream: root.derive("names stream"),
        }
    }

    /// Returns the place that `path` leads to from `from`. The path was checked; empty segments (a
    /// trailing slash) are skipped.
    pub(super) fn place(&self, from: &SealedPath, path: &str) -> SealedPath {
        let mut place = SealedPath {
            key: Vec::with_capacity(from.key.len() + path.len() + 4 * ITEM_OVERHEAD_BYTES_MAX),
            chain: from.chain,
        };
        place.key.extend_from_slice(&from.key);
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            self.push(&mut place, segment);
        }
        place
    }

    /// Decrypts the first name of `key`, a storage key below `parent`.
    pub(super) fn child(&self, parent: &SealedPath, key: &[u8]) -> Result<Child, BarrierError> {
        let rest = key.strip_prefix(parent.key.as_slice());
        let (siv, sealed, after) = rest.and_then(split_item).ok_or(BarrierError::Tampered)?;
        let mut segment = sealed.to_vec();
        self.apply_stream(siv, &mut segment);
        let name = String::from_utf8(segment).map_err(|_| BarrierError::Tampered)?;
        let chain = self.mac.sign(&[&parent.chain, name.as_bytes()]);
        // With the same nonce the same name has the same ciphertext, so that one is not made again.
        let (made, _) = chain.split_first_chunk().expect("12 of 32 bytes");
        let mut key = Vec::with_capacity(parent.key.len() + ITEM_OVERHEAD_BYTES_MAX + sealed.len());
        key.extend_from_slice(&parent.key);
        push_item(&mut key, made, sealed);
        let made = key.get(parent.key.len()..).unwrap_or_default();
        let found = rest.and_then(|rest| rest.get(..rest.len() - after.len()));
        if !bool::from(made.ct_eq(found.unwrap_or_default())) {
            return Err(BarrierError::Tampered);
        }
        Ok(Child {
            name,
            place: SealedPath { key, chain },
            is_leaf: after.is_empty(),
        })
    }

    /// Decrypts the whole path of `key`, a storage key below `folder`, relative to it.
    pub(super) fn path_below(
        &self,
        folder: &SealedPath,
        key: &[u8],
    ) -> Result<String, BarrierError> {
        let mut child = self.child(folder, key)?;
        let mut path = child.name;
        while !child.is_leaf {
            child = self.child(&child.place, key)?;
            path.push('/');
            path.push_str(&child.name);
        }
        Ok(path)
    }

    fn push(&self, place: &mut SealedPath, segment: &str) {
        place.chain = self.mac.sign(&[&place.chain, segment.as_bytes()]);
        let (siv, _) = place.chain.split_first_chunk().expect("12 of 32 bytes");
        push_item(&mut place.key, siv, segment.as_bytes());
        let start = place.key.len() - segment.len();
        self.apply_stream(siv, place.key.split_at_mut(start).1);
    }

    fn apply_stream(&self, siv: &[u8; SIV_BYTES], buffer: &mut [u8]) {
        ChaCha20::new(self.stream.expose().into(), siv.into()).apply_keystream(buffer);
    }
}

/// Checks a path that is to hold a record: not empty and not a folder.
pub(super) fn check_record_path(path: &str) -> Result<(), PathError> {
    path::check(path)?;
    match is_folder(path) {
        true => Err(PathError::Traversal),
        false => Ok(()),
    }
}

/// Returns true for a checked path that can hold no record: an empty one, or one with a trailing
/// slash.
pub(super) fn is_folder(path: &str) -> bool {
    path.is_empty() || path.ends_with('/')
}

fn push_item(key: &mut Vec<u8>, siv: &[u8; SIV_BYTES], segment: &[u8]) {
    push_length(key, segment.len());
    key.extend_from_slice(siv);
    key.extend_from_slice(segment);
}

fn push_length(key: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => key.push(short),
        _ => {
            let long = u16::try_from(length).expect("a checked segment has at most 512 bytes");
            key.extend((long | 0x8000).to_be_bytes());
        }
    }
}

fn split_item(rest: &[u8]) -> Option<(&[u8; SIV_BYTES], &[u8], &[u8])> {
    let (first, mut rest) = rest.split_first()?;
    let mut length = usize::from(*first);
    if *first >= 0x80 {
        let (second, after) = rest.split_first()?;
        length = usize::from(*first & 0x7f) << 8 | usize::from(*second);
        rest = after;
    }
    let (siv, rest) = rest.split_first_chunk()?;
    let (sealed, after) = rest.split_at_checked(length)?;
    Some((siv, sealed, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> Names {
        Names::new(&Key256::from_slice(&[7; 32]).unwrap())
    }

    fn decode(names: &Names, key: &[u8]) -> Result<String, BarrierError> {
        names.path_below(&SealedPath::root(), key)
    }

    #[test]
    fn equal_names_in_different_folders_look_unrelated() {
        let names = names();
        let one = names.place(&SealedPath::root(), "a/password");
        let two = names.place(&SealedPath::root(), "b/password");
        let tail = |place: &SealedPath| place.key[place.key.len() - 8..].to_vec();
        assert_ne!(tail(&one), tail(&two));
    }

    #[test]
    fn another_path_key_gives_other_names() {
        let other = Names::new(&Key256::from_slice(&[8; 32]).unwrap());
        let place = names().place(&SealedPath::root(), "a");
        assert_ne!(place.key, other.place(&SealedPath::root(), "a").key);
        assert!(matches!(
            other.child(&SealedPath::root(), &place.key),
            Err(BarrierError::Tampered)
        ));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_tampering() {
        let names = names();
        let key = names.place(&SealedPath::root(), "mount/secret-name").key;
        for index in 1..key.len() {
            let mut flipped = key.clone();
            flipped[index] ^= 1;
            assert!(
                matches!(decode(&names, &flipped), Err(BarrierError::Tampered)),
                "byte {index}"
            );
        }
    }

    #[test]
    fn the_successor_is_past_every_descendant() {
        let place = SealedPath {
            key: vec![NAMESPACE, 0x10, 0xff, 0xff],
            chain: [0; MAC_BYTES],
        };
        assert_eq!(place.successor(), [NAMESPACE, 0x11]);
    }

    proptest! {
        #[test]
        fn round_trip(segments in prop::collection::vec("[^/\\p{Cc}]{1,120}", 1..8)) {
            let path = segments.join("/");
            prop_assume!(check_record_path(&path).is_ok());
            let names = names();
            let place = names.place(&SealedPath::root(), &path);
            prop_assert!(place.key.len() <= STORAGE_KEY_BYTES_MAX);
            prop_assert_eq!(decode(&names, &place.key).unwrap(), path);
        }

        #[test]
        fn a_cached_prefix_gives_the_same_key(
            a in "[a-z]{1,9}",
            b in "[a-z]{1,200}",
            c in "[a-z]{1,9}",
        ) {
            let names = names();
            let whole = names.place(&SealedPath::root(), &format!("{a}/{b}/{c}"));
            let prefix = names.place(&SealedPath::root(), &format!("{a}/"));
            prop_assert_eq!(whole.key, names.place(&prefix, &format!("{b}/{c}")).key);
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut key = vec![NAMESPACE];
            key.extend(bytes);
            prop_assert!(names().child(&SealedPath::root(), &key).is_err());
        }
    }
}
