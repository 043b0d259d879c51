//! The state machine: applies entries to the state, deterministically.
//!
//! The state machine has no keys, no clock and no randomness, so a sealed node applies what an
//! unsealed one does. A checkpoint of the state is raft's snapshot: the snapshot's data is a read
//! view of it.

use crate::raft::disk::poison::Poison;
use crate::raft::wire::command::{self, Content};
use crate::raft::wire::record::{self, Position};
use crate::raft::wire::types::{
    LogEntry, LogId, Membership, Outcome, StoredMembership, TypeConfig, log_id, position,
};
use crate::store::space::Space;
use crate::store::state::{Arrival, Change, Image, Mark, Restore, State, StateError, touched};
use crate::store::{Key, Observer, Observers, Revision, Transaction};
use futures_util::{Stream, TryStreamExt};
use openraft::entry::RaftEntry;
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine};
use openraft::type_config::alias::{SnapshotMetaOf, SnapshotOf};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::{Notify, watch};

type SnapshotMeta = SnapshotMetaOf<TypeConfig>;
type Snapshot = SnapshotOf<TypeConfig, SnapshotData>;

/// The data of a snapshot, besides its meta.
pub enum SnapshotData {
    /// The records of a checkpoint, and its mark.
    Saved(Mark, Image),
    /// Records that a peer sent: on the disk already, but not part of the state yet.
    Arrived(Arrival),
}

impl SnapshotData {
    /// Returns the mark: the last entry that the data holds, and the members as of then.
    pub(in crate::raft) fn mark(&self) -> &Mark {
        match self {
            Self::Saved(mark, _) => mark,
            Self::Arrived(arrival) => arrival.mark(),
        }
    }

    /// Returns the records to send; `None` for a snapshot that came in.
    pub(in crate::raft) fn into_image(self) -> Option<Image> {
        match self {
            Self::Saved(_, image) => Some(image),
            Self::Arrived(_) => None,
        }
    }
}

/// Holds the applied state for the state machine and the storage handle.
pub(in crate::raft) struct Applied {
    pub(in crate::raft) state: State,
    pub(in crate::raft) space: Arc<Space>,
    pub(in crate::raft) poison: Arc<Poison>,
    /// Rung when a checkpoint is due.
    pub(in crate::raft) due: Notify,
    observers: Observers,
    /// The index after the last entry of which the observers were told.
    told: AtomicU64,
    disk_full: AtomicBool,
    /// False while writes are refused, or soon will be, because the disk is full.
    room: watch::Sender<bool>,
    /// True when the disk is full and the log holds more than it needs.
    wants_room: AtomicBool,
    /// True while the log is replayed: no task answers [`Applied::due`] yet.
    replaying: AtomicBool,
}

impl Applied {
    pub(in crate::raft) fn new(state: State, space: Arc<Space>, poison: Arc<Poison>) -> Self {
        let told = state.progress().0.map_or(0, after);
        Self {
            state,
            space,
            poison,
            told: AtomicU64::new(told),
            due: Notify::new(),
            observers: Observers::default(),
            disk_full: AtomicBool::new(false),
            room: watch::Sender::new(true),
            wants_room: AtomicBool::new(false),
            replaying: AtomicBool::new(true),
        }
    }

    /// Notes that the log is replayed and that a task saves checkpoints from now on.
    pub(in crate::raft) fn replayed(&self) {
        self.replaying.store(false, Ordering::Release);
    }

    /// Returns true when the last checkpoint failed for want of space.
    pub(in crate::raft) fn is_disk_full(&self) -> bool {
        self.disk_full.load(Ordering::Acquire)
    }

    pub(in crate::raft) fn set_disk_full(&self, full: bool) {
        self.disk_full.store(full, Ordering::Release);
        self.note_room(!full);
    }

    /// Notes whether the log, or a checkpoint, found room on the disk.
    pub(in crate::raft) fn note_room(&self, is_there: bool) {
        let is_there = is_there && !self.is_disk_full() && !self.space.is_low();
        if *self.room.borrow() != is_there {
            self.room.send_replace(is_there);
        }
    }

    pub(in crate::raft) fn room(&self) -> watch::Receiver<bool> {
        self.room.subscribe()
    }

    /// Returns true when what is not saved yet is to be: enough of it has gathered, or space is low
    /// and may come of it.
    pub(in crate::raft) fn is_checkpoint_due(&self) -> bool {
        self.state.is_checkpoint_due() || (self.space.is_low() && self.state.is_dirty())
    }

    /// Asks for a purge of all entries that the last checkpoint holds.
    pub(in crate::raft) fn want_room(&self) {
        self.wants_room.store(true, Ordering::Release);
        self.due.notify_one();
    }

    /// Returns true once after each [`Applied::want_room`].
    pub(in crate::raft) fn take_want_of_room(&self) -> bool {
        self.wants_room.swap(false, Ordering::AcqRel)
    }

    pub(in crate::raft) fn observe(&self, observer: Weak<dyn Observer>) {
        self.observers.add(observer);
    }

    /// Returns the index up to which the state is applied and the observers were told. Between an
    /// entry's application and this a cache may hold records that are gone.
    pub(in crate::raft) fn told(&self) -> Option<u64> {
        self.told.load(Ordering::Acquire).checked_sub(1)
    }

    fn notify(&self, revision: Revision, keys: &[Key]) {
        self.observers.notify(revision, keys);
    }

    /// Applies an entry. An entry that cannot be applied stops the node, which must not go on
    /// without it.
    fn apply(&self, entry: LogEntry) -> io::Result<Outcome> {
        let at = position(&entry.log_id());
        let applied = self.apply_one(entry);
        match &applied {
            Ok(_) => self.told.store(after(at), Ordering::Release),
            Err(error) => self.poison.set(&error.to_string()),
        }
        applied
    }

    fn apply_one(&self, entry: LogEntry) -> io::Result<Outcome> {
        let at = position(&entry.log_id());
        match entry.payload {
            EntryPayload::Blank => self.change(at, Change::Nothing).map(|_| Outcome::Nothing),
            EntryPayload::Membership(members) => {
                let bytes = record::encode_members(&members).map_err(io::Error::other)?;
                self.change(at, Change::Membership(bytes))
                    .map(|_| Outcome::Nothing)
            }
            EntryPayload::Normal(command) => {
                match command::decode(&command).map_err(io::Error::other)? {
                    Content::Transaction(transaction) => self.run(at, &transaction, command.len()),
                    Content::Restore(step) => self.restore(at, &step, command.len()),
                }
            }
        }
    }

    fn run(&self, at: Position, transaction: &Transaction, bytes: usize) -> io::Result<Outcome> {
        if !self.change(at, Change::Run(transaction, bytes))? {
            return Ok(Outcome::Conflict);
        }
        let keys: Vec<Key> = touched(transaction).cloned().collect();
        self.notify(Revision(at.index), &keys);
        Ok(Outcome::Applied)
    }

    /// Applies a step of a restore; the last step replaces every record.
    fn restore(&self, at: Position, step: &Restore, bytes: usize) -> io::Result<Outcome> {
        if !self.change(at, Change::Restore(step, bytes))? {
            return Ok(Outcome::Conflict);
        }
        if matches!(step, Restore::Commit { .. }) {
            self.notify(Revision(at.index), &[]);
        }
        Ok(Outcome::Applied)
    }

    fn change(&self, at: Position, change: Change<'_>) -> io::Result<bool> {
        self.state.apply(at, change).map_err(|error| {
            self.poison.set(&error.to_string());
            io::Error::other(error)
        })
    }

    /// Saves a checkpoint when the overlay is too full for more, so that memory stays bounded
    /// however fast entries come. A full disk is no error: no more commits are admitted then.
    async fn make_room(self: &Arc<Self>) -> io::Result<()> {
        if self.is_disk_full() {
            return Ok(());
        }
        let saving = Arc::clone(self);
        match blocking(move || saving.state.checkpoint()).await? {
            Ok(_) => Ok(()),
            Err(StateError::DiskFull) => {
                self.set_disk_full(true);
                Ok(())
            }
            Err(error) => Err(state_failure(&self.poison, &error)),
        }
    }
}

/// openraft's handle to the state.
#[derive(Clone)]
pub struct StateMachine(pub(in crate::raft) Arc<Applied>);

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let mark = self.0.state.mark();
        let meta = snapshot_meta(&mark)?;
        Ok((meta.last_log_id, meta.last_membership))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> io::Result<()>
    where
        Strm: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        if self.0.state.is_overfull() {
            self.0.make_room().await?;
            self.0.due.notify_one();
        }
        let mut answers: Vec<(ApplyResponder<TypeConfig>, Outcome)> = Vec::new();
        while let Some((entry, responder)) = entries.try_next().await? {
            let outcome = match &entry.payload {
                // Waits for the disk.
                EntryPayload::Normal(command) if command::is_restore(command) => {
                    let applied = Arc::clone(&self.0);
                    blocking(move || applied.apply(entry)).await??
                }
                _ => self.0.apply(entry)?,
            };
            answers.extend(responder.map(|responder| (responder, outcome)));
        }
        if self.0.is_checkpoint_due() {
            self.0.due.notify_one();
        }
        for (responder, outcome) in answers {
            responder.send(outcome);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder {
            machine: self.clone(),
            saves: true,
        }
    }

    /// Returns a builder that saves a checkpoint first only when `force` is set: raft that was told
    /// of a checkpoint builds its snapshot from that one.
    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Builder> {
        Some(Builder {
            machine: self.clone(),
            saves: force,
        })
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotData,
    ) -> io::Result<()> {
        let mark = Mark {
            position: meta.last_log_id.as_ref().map(position),
            membership: stored_bytes(&meta.last_membership)?,
            ..snapshot.mark().clone()
        };
        let applied = Arc::clone(&self.0);
        let installed = {
            let mark = mark.clone();
            blocking(move || match snapshot {
                SnapshotData::Saved(_, image) => applied.state.install(&mark, image),
                SnapshotData::Arrived(arrival) => applied.state.adopt(arrival),
            })
            .await?
        };
        installed.map_err(|error| state_failure(&self.0.poison, &error))?;
        let index = mark.position.map_or(0, |position| position.index);
        self.0.notify(Revision(index), &[]);
        let told = mark.position.map_or(0, after);
        self.0.told.store(told, Ordering::Release);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        let image = self.0.state.image();
        let image = image.map_err(|error| state_failure(&self.0.poison, &error))?;
        image
            .map(|(mark, image)| snapshot_of(mark, image))
            .transpose()
    }
}

/// Gives a view of the last checkpoint.
pub struct Builder {
    machine: StateMachine,
    /// True when the builder saves a checkpoint first.
    saves: bool,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        let applied = &self.machine.0;
        if self.saves {
            let saving = Arc::clone(applied);
            match blocking(move || saving.state.checkpoint()).await? {
                // On a full disk the last checkpoint is still a snapshot.
                Ok(_) | Err(StateError::DiskFull) => {}
                Err(error) => return Err(state_failure(&applied.poison, &error)),
            }
        }
        match self.machine.get_current_snapshot().await? {
            Some(snapshot) => Ok(snapshot),
            None => snapshot_of(Mark::default(), Image::new(std::iter::empty())),
        }
    }
}

fn after(position: Position) -> u64 {
    position.index.saturating_add(1)
}

fn snapshot_of(mark: Mark, image: Image) -> io::Result<Snapshot> {
    Ok(Snapshot {
        meta: snapshot_meta(&mark)?,
        snapshot: SnapshotData::Saved(mark, image),
    })
}

pub(in crate::raft) fn snapshot_meta(mark: &Mark) -> io::Result<SnapshotMeta> {
    Ok(SnapshotMeta {
        last_log_id: mark.position.map(log_id),
        last_membership: stored_membership(mark)?,
    })
}

fn stored_membership(mark: &Mark) -> io::Result<StoredMembership> {
    let Some((at, bytes)) = &mark.membership else {
        return Ok(StoredMembership::default());
    };
    let members: Membership = record::decode_members(bytes).map_err(io::Error::other)?;
    Ok(StoredMembership::new(Some(log_id(*at)), members))
}

fn stored_bytes(stored: &StoredMembership) -> io::Result<Option<(Position, Vec<u8>)>> {
    let Some(at) = stored.log_id() else {
        return Ok(None);
    };
    let bytes = record::encode_members(stored.membership()).map_err(io::Error::other)?;
    Ok(Some((position(at), bytes)))
}

fn state_failure(poison: &Poison, error: &StateError) -> io::Error {
    poison.set(&error.to_string());
    io::Error::other(error.to_string())
}

/// Runs file work off the runtime's threads.
pub(in crate::raft) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| io::Error::other("a storage task panicked"))
}
