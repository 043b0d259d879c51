//! A segment as far as recovery has read it.

use super::LogError;
use super::group::{self, FoundGroup, Group, UNIT_BYTES};
use super::segment_file::{AlignedBuffer, SegmentFile};
use std::sync::Arc;

/// The size of the pieces that are read after the first.
const PIECE_BYTES: usize = 64 << 10;
/// The room for most fronts; a longer one gets room for the whole file.
const ROOM_BYTES: usize = 2 * PIECE_BYTES;

/// The beginning of a segment, read only as far as needed, because a card reads slowly.
pub(super) struct Front {
    file: Arc<SegmentFile>,
    log_id: u64,
    buffer: AlignedBuffer,
    filled: usize,
}

impl Front {
    pub(super) fn new(file: Arc<SegmentFile>, log_id: u64) -> Self {
        Self {
            buffer: AlignedBuffer::new(0, UNIT_BYTES),
            file,
            log_id,
            filled: 0,
        }
    }

    pub(super) fn file(&self) -> &Arc<SegmentFile> {
        &self.file
    }

    /// Returns the bytes that have been read from `offset` on; at least `bytes` of them, unless the
    /// file ends before.
    pub(super) fn at(&mut self, offset: usize, bytes: usize) -> Result<&[u8], LogError> {
        let size = self.file.size;
        let wanted = offset.saturating_add(bytes).min(size);
        if wanted > self.filled {
            let block = self.file.block.max(UNIT_BYTES);
            let step = if self.filled == 0 { block } else { PIECE_BYTES };
            let end = wanted.next_multiple_of(step).min(size);
            self.make_room(end, block);
            let rest = self.buffer.bytes_mut().get_mut(self.filled..end);
            self.file.read_into(rest.unwrap_or_default(), self.filled)?;
            self.filled = end;
        }
        let read = self.buffer.bytes().get(offset..self.filled);
        Ok(read.unwrap_or_default())
    }

    fn make_room(&mut self, end: usize, block: usize) {
        if end <= self.buffer.bytes().len() {
            return;
        }
        let room = if end <= ROOM_BYTES {
            ROOM_BYTES
        } else {
            self.file.size
        };
        let mut larger = AlignedBuffer::new(room.min(self.file.size), block);
        let read = self.buffer.bytes().get(..self.filled).unwrap_or_default();
        if let Some(front) = larger.bytes_mut().get_mut(..self.filled) {
            front.copy_from_slice(read);
        }
        self.buffer = larger;
    }

    /// Returns the whole group at `offset`, if there is one.
    pub(super) fn group(&mut self, offset: usize) -> Result<Option<Group>, LogError> {
        let log_id = self.log_id;
        let head = self.at(offset, UNIT_BYTES)?;
        let Some(bytes) = group::claimed_bytes(head, log_id) else {
            return Ok(None);
        };
        if bytes > self.file.size.saturating_sub(offset) {
            return Ok(None);
        }
        match group::decode(self.at(offset, bytes)?, log_id) {
            FoundGroup::Nothing => Ok(None),
            FoundGroup::Group(group) => Ok(Some(group)),
            FoundGroup::Version(version) => Err(LogError::Version {
                version,
                file: self.file.path().to_path_buf(),
            }),
        }
    }

    /// Returns the generation in the header at `offset`, unverified.
    pub(super) fn claimed_generation(&mut self, offset: usize) -> Result<Option<u64>, LogError> {
        let log_id = self.log_id;
        let head = self.at(offset, UNIT_BYTES)?;
        Ok(group::claimed_generation(head, log_id))
    }
}
