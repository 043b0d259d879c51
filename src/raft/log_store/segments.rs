//! The set of segment files: the one that is written, those that are kept, those that are free.

use super::LogError;
use super::segment_file::SegmentFile;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

/// The most free files that are kept while space is scarce; more are removed.
const FREE_MAX_SCARCE: usize = 4;

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
    /// The most free files that are kept, so that none is filled with zeros again for the entries
    /// until the next checkpoint.
    pub(super) free_max: usize,
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
    pub(super) fn purge(&mut self, end: u64, is_scarce: bool) -> Result<(), LogError> {
        let free_max = match is_scarce {
            true => self.free_max.min(FREE_MAX_SCARCE),
            false => self.free_max,
        };
        while self.live.len() > 1 && self.live.front().is_some_and(|first| first.end <= end) {
            let Some(segment) = self.live.pop_front() else {
                break;
            };
            if self.free.len() < free_max && segment.file.size == self.segment_bytes {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a log of eight segments of one entry each.
    fn segments(dir: &std::path::Path, free_max: usize) -> Segments {
        let segment = |slot| Segment {
            file: Arc::new(SegmentFile::create(dir, slot, 4096).unwrap()),
            generation: slot + 1,
            end: slot + 1,
        };
        Segments {
            dir: dir.to_path_buf(),
            segment_bytes: 4096,
            live: (0..8).map(segment).collect(),
            free: Vec::new(),
            offset: 0,
            slot_next: 8,
            free_max,
        }
    }

    #[test]
    fn free_segments_are_kept_for_the_next_entries_and_few_while_space_is_scarce() {
        for (free_max, is_scarce, kept) in [
            (6, false, 6),
            (6, true, FREE_MAX_SCARCE),
            (2, true, 2),
            (100, false, 7),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let mut segments = segments(dir.path(), free_max);
            segments.purge(8, is_scarce).unwrap();
            let files = std::fs::read_dir(dir.path()).unwrap().count();
            assert_eq!((segments.live.len(), segments.free.len()), (1, kept));
            assert_eq!(files, 1 + kept, "the others are deleted");
        }
    }
}
