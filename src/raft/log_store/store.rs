//! The log's handle: openraft's view of it.

use super::LogError;
use super::group::{self, FoundGroup};
use super::index::{EntryPlace, GroupLocation, Index, cost};
use super::recovery::recover;
use super::segment_file::{AlignedBuffer, failure, sync_dir};
use super::segments::Segments;
use super::shared::{Done, Job, LogShared};
use super::writer::{GROUP_BYTES_MAX, Writer};
use crate::raft::disk::device::Device;
use crate::raft::disk::forced::Forced;
use crate::raft::disk::poison::Poison;
use crate::raft::wire::record::{Ballot, Members, Position, Record};
use crate::raft::wire::types::{LogEntry, LogId, TypeConfig, Vote, log_id, position};
use crate::store::space::Space;
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::{EntryPayload, OptionalSend};
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// The room that is kept for records other than commands: votes, blanks, purges.
const RESERVE_BYTES: usize = 64 << 10;

/// Options of opening a log.
pub struct LogOptions<'a> {
    /// The log's directory.
    pub dir: &'a Path,
    /// The random number that the log's groups carry.
    pub log_id: u64,
    /// The size of new segments, in bytes.
    pub segment_bytes: usize,
    /// The most free segments that are kept.
    pub free_segments_max: usize,
    /// The last entry that the state has without the log; an empty log beside it is an error.
    pub applied: Option<Position>,
    /// The space of the disk, whose reserve a segment may take.
    pub space: Option<Arc<Space>>,
    /// A test's device in place of the sound one.
    pub device: Option<Arc<dyn Device>>,
}

/// A handle to the log; cheap to clone, and all clones are the same log.
#[derive(Clone)]
pub struct LogStore {
    shared: Arc<LogShared>,
    log_id: u64,
    /// False once an entry with other voters than this node may be in the log.
    alone: Arc<AtomicBool>,
    node: u64,
    /// A membership that the operator forced; set before raft runs on this log.
    forced: Option<Arc<Forced>>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// Findings of recovery besides the log itself.
pub struct Recovery {
    /// Every membership in the log.
    pub members: Vec<(Position, Members)>,
    /// True when a write that was cut short was dropped.
    pub torn: bool,
}

impl LogStore {
    /// Reads the log, or begins a new one, and starts its writer.
    pub fn open(
        options: &LogOptions<'_>,
        node: u64,
        poison: Arc<Poison>,
    ) -> Result<(Self, Recovery), LogError> {
        std::fs::create_dir_all(options.dir).map_err(failure("create", options.dir))?;
        sync_dir(options.dir)?;
        let found = recover(options.dir, options.log_id, options.applied)?;
        if found.sequence == 0 && options.applied.is_some() {
            let dir = options.dir.display();
            return Err(LogError::Incomplete(format!("there is no log in {dir}")));
        }
        let shared = Arc::new(LogShared::new(found.index, poison));
        let written_last = shared.index().last;
        let mut writer = Writer {
            shared: Arc::clone(&shared),
            segments: Segments {
                dir: options.dir.to_path_buf(),
                segment_bytes: options.segment_bytes,
                live: found.live,
                free: found.free,
                offset: found.offset,
                slot_next: found.slot_next,
                free_max: options.free_segments_max,
            },
            log_id: options.log_id,
            sequence: found.sequence,
            written_last,
            space: options.space.clone(),
            device: options.device.clone(),
            buffer: AlignedBuffer::new(GROUP_BYTES_MAX, group::UNIT_BYTES),
        };
        if writer.sequence == 0 {
            writer.begin()?;
        }
        writer.publish();
        let thread = std::thread::Builder::new()
            .name("log-writer".into())
            .stack_size(256 << 10)
            .spawn(move || writer.run())
            .map_err(failure("start the writer of", options.dir))?;
        let store = Self {
            shared,
            log_id: options.log_id,
            alone: Arc::new(AtomicBool::new(false)),
            node,
            forced: None,
            thread: Arc::new(Mutex::new(Some(thread))),
        };
        let recovery = Recovery {
            members: found.members,
            torn: found.torn,
        };
        Ok((store, recovery))
    }

    /// Keeps at most `bytes` of written entries in memory.
    pub fn bound_cache(&self, bytes: usize) {
        self.shared.index().bound_cache(bytes);
    }

    /// Fails when the log no longer has the entry after the state's last one.
    pub fn refuse_gap(&self, applied: Option<Position>) -> Result<(), LogError> {
        let purged = self.shared.index().purged;
        if purged <= applied {
            return Ok(());
        }
        let index = |position: Option<Position>| position.map_or(0, |position| position.index);
        Err(LogError::Incomplete(format!(
            "it begins after entry {}, and the state ends with entry {}",
            index(purged),
            index(applied),
        )))
    }

    /// Fails when the state is ahead of the log: a lone voter's log can only have lost its end.
    pub fn refuse_to_lag(&self, applied: Option<Position>) -> Result<(), LogError> {
        let last = self.shared.index().last;
        if applied <= last {
            return Ok(());
        }
        Err(LogError::Incomplete(
            "the state has more entries than the log".into(),
        ))
    }

    /// Notes that this node is the only voter in all memberships so far: all entries of its log are
    /// then committed, since a quorum has them.
    pub fn set_alone(&self) {
        self.alone.store(true, Ordering::Release);
        let mut index = self.shared.index();
        index.committed = index.last_log_id().max(index.committed);
    }

    /// Notes that this node leads and that the committed membership at `index` has no other voter.
    /// A later entry with other voters wins.
    pub fn lead_alone(&self, index: u64) {
        let log = self.shared.index();
        if index >= log.others_at {
            self.alone.store(true, Ordering::Release);
        }
    }

    /// Returns true while this node is the only voter.
    pub fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Acquire)
    }

    /// Counts the commands that are on the device, since the log was opened.
    pub fn commands_flushed(&self) -> u64 {
        self.shared.commands_flushed()
    }

    /// Counts the writes since the log was opened; each is one flush.
    pub fn flushes(&self) -> u64 {
        self.shared.groups_flushed()
    }

    /// Returns at the next flush. To miss none, make the future before looking at the count.
    pub fn next_flush(&self) -> tokio::sync::futures::Notified<'_> {
        self.shared.written.notified()
    }

    /// Makes sure that `bytes` of commands can be written without a new file; fails when the
    /// disk is full, with nothing written.
    pub async fn reserve(&self, bytes: usize) -> io::Result<()> {
        let room = self.shared.room.load(Ordering::Acquire);
        let spare = self.shared.spare.load(Ordering::Acquire);
        if bytes + RESERVE_BYTES <= room || spare > 0 {
            return Ok(());
        }
        let (sender, receiver) = oneshot::channel();
        self.shared.submit(Job::Prepare(Done::Spare(sender)));
        receive(receiver).await
    }

    /// Returns true when an entry `id` contradicts those that are known to be committed.
    pub(in crate::raft) fn contradicts_committed(&self, id: &LogId) -> bool {
        self.shared.index().contradicts_committed(id)
    }

    /// Returns the id of the newest entry, which may not be flushed yet.
    pub(in crate::raft) fn last(&self) -> Option<LogId> {
        self.shared.index().last_log_id()
    }

    /// Returns the highest index known to be committed.
    pub fn committed(&self) -> Option<u64> {
        self.shared.index().committed.map(|id| id.index())
    }

    /// Returns the index of the newest entry that may be purged when the newest groups are kept for
    /// followers: `bytes` of them at most, and a few thousand.
    pub fn surplus(&self, bytes: usize) -> Option<u64> {
        self.shared.index().surplus(bytes)
    }

    /// Returns the time for which the write under way has kept the device busy.
    pub fn write_age(&self) -> Duration {
        self.shared.write_age()
    }

    /// Returns true when a write ended less than `age` ago that took longer than it may, or when
    /// one is under way for that long.
    pub(in crate::raft) fn stalled_within(&self, age: Duration) -> bool {
        self.shared.stalled_within(age)
    }

    /// Returns the term of the last vote.
    pub fn term(&self) -> u64 {
        self.shared
            .index()
            .vote
            .map_or(0, |vote| vote.leader_id.term)
    }

    /// Leaves the segment that is written for a free one, if there is one, so that the next start
    /// need not read it. For a node without followers whose state has all entries up to `saved`;
    /// does nothing when the log has more.
    pub fn leave_segment(&self, saved: Option<Position>) {
        if self.shared.index().last <= saved {
            self.shared.submit(Job::Roll);
        }
    }

    /// Writes the jobs that wait and stops the writer. Blocks.
    pub fn close(&self) {
        self.shared.close();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // A writer that panicked has nothing more to lose.
            drop(thread.join());
        }
    }

    /// Has every handle that is cloned from this one give out memberships as `forced` has them.
    pub(in crate::raft) fn force(&mut self, forced: Forced) {
        self.forced = Some(Arc::new(forced));
    }

    /// Reads entries, and poisons the node when that fails: raft does not outlive an entry that it
    /// cannot read.
    fn read(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<LogEntry>> {
        let entries = self.entries_up_to(start, end, bytes_max);
        let entries = entries.inspect_err(|error| self.shared.poison.set(&error.to_string()));
        Ok(entries?)
    }

    /// Returns true when the operator forced a membership.
    pub(in crate::raft) fn is_forced(&self) -> bool {
        self.forced.is_some()
    }

    /// Returns once the writer has done all jobs that were queued before. Writes nothing.
    pub async fn take_turn(&self) -> io::Result<()> {
        let (done, receiver) = oneshot::channel();
        self.shared
            .submit(Job::Append(Vec::new(), Done::Caller(done)));
        receive(receiver).await
    }

    async fn control(&self, record: Record) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.shared
            .submit(Job::Control(record, Done::Caller(sender)));
        receive(receiver).await
    }

    /// Returns the entries `start..end`, as far as the log has them.
    #[cfg(test)]
    pub(super) fn entries(&self, start: u64, end: u64) -> Result<Vec<LogEntry>, LogError> {
        self.entries_up_to(start, end, usize::MAX)
    }

    /// Returns the entries `start..end`, or the first of them when all are more than `bytes_max`.
    pub(super) fn entries_up_to(
        &self,
        start: u64,
        end: u64,
        bytes_max: usize,
    ) -> Result<Vec<LogEntry>, LogError> {
        let (places, cached) = self.shared.index().find(start, end);
        let mut entries = Vec::new();
        let mut bytes = 0;
        let end = cached.first().map_or(end, |entry| entry.index().min(end));
        for place in places {
            if bytes > bytes_max {
                break;
            }
            let before = entries.len();
            self.read_place(&place, start, end, &mut entries)?;
            bytes += entries.iter().skip(before).map(cost).sum::<usize>();
        }
        if bytes <= bytes_max {
            entries.extend(cached);
        }
        let mut room = bytes_max;
        let fits = entries.iter().position(|entry| {
            let bytes = cost(entry);
            let full = bytes > room;
            room = room.saturating_sub(bytes);
            full
        });
        if let Some(fits) = fits {
            entries.truncate(fits.max(1));
        }
        if let Some(forced) = &self.forced {
            for entry in &mut entries {
                forced.correct(entry)?;
            }
        }
        Ok(entries)
    }

    /// Finds one entry.
    pub(super) fn place_of(&self, index: u64) -> EntryPlace {
        self.shared.index().locate(index)
    }

    fn read_place(
        &self,
        place: &GroupLocation,
        start: u64,
        end: u64,
        entries: &mut Vec<LogEntry>,
    ) -> Result<(), LogError> {
        let bytes = place.file.read(place.offset, place.bytes)?;
        let FoundGroup::Group(group) = group::decode(bytes.bytes(), self.log_id) else {
            return Err(LogError::Unreadable);
        };
        if group.header.sequence != place.sequence {
            return Err(LogError::Unreadable);
        }
        let range = start.max(place.first)..end.min(place.end);
        for record in group.records {
            if let Some(entry) = record.into_entry()?
                && range.contains(&entry.index())
            {
                entries.push(entry);
            }
        }
        Ok(())
    }

    /// Notes memberships with other voters before they can take effect.
    fn watch_members(&self, entry: &LogEntry, index: &mut Index) {
        if let EntryPayload::Membership(members) = &entry.payload {
            let alone = members.voter_ids().all(|id| id == self.node);
            if !alone {
                index.others_at = entry.index();
                self.alone.store(false, Ordering::Release);
            }
        }
    }
}

async fn receive(receiver: oneshot::Receiver<io::Result<()>>) -> io::Result<()> {
    receiver
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the log's writer has stopped")))
}

/// The most bytes of entries that go to a follower at once, unless a single one is larger.
const SENT_BYTES_MAX: usize = 512 << 10;

impl RaftLogReader<TypeConfig> for LogStore {
    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<LogEntry>, io::Error> {
        self.read(start, end, SENT_BYTES_MAX)
    }

    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<LogEntry>, io::Error> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        self.read(start, end, usize::MAX)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.shared.index().vote)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let index = self.shared.index();
        Ok(LogState {
            last_purged_log_id: index.purged.map(log_id),
            last_log_id: index.last_log_id(),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.control(Record::Vote(Ballot::from(vote))).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        // Goes along with the next group, so that knowing it costs no write.
        self.shared.index().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.shared.index().committed)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<LogEntry> = entries.into_iter().collect();
        let mut index = self.shared.index();
        for entry in &entries {
            self.watch_members(entry, &mut index);
            index.push(entry.clone());
        }
        drop(index);
        self.shared
            .submit(Job::Append(entries, Done::Raft(callback)));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        let committed = self.shared.index().committed;
        if last < committed {
            let why = format!(
                "the leader wants entries after {} taken back, and those up to {} are committed: \
                 one of the two nodes lost acknowledged writes; this one keeps its files as they \
                 are",
                last.map_or(0, |last| last.index()),
                committed.map_or(0, |committed| committed.index())
            );
            self.shared.poison.set(&why);
            return Err(io::Error::other(why));
        }
        let last = last.as_ref().map(position);
        self.control(Record::Truncate(last)).await
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        // Raft does nothing else while it waits here, not even heartbeats; and purging twice does
        // no harm.
        let upto = position(&upto);
        self.shared.index().purge(upto);
        self.shared
            .submit(Job::Control(Record::Purge(upto), Done::Nobody));
        Ok(())
    }
}
