//! The plaintext of a record on its way into a batch.

use super::BarrierError;
use super::record::{HEADER_BYTES, TAG_BYTES};
use crate::secret::{Secret, SecretBytes};
use serde::Serialize;
use std::io;

/// The room that is left when a buffer becomes larger, for the small parts after a large one.
const SPARE_BYTES: usize = 64;

/// The plaintext of a record. One that was written here leaves room for what sealing adds, so that
/// it is encrypted where it is: a large value is not copied once more. A buffer that became too
/// small is wiped.
#[derive(Debug)]
pub struct Plaintext {
    bytes: SecretBytes,
    start: usize,
}

impl Plaintext {
    /// Makes an empty one with room for `bytes`, to be written to.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(HEADER_BYTES + bytes + TAG_BYTES);
        buffer.resize(HEADER_BYTES, 0);
        Self {
            bytes: Secret::new(buffer),
            start: HEADER_BYTES,
        }
    }

    /// Encodes `value` with postcard.
    ///
    /// # Errors
    /// [`BarrierError::Decode`] for a value that has no such form.
    pub(super) fn record<T: Serialize>(value: &T) -> Result<Self, BarrierError> {
        let plaintext = Self::with_capacity(4 * SPARE_BYTES);
        postcard::to_io(value, plaintext).map_err(|_| BarrierError::Decode("outgoing"))
    }

    /// Returns the plaintext itself.
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose().get(self.start..).unwrap_or_default()
    }

    /// Returns the buffer, which starts with room for the header, or else the plaintext alone.
    pub(super) fn into_buffer(self) -> Result<Vec<u8>, SecretBytes> {
        match self.start {
            HEADER_BYTES => Ok(self.bytes.into_inner()),
            _ => Err(self.bytes),
        }
    }
}

impl From<SecretBytes> for Plaintext {
    fn from(bytes: SecretBytes) -> Self {
        Self { bytes, start: 0 }
    }
}

impl io::Write for Plaintext {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.write_all(data)?;
        Ok(data.len())
    }

    fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        let buffer = self.bytes.expose_mut();
        let needed = buffer.len() + data.len() + TAG_BYTES;
        if needed > buffer.capacity() {
            let doubled = 2 * buffer.len();
            let mut larger = Vec::with_capacity(doubled.max(needed + SPARE_BYTES));
            larger.extend_from_slice(buffer);
            self.bytes = Secret::new(larger);
        }
        self.bytes.expose_mut().extend_from_slice(data);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use io::Write;

    #[test]
    fn a_large_part_is_moved_once_and_leaves_room_for_what_follows() {
        let mut plaintext = Plaintext::with_capacity(8);
        plaintext.write_all(b"{\"v\":\"").unwrap();
        plaintext.write_all(&[b'x'; 100_000]).unwrap();
        let before = plaintext.expose().as_ptr();
        plaintext.write_all(b"\"}").unwrap();
        assert_eq!(plaintext.expose().as_ptr(), before);
        assert_eq!(plaintext.expose().len(), 100_008);
        let mut buffer = plaintext.into_buffer().unwrap();
        let held = buffer.capacity();
        assert!(held < 101_000, "no more is held than is needed: {held}");
        buffer.extend([0; TAG_BYTES]);
        assert_eq!(buffer.capacity(), held, "the tag has its place");
    }

    #[test]
    fn what_was_made_elsewhere_is_taken_as_it_is() {
        let taken = Plaintext::from(Secret::new(b"abc".to_vec()));
        assert_eq!(taken.expose(), b"abc");
        assert_eq!(taken.into_buffer().unwrap_err().expose(), b"abc");
    }
}
