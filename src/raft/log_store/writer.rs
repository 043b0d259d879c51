//! The thread that writes the log: waiting jobs become one group, one write, one flush.

use super::LogError;
use super::group::{self, HEADER_BYTES, Header};
use super::index::GroupLocation;
use super::segment_file::{AlignedBuffer, failure};
use super::segments::Segments;
use super::shared::{Done, Job, LogShared};
use crate::raft::disk::device::{Device, Verdict};
use crate::raft::wire::record::{Ballot, Position, Record, Start};
use crate::raft::wire::types::Vote;
use crate::store::space::Space;
use crate::telemetry::writes;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The most bytes of a group, unless a single entry takes more.
pub(super) const GROUP_BYTES_MAX: usize = 256 << 10;
/// The most records of a group.
const GROUP_RECORDS_MAX: usize = 4096;

/// The least bytes in a segment for which it is left for the next one.
const ROLL_BYTES_MIN: usize = 64 << 10;

/// A step of the queue: a record to write, a caller to tell, or a segment to leave.
enum GroupStep {
    Record(Record),
    Done(Done),
    Roll,
}

/// The writer of a log, which owns the segments and runs on a thread of its own.
pub(super) struct Writer {
    pub(super) shared: Arc<LogShared>,
    pub(super) segments: Segments,
    pub(super) log_id: u64,
    /// The sequence number of the last group.
    pub(super) sequence: u64,
    /// The last entry on the device.
    pub(super) written_last: Option<Position>,
    pub(super) buffer: AlignedBuffer,
    pub(super) device: Option<Arc<dyn Device>>,
    pub(super) space: Option<Arc<Space>>,
}

impl Writer {
    /// Does the jobs of the queue until it is closed.
    pub(super) fn run(mut self) {
        let group_bytes_max = GROUP_BYTES_MAX.min(self.segments.segment_bytes / 2);
        while let Some(jobs) = self.shared.take() {
            let mut steps = jobs.into_iter().flat_map(Job::into_steps).peekable();
            while let Some(step) = steps.peek() {
                if matches!(step, GroupStep::Roll) {
                    steps.next();
                    self.leave();
                    continue;
                }
                let (records, dones) = next_group(&mut steps, group_bytes_max);
                self.shared.begin_write();
                let result = self.write(records);
                self.shared.end_write();
                if let Err(error) = &result {
                    self.shared.poison.set(&error.to_string());
                }
                for done in dones {
                    // Only making a spare segment may fail without an end to all writing.
                    let spare = matches!(done, Done::Spare(_)).then(|| self.prepare());
                    done.tell(spare.as_ref().unwrap_or(&result));
                }
                self.publish();
            }
        }
        // Callers that still wait learn that nothing more is written.
        self.shared.close();
    }

    /// Goes on in a free segment, so that the next start need not read this one.
    fn leave(&mut self) {
        let is_worth_it = self.segments.offset > ROLL_BYTES_MIN && !self.segments.free.is_empty();
        if !is_worth_it || self.shared.poison.is_set() {
            return;
        }
        let begun = self.segments.roll();
        if let Err(error) = begun.and_then(|()| self.write_group(Vec::new(), true)) {
            self.shared.poison.set(&error.to_string());
        }
        self.publish();
    }

    /// Makes the first group of a new log durable.
    pub(super) fn begin(&mut self) -> Result<(), LogError> {
        self.segments.roll()?;
        self.write_group(Vec::new(), true)?;
        self.publish();
        Ok(())
    }

    /// Publishes how many bytes fit without making files.
    pub(super) fn publish(&self) {
        let free: usize = self.segments.free.iter().map(|file| file.size).sum();
        self.shared
            .room
            .store(self.segments.room(), Ordering::Release);
        self.shared.spare.store(free, Ordering::Release);
    }

    /// Makes sure that a free segment is at hand, if need be in the place of the disk's reserve.
    fn prepare(&mut self) -> Result<(), LogError> {
        let made = self.make_segment();
        let kind = made.as_ref().err().and_then(LogError::io_kind);
        let is_full = matches!(
            kind,
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        );
        if is_full && self.gives_up() {
            return self.make_segment();
        }
        made
    }

    /// Has the reserve give up what a segment takes; returns true when there was any.
    fn gives_up(&self) -> bool {
        let bytes = u64::try_from(self.segments.segment_bytes).unwrap_or(u64::MAX);
        let space = self.space.as_ref();
        space.is_some_and(|space| space.give_up(bytes))
    }

    fn make_segment(&mut self) -> Result<(), LogError> {
        let device = self.device.as_ref();
        if self.segments.free.is_empty() && device.is_some_and(|device| !device.has_room()) {
            let full = io::Error::from(io::ErrorKind::StorageFull);
            return Err(failure("create", &self.segments.dir)(full));
        }
        self.segments.prepare()
    }

    fn write(&mut self, records: Vec<Record>) -> Result<(), LogError> {
        if let Some(reason) = self.shared.poison.reason() {
            return Err(LogError::Poisoned(reason));
        }
        if records.is_empty() {
            return Ok(());
        }
        let bound = HEADER_BYTES + records.iter().map(Record::size_bound).sum::<usize>();
        let block = self.block();
        if bound.next_multiple_of(block) > self.segments.room() {
            self.prepare()?;
            self.segments.roll()?;
            return self.write_group(records, true);
        }
        self.write_group(records, false)
    }

    fn block(&self) -> usize {
        let last = self.segments.live.back();
        last.map_or(group::UNIT_BYTES, |segment| segment.file.block)
    }

    fn write_group(&mut self, mut records: Vec<Record>, starts: bool) -> Result<(), LogError> {
        if starts {
            records.insert(0, Record::Start(self.start()));
        }
        let block = self.block();
        let bound = HEADER_BYTES + records.iter().map(Record::size_bound).sum::<usize>();
        if bound.next_multiple_of(block) > self.buffer.bytes().len() {
            self.buffer = AlignedBuffer::new(bound.next_multiple_of(block), block);
        }
        if !self.buffer.is_aligned_to(block) {
            self.buffer = AlignedBuffer::new(self.buffer.bytes().len(), block);
        }
        let (Some(segment), sequence) = (self.segments.live.back_mut(), self.sequence + 1) else {
            return Err(LogError::GroupTooLarge);
        };
        let header = Header {
            starts_segment: starts,
            log_id: self.log_id,
            generation: segment.generation,
            sequence,
            committed_next: self.shared.committed_next(),
        };
        let encoded = group::encode(&header, &records, block, self.buffer.bytes_mut())?;
        let size = encoded.bytes;
        let bytes = self.buffer.bytes().get(..size).unwrap_or_default();
        let offset = self.segments.offset;
        if offset + size > segment.file.size {
            return Err(LogError::GroupTooLarge);
        }
        let begun = Instant::now();
        let verdict = self.device.as_ref().map(|device| device.before_write(size));
        match verdict {
            None | Some(Verdict::Write) => segment.file.write(bytes, offset)?,
            Some(verdict) => segment.file.fail(bytes, offset, verdict)?,
        }
        writes().flush_time.observe(begun.elapsed());
        self.sequence = sequence;
        self.segments.offset += size;
        let place = GroupLocation {
            first: 0,
            end: 0,
            file: Arc::clone(&segment.file),
            offset,
            bytes: size,
            sequence,
            entries: entry_offsets(&records, &encoded.offsets).collect(),
        };
        self.settle(records, place)?;
        if self.buffer.bytes().len() > 2 * GROUP_BYTES_MAX {
            // One large entry is no reason to keep its size.
            self.buffer = AlignedBuffer::new(GROUP_BYTES_MAX, block);
        }
        Ok(())
    }

    fn start(&self) -> Start {
        let index = self.shared.index();
        Start {
            vote: index.vote.as_ref().map(Ballot::from),
            purged: index.purged,
            last: self.written_last.max(index.purged),
            oldest_generation: self
                .segments
                .live
                .front()
                .map_or(1, |segment| segment.generation),
        }
    }

    /// Brings index and segments in line with the device after a write.
    fn settle(&mut self, records: Vec<Record>, place: GroupLocation) -> Result<(), LogError> {
        let mut commands = 0;
        let mut span: Option<(Position, Position)> = None;
        for record in &records {
            if let Some(at) = record.entry_position() {
                span = Some((span.map_or(at, |(first, _)| first), at));
            }
            commands += u64::from(matches!(record, Record::Command(..)));
        }
        let mut index = self.shared.index();
        if let Some((first, last)) = span {
            self.written_last = Some(last);
            index.written(GroupLocation {
                first: first.index,
                end: last.index + 1,
                ..place
            });
            if let Some(segment) = self.segments.live.back_mut() {
                segment.end = last.index + 1;
            }
        }
        for record in records {
            match record {
                Record::Truncate(last) => {
                    index.truncate(last);
                    self.written_last = index.last;
                    self.segments.truncate(index.end());
                }
                Record::Purge(upto) => {
                    index.purge(upto);
                    self.written_last = self.written_last.max(Some(upto));
                    let is_scarce = self.space.as_ref().is_some_and(|space| space.is_scarce());
                    self.segments.purge(upto.index + 1, is_scarce)?;
                }
                Record::Vote(ballot) => index.vote = Some(Vote::from(ballot)),
                Record::Start(_)
                | Record::Blank(_)
                | Record::Command(..)
                | Record::MembershipAlone(..)
                | Record::Membership(..) => {}
            }
        }
        drop(index);
        self.shared.flushed(commands);
        Ok(())
    }
}

/// Picks the offsets of entries out of those of all records.
pub(super) fn entry_offsets(records: &[Record], offsets: &[u32]) -> impl Iterator<Item = u32> {
    let pairs = records.iter().zip(offsets);
    pairs.filter_map(|(record, offset)| record.entry_position().map(|_| *offset))
}

/// Takes as many steps as one group holds, and the callers that wait for them.
fn next_group(
    steps: &mut std::iter::Peekable<impl Iterator<Item = GroupStep>>,
    bytes_max: usize,
) -> (Vec<Record>, Vec<Done>) {
    let (mut records, mut dones) = (Vec::new(), Vec::new());
    let mut bytes = HEADER_BYTES;
    while let Some(step) = steps.peek() {
        if matches!(step, GroupStep::Roll) {
            break;
        }
        if let GroupStep::Record(record) = step {
            bytes += record.size_bound();
            let full = bytes > bytes_max || records.len() >= GROUP_RECORDS_MAX;
            if full && !records.is_empty() {
                break;
            }
        }
        match steps.next() {
            Some(GroupStep::Record(record)) => records.push(record),
            Some(GroupStep::Done(done)) => dones.push(done),
            Some(GroupStep::Roll) | None => break,
        }
    }
    (records, dones)
}

impl Job {
    fn into_steps(self) -> Vec<GroupStep> {
        let (records, done) = match self {
            Self::Append(entries, done) => (entries.iter().map(Record::of).collect(), done),
            Self::Control(record, done) => (vec![record], done),
            Self::Prepare(done) => (Vec::new(), done),
            Self::Roll => return vec![GroupStep::Roll],
        };
        let steps = records.into_iter().map(GroupStep::Record);
        steps.chain([GroupStep::Done(done)]).collect()
    }
}
