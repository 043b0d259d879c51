//! Reads the log back at start.
//!
//! 1. The newest segment whose first group is whole names the generations that are still needed. Of
//!    these, segments that end before the state's mark are skipped: a card reads slowly.
//! 2. The others are replayed in order, as long as checksum, generation and sequence go on.
//! 3. Replay ends at the log's end, with perhaps one write that was cut short, or at damage. The
//!    files are searched for a later sequence number to tell them apart: one write is in flight at
//!    most, so a later one means that the bad one was finished. The search of a file ends at a
//!    stretch that was not written over: older groups in an unbroken row; a file that begins with
//!    zeros is not searched. The search misses a write only if the card lost all acknowledged
//!    writes in that stretch and kept those after it.
//!
//! Damage to the very last group looks like a write cut short and cannot be told from it.

use super::front::Front;
use super::group::{Group, UNIT_BYTES};
use super::index::{GroupLocation, Index};
use super::segment_file::{SegmentFile, failure, slot_of};
use super::writer::GROUP_BYTES_MAX;
use super::{LogError, Segment};
use crate::raft::wire::record::{Members, Position, Record};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

/// The log as recovery found it.
#[derive(Default)]
pub(super) struct RecoveredLog {
    pub(super) index: Index,
    /// The segments in use, oldest first; the last one is written on.
    pub(super) live: VecDeque<Segment>,
    pub(super) free: Vec<Arc<SegmentFile>>,
    /// The end of the last group in the last segment, in bytes: writing goes on there.
    pub(super) offset: usize,
    /// The sequence number of the last group.
    pub(super) sequence: u64,
    pub(super) slot_next: u64,
    /// Every membership in the log.
    pub(super) members: Vec<(Position, Members)>,
    /// True when a write that was cut short was dropped.
    pub(super) torn: bool,
    /// The highest committed index that a group names, plus one.
    committed_next: u64,
    /// The last entry before the oldest segment that was found.
    base: Option<Position>,
    /// The last entry that records name as purged.
    purged_told: Option<Position>,
}

impl RecoveredLog {
    /// Returns true when a group with this sequence number may come next.
    fn expects(&self, sequence: u64) -> bool {
        self.sequence == 0 || sequence == self.sequence + 1
    }

    /// Forgets the replayed groups, and returns their segments as candidates.
    fn restart(&mut self, log_id: u64) -> impl Iterator<Item = Candidate> + use<> {
        let fresh = Self {
            slot_next: self.slot_next,
            ..Self::default()
        };
        let old = std::mem::replace(self, fresh);
        old.live.into_iter().map(move |segment| Candidate {
            front: Front::new(segment.file, log_id),
            generation: segment.generation,
            start: None,
            is_blank: false,
        })
    }
}

struct Candidate {
    front: Front,
    /// The generation that the first block names, unverified.
    generation: u64,
    /// The start record of the first group, when that group is whole.
    start: Option<Beginning>,
    /// True when the first block is all zeros: it was never written, or was lost.
    is_blank: bool,
}

/// The beginning of a segment, from a first group that is whole.
#[derive(Clone, Copy)]
struct Beginning {
    sequence: u64,
    oldest_generation: u64,
    /// The last entry before the segment.
    last: Option<Position>,
}

/// The bytes read of a segment at first, or all of its first group if that is more.
const HEAD_BYTES: usize = 4096;
/// The bytes at the beginning of a file which, when not written over, show that the file was not
/// written since.
const FRONT_BYTES: usize = 64 << 10;
/// The same after the log's end: as much as a group takes, so that none is missed.
const UNTOUCHED_BYTES: usize = GROUP_BYTES_MAX;

/// Reads the log in `dir`. The state has all entries up to `applied`.
pub(super) fn recover(
    dir: &Path,
    log_id: u64,
    applied: Option<Position>,
) -> Result<RecoveredLog, LogError> {
    let mut found = RecoveredLog::default();
    let mut candidates = list(dir, log_id, &mut found.slot_next)?;
    // Of two files with one generation, one holds what is left of a segment that was cut short when
    // it was begun, and the other the one that was begun in its place.
    candidates.sort_by_key(|candidate| (candidate.generation, candidate.start.is_some()));
    let (mut live, oldest) = choose(&mut candidates);
    candidates.extend(live.drain(..applied_before(&live, applied)));
    let (Some(first), Some(newest)) = (live.first(), live.last()) else {
        return no_segment(candidates, found);
    };
    let (first, newest) = (first.generation, newest.generation);
    let mut broken = (first > oldest).then(|| missing(first - 1));
    for mut candidate in live {
        let start = candidate.start;
        let follows = start.is_some_and(|start| found.expects(start.sequence));
        if !follows {
            let what = "a break in the sequence of writes";
            broken = Some(damaged(what, candidate.front.file(), 0));
            candidates.extend(found.restart(log_id));
        }
        if start.is_some() {
            let end = replay_segment(&mut found, &mut candidate)?;
            if candidate.generation == newest {
                found.torn = candidate.front.claimed_generation(end)? == Some(newest);
                search(&mut candidate.front, end, UNTOUCHED_BYTES, found.sequence)?;
            }
        } else {
            candidates.push(candidate);
        }
    }
    // A missing or broken segment at the front is no loss if the state has its entries, or if it
    // had been purged: the write that was to recycle it may have been cut short.
    if let Some(error) = broken.filter(|_| found.purged_told.max(applied) < found.base) {
        return Err(error);
    }
    for candidate in candidates {
        found.free.push(candidate.checked(found.sequence)?);
    }
    found.index.committed = committed(&found);
    Ok(found)
}

/// Lists the segment files with the claims of their first blocks. Removes files whose creation was
/// cut short.
fn list(dir: &Path, log_id: u64, slot_next: &mut u64) -> Result<Vec<Candidate>, LogError> {
    let mut candidates = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failure("list", dir))? {
        let path = entry.map_err(failure("list", dir))?.path();
        if path.extension().is_some_and(|extension| extension == "new") {
            std::fs::remove_file(&path).map_err(failure("remove", &path))?;
            continue;
        }
        let Some((slot, size)) = slot_of(&path) else {
            continue;
        };
        *slot_next = (*slot_next).max(slot + 1);
        let file = SegmentFile::open(path)?;
        let block = file.block.max(UNIT_BYTES);
        if file.size != size || file.size < block {
            let name = file.path().display();
            return Err(LogError::Incomplete(format!("{name} has been cut short")));
        }
        candidates.push(Candidate::read(file, log_id)?);
    }
    Ok(candidates)
}

impl Candidate {
    fn read(file: SegmentFile, log_id: u64) -> Result<Self, LogError> {
        let mut front = Front::new(Arc::new(file), log_id);
        let is_blank = front.at(0, HEAD_BYTES)?.iter().all(|byte| *byte == 0);
        let generation = front.claimed_generation(0)?.unwrap_or(0);
        let group = front.group(0)?;
        Ok(Self {
            generation,
            start: group.and_then(|group| beginning(&group, generation)),
            is_blank,
            front,
        })
    }

    /// Returns the file of a segment that is not needed, once it is known to hold no group later
    /// than `sequence`.
    fn checked(mut self, sequence: u64) -> Result<Arc<SegmentFile>, LogError> {
        let is_untouched = self.is_blank && {
            let stretch = self.front.at(0, FRONT_BYTES)?;
            stretch.iter().all(|byte| *byte == 0)
        };
        if !is_untouched {
            search(&mut self.front, 0, FRONT_BYTES, sequence)?;
        }
        Ok(Arc::clone(self.front.file()))
    }
}

fn beginning(group: &Group, generation: u64) -> Option<Beginning> {
    let starts = group.header.starts_segment && group.header.generation == generation;
    match group.records.first() {
        Some(Record::Start(start)) if starts => Some(Beginning {
            sequence: group.header.sequence,
            oldest_generation: start.oldest_generation,
            last: start.last,
        }),
        _ => None,
    }
}

/// Counts the oldest segments that hold only entries that the state has. The last entry that a
/// segment names before itself may have been truncated since, so its index must not be later
/// either.
fn applied_before(live: &[Candidate], applied: Option<Position>) -> usize {
    let Some(applied) = applied else {
        return 0;
    };
    let is_needless = |last: Option<Position>| {
        last.is_none_or(|last| last <= applied && last.index <= applied.index)
    };
    live.iter()
        .rposition(|segment| segment.start.is_some_and(|start| is_needless(start.last)))
        .unwrap_or(0)
}

/// Takes the needed segments out of `candidates`, oldest first.
fn choose(candidates: &mut Vec<Candidate>) -> (Vec<Candidate>, u64) {
    let newest = candidates.iter().rev().find_map(|candidate| {
        let start = candidate.start?;
        Some((candidate.generation, start.oldest_generation))
    });
    let Some((newest, oldest)) = newest else {
        return (Vec::new(), 0);
    };
    let (needed, rest) = std::mem::take(candidates)
        .into_iter()
        .partition::<Vec<_>, _>(|c| (oldest..=newest).contains(&c.generation));
    *candidates = rest;
    // A purged segment may be missing when the write that was to recycle it was cut short.
    let mut live: Vec<Candidate> = Vec::new();
    for candidate in needed.into_iter().rev() {
        let expected = live.last().map_or(newest, |next| next.generation - 1);
        if candidate.generation == expected {
            live.push(candidate);
        } else {
            candidates.push(candidate);
        }
    }
    live.reverse();
    (live, oldest)
}

fn missing(generation: u64) -> LogError {
    LogError::Incomplete(format!("the segment of generation {generation} is missing"))
}

/// Begins a new log when no segment has a whole beginning, unless the files hold a group.
fn no_segment(
    candidates: Vec<Candidate>,
    mut found: RecoveredLog,
) -> Result<RecoveredLog, LogError> {
    for candidate in candidates {
        // The first group of all is number 1; only that one may have been cut short.
        found.free.push(candidate.checked(0)?);
    }
    Ok(found)
}

/// Replays a segment's groups and returns where they end.
fn replay_segment(found: &mut RecoveredLog, candidate: &mut Candidate) -> Result<usize, LogError> {
    let generation = candidate.generation;
    let file = Arc::clone(candidate.front.file());
    let mut offset = 0;
    while let Some(group) = candidate.front.group(offset)? {
        if group.header.generation != generation || !found.expects(group.header.sequence) {
            break;
        }
        found.sequence = group.header.sequence;
        found.committed_next = found.committed_next.max(group.header.committed_next);
        let size = group.bytes;
        replay_group(found, group, &file, offset)?;
        offset += size;
    }
    found.live.push_back(Segment {
        file,
        generation,
        end: found.index.end(),
    });
    found.offset = offset;
    Ok(offset)
}

fn replay_group(
    found: &mut RecoveredLog,
    group: Group,
    file: &Arc<SegmentFile>,
    offset: usize,
) -> Result<(), LogError> {
    let place = |(first, entries): (u64, Vec<u32>)| GroupLocation {
        first,
        end: first + u64::try_from(entries.len()).unwrap_or(0),
        file: Arc::clone(file),
        offset,
        bytes: group.bytes,
        sequence: group.header.sequence,
        entries: entries.into(),
    };
    let mut span: Option<(u64, Vec<u32>)> = None;
    for (record, at_offset) in group.records.into_iter().zip(group.offsets) {
        match record.entry_position() {
            Some(at) => {
                if at.index != found.index.end() && found.index.last.is_some() {
                    return Err(damaged("a gap between entries", file, offset));
                }
                let (_, entries) = span.get_or_insert_with(|| (at.index, Vec::new()));
                entries.push(at_offset);
            }
            None => {
                if let Some(span) = span.take() {
                    found.index.written(place(span));
                }
            }
        }
        note(found, &record);
        found.index.replay(record)?;
    }
    if let Some(span) = span {
        found.index.written(place(span));
    }
    Ok(())
}

/// Keeps the contents of a record that the index does not.
fn note(found: &mut RecoveredLog, record: &Record) {
    match record {
        Record::Start(start) => {
            if found.live.is_empty() {
                found.base = start.last;
            }
            found.purged_told = found.purged_told.max(start.purged);
        }
        Record::Purge(upto) => found.purged_told = found.purged_told.max(Some(*upto)),
        Record::Truncate(last) => {
            let end = last.map_or(0, |last| last.index + 1);
            found.members.retain(|(at, _)| at.index < end);
            found.base = found.base.min(*last);
        }
        Record::Membership(at, members) => found.members.push((*at, members.clone())),
        Record::MembershipAlone(at, old) => found.members.push((*at, old.clone().into())),
        Record::Vote(_) | Record::Blank(_) | Record::Command(..) => {}
    }
}

/// Fails when a group later than `sequence` stands at `from` or after it, before a stretch of
/// `enough` bytes that is as it was before.
fn search(front: &mut Front, from: usize, enough: usize, sequence: u64) -> Result<(), LogError> {
    let (mut offset, mut untouched, mut before) = (from, 0, None);
    while offset < front.file().size && untouched < enough {
        let Some(group) = front.group(offset)? else {
            (untouched, before) = (0, None);
            offset += UNIT_BYTES;
            continue;
        };
        let next = group.header.sequence;
        if next > sequence {
            return Err(damaged("an unreadable write", front.file(), from));
        }
        let goes_on = before.is_none_or(|before| next == before + 1);
        untouched = group.bytes + if goes_on { untouched } else { 0 };
        before = Some(next);
        offset += group.bytes;
    }
    Ok(())
}

fn damaged(what: &'static str, file: &SegmentFile, offset: usize) -> LogError {
    LogError::Damaged {
        what,
        file: file.path().to_path_buf(),
        offset: u64::try_from(offset).unwrap_or(u64::MAX),
    }
}

/// Returns the id of the committed entry that the groups name.
fn committed(found: &RecoveredLog) -> Option<crate::raft::wire::types::LogId> {
    let index = found.committed_next.checked_sub(1)?;
    found.index.id_at(index)
}
