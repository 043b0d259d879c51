//! Overwrites memory that held secrets, at the speed of `memset`: requests do it several times.
//!
//! The crate zeroize stores byte by byte, seven instructions for each in this build. Here the whole
//! allocation is filled at once, and zeroize's barrier keeps the compiler from leaving that out.

use std::ops::{Deref, DerefMut};
use zeroize::optimization_barrier;

/// A value that can be overwritten in place.
pub trait Wipe {
    /// Overwrites all of the allocation, spare room too, with zeros and leaves it empty.
    fn wipe(&mut self);
}

impl Wipe for Vec<u8> {
    fn wipe(&mut self) {
        self.clear();
        // As a plain loop this becomes `memset` at every level of optimization; `resize` does not.
        let all = self.spare_capacity_mut();
        for byte in &mut *all {
            byte.write(0);
        }
        optimization_barrier(&*all);
    }
}

impl Wipe for String {
    fn wipe(&mut self) {
        std::mem::take(self).into_bytes().wipe();
    }
}

/// A buffer that is wiped on drop. Unlike [`super::Secret`] it does not hide its content: it is for
/// messages as a whole.
#[derive(Default)]
pub struct Wiped<T: Wipe>(T);

impl<T: Wipe> Wiped<T> {
    /// Takes ownership of `value`.
    pub fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T: Wipe> Deref for Wiped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Wipe> DerefMut for Wiped<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Wipe + AsRef<[u8]>> AsRef<[u8]> for Wiped<T> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl<T: Wipe> Drop for Wiped<T> {
    fn drop(&mut self) {
        self.0.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    /// Reads `length` bytes of this process's memory from `start` on.
    fn memory(start: *const u8, length: usize) -> Vec<u8> {
        let mut found = vec![1; length];
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        memory
            .read_exact_at(&mut found, start.addr() as u64)
            .unwrap();
        found
    }

    #[test]
    fn all_of_the_allocation_is_overwritten_in_place() {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(b"a password of somebody's");
        let start = bytes.as_ptr();
        bytes.truncate(4);
        assert_eq!(memory(start, 24), b"a password of somebody's");
        bytes.wipe();
        assert!(bytes.is_empty());
        assert_eq!(bytes.as_ptr(), start);
        assert_eq!(memory(start, 64), [0; 64]);
    }

    #[test]
    fn text_is_overwritten_before_it_is_given_back() {
        let mut text = String::from("a password that is long enough to stay where it was");
        let (start, length) = (text.as_ptr(), text.len());
        text.wipe();
        assert!(text.is_empty());
        // The allocator writes its own notes at the start of freed memory.
        let left = memory(start, length);
        assert!(!left.ends_with(b"to stay where it was"), "{left:?}");
    }
}
