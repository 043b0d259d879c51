//! The set of segment files: the one that is written, those that are kept, those that are free.

use super::LogError;
use super::segment_file::SegmentFile;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

/// The most free files that are kept; more are removed.
const FREE_MAX: usize = 4;

/// A segment in use.
pub(super) struct Segment {
    pub(super) file: Arc<SegmentFile>,
    pub(super) generation: u64,
    /// The index after the last entry in the segment.
    pub(super) end: u64,
}

/// All segments of a log.
pub(super) struct Segments {
    pub(super) dir: PathBuf,
    pub(super) segment_bytes: usize,
    /// The segments in use, oldest first; the last one is written.
    pub(super) live: VecDeque<Segment>,
    pub(super) free: Vec<Arc<SegmentFile>>,
    /// The end of the last group in the last segment, in bytes.
    pub(super) offset: usize,
    pub(super) slot_next: u64,
}

impl Segments {
    /// Returns the bytes left in the segment that is written.
    pub(super) fn room(&self) -> usize {
        self.live
            .back()
            .map_or(0, |segment| segment.file.size.saturating_sub(self.offset))
    }

    /// Makes sure that a free segment is at hand.
    pub(super) fn prepare(&mut self) -> Result<(), LogError> {
        if self.free.is_empty() {
            let file = SegmentFile::create(&self.dir, self.slot_next, self.segment_bytes)?;
            self.slot_next += 1;
            self.free.push(Arc::new(file));
        }
        Ok(())
    }

    /// Goes on in the next segment, recycling a free one.
    pub(super) fn roll(&mut self) -> Result<(), LogError> {
        self.prepare()?;
        let Some(file) = self.free.pop() else {
            return Err(LogError::GroupTooLarge);
        };
        let last = self.live.back();
        let generation = last.map_or(1, |segment| segment.generation + 1);
        let end = last.map_or(0, |segment| segment.end);
        self.live.push_back(Segment {
            file,
            generation,
            end,
        });
        self.offset = 0;
        Ok(())
    }

    /// Frees the segments whose entries all lie before `end`.
    pub(super) fn purge(&mut self, end: u64) -> Result<(), LogError> {
        while self.live.len() > 1 && self.live.front().is_some_and(|first| first.end <= end) {
            let Some(segment) = self.live.pop_front() else {
                break;
            };
            if self.free.len() < FREE_MAX && segment.file.size == self.segment_bytes {
                self.free.push(segment.file);
            } else {
                segment.file.remove()?;
            }
        }
        Ok(())
    }

    /// Drops the entries from `end` on from the record of each segment.
    pub(super) fn truncate(&mut self, end: u64) {
        for segment in &mut self.live {
            segment.end = segment.end.min(end);
        }
    }
}
