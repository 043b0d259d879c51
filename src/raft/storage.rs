//! [`Storage`] over raft: what the barrier sees.

use super::command;
use super::data_dir::DataDir;
use super::error::OpenError;
use super::log_store::{LogOptions, LogStore, Recovery};
use super::network::Network;
use super::options::Options;
use super::poison::Poison;
use super::proposer::{Proposer, Sink};
use super::state_machine::{Applied, StateMachine, blocking};
use super::types::{Peer, TypeConfig};
use super::wire::{self, Members};
use crate::store::state::{State, StateError};
use crate::store::{
    BoxFuture, CommitError, Observer, ReadError, Record, Revision, Storage, StorageStatus,
    Transaction, Visit, WriteIntent,
};
use openraft::raft::ReadPolicy;
use openraft::{Config, Raft, ServerState, SnapshotPolicy};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::task::JoinHandle;

/// The largest transaction; Vault's limit for an entry of its raft log, too.
pub const TRANSACTION_BYTES_MAX: usize = 1 << 20;
/// Entries kept after a checkpoint for followers that are a little behind.
const ENTRIES_KEPT: u64 = 256;
/// How long a leader may take to lead.
const LEAD_WITHIN: Duration = Duration::from_secs(10);
/// Between attempts to save a checkpoint on a full disk.
const FULL_RETRY: Duration = Duration::from_secs(1);

/// The replicated store of one node.
pub struct RaftStorage {
    raft: Raft<TypeConfig, StateMachine>,
    log: LogStore,
    applied: Arc<Applied>,
    proposer: Arc<Proposer>,
    /// Whether this node may lead: it is unsealed.
    elect: AtomicBool,
    closed: AtomicBool,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    dir: Mutex<Option<DataDir>>,
}

impl RaftStorage {
    /// Opens the data directory, or makes one with this node as its only voter. The node does not
    /// lead until it is told to; reads work at once, with all that was acknowledged.
    pub async fn open(options: Options) -> Result<Arc<Self>, OpenError> {
        let poison = Arc::new(Poison::default());
        let opened = {
            let (options, poison) = (options.clone(), Arc::clone(&poison));
            blocking(move || open_files(&options, poison)).await
        };
        let files = opened.map_err(|error| OpenError::Raft(error.to_string()))??;
        let id = files.dir.numbers.raft_id;
        let applied = Arc::new(Applied::new(files.state, poison));
        if files.recovery.torn {
            tracing::warn!("the last write was cut short before it was acknowledged; dropped it");
        }
        if is_alone(&applied.state, &files.recovery, id)? {
            files.log.refuse_to_lag(applied.state.saved().position)?;
            files.log.set_alone();
        }
        let machine = StateMachine(Arc::clone(&applied));
        let raft = Raft::new(id, config()?, Network, files.log.clone(), machine).await;
        let raft = raft.map_err(|error| OpenError::Raft(error.to_string()))?;
        begin(&raft, &files.log, id, &options).await?;
        let storage = Arc::new(Self {
            raft,
            log: files.log,
            applied,
            proposer: Arc::new(Proposer::new()),
            elect: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            tasks: Mutex::default(),
            dir: Mutex::new(Some(files.dir)),
        });
        storage.start();
        Ok(storage)
    }

    fn start(&self) {
        let sink = Sink {
            raft: self.raft.clone(),
            log: self.log.clone(),
            applied: Arc::clone(&self.applied),
        };
        let proposing = tokio::spawn(Arc::clone(&self.proposer).run(sink));
        let saving = save_when_due(self.raft.clone(), Arc::clone(&self.applied));
        let saving = tokio::spawn(saving);
        self.applied.replayed();
        self.tasks().extend([proposing, saving]);
    }

    /// Whether this node may lead. A sealed node must not: it could not serve.
    pub fn set_elect(&self, elect: bool) {
        self.elect.store(elect, Ordering::Release);
    }

    /// Lets this node lead and returns once it does and has applied all that was committed.
    pub async fn become_leader(&self) -> Result<(), CommitError> {
        self.set_elect(true);
        let unavailable = |error: String| match self.applied.poison.reason() {
            Some(reason) => CommitError::Fatal(reason),
            None => CommitError::Unavailable(error),
        };
        if !self.raft.is_leader() {
            let elected = self.raft.trigger().elect(false).await;
            elected.map_err(|error| unavailable(error.to_string()))?;
            let wait = self.raft.wait(Some(LEAD_WITHIN));
            let led = wait.state(ServerState::Leader, "become leader").await;
            led.map_err(|error| unavailable(error.to_string()))?;
        }
        let ready = self.raft.ensure_linearizable(ReadPolicy::ReadIndex).await;
        ready
            .map(drop)
            .map_err(|error| unavailable(error.to_string()))
    }

    /// Flushes of the log since it was opened.
    pub fn flushes(&self) -> u64 {
        self.log.flushes()
    }

    /// Saves a checkpoint now.
    pub async fn checkpoint(&self) -> Result<(), CommitError> {
        let applied = Arc::clone(&self.applied);
        let saved = blocking(move || applied.state.checkpoint()).await;
        match saved.map_err(|error| CommitError::Unavailable(error.to_string()))? {
            Ok(_) => {}
            Err(StateError::DiskFull) => {
                return Err(CommitError::DiskFull("no checkpoint can be saved".into()));
            }
            Err(error) => {
                self.applied.poison.set(&error.to_string());
                return Err(CommitError::Fatal(error.to_string()));
            }
        }
        let told = self.raft.trigger().snapshot().await;
        told.map_err(|error| CommitError::Unavailable(error.to_string()))
    }

    fn leads(&self) -> bool {
        self.elect.load(Ordering::Acquire) && self.raft.is_leader()
    }

    fn ensure_open(&self) -> Result<(), String> {
        if self.closed.load(Ordering::Acquire) {
            return Err("the storage is closed".into());
        }
        Ok(())
    }

    fn read_error(&self, error: &StateError) -> ReadError {
        self.applied.poison.set(&error.to_string());
        ReadError::Fatal(error.to_string())
    }

    async fn submit(&self, transaction: Transaction) -> Result<Revision, CommitError> {
        self.ensure_open().map_err(CommitError::Unavailable)?;
        if let Some(reason) = self.applied.poison.reason() {
            return Err(CommitError::Fatal(reason));
        }
        if !self.elect.load(Ordering::Acquire) {
            return Err(CommitError::NotLeader);
        }
        let command = command::encode(&transaction);
        let command = command.map_err(|error| CommitError::Fatal(error.to_string()))?;
        if command.len() > TRANSACTION_BYTES_MAX {
            return Err(CommitError::TooLarge {
                bytes: command.len(),
                limit: TRANSACTION_BYTES_MAX,
            });
        }
        let answer = self.proposer.submit(command)?.await;
        answer.unwrap_or_else(|_| Err(CommitError::Unavailable("the storage is stopping".into())))
    }

    async fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.proposer.close();
        drop(self.raft.shutdown().await);
        let tasks = std::mem::take(&mut *self.tasks());
        for task in tasks {
            task.abort();
            drop(task.await);
        }
        let (applied, log) = (Arc::clone(&self.applied), self.log.clone());
        let closed = blocking(move || {
            let saved = if applied.state.is_dirty() && !applied.poison.is_set() {
                applied.state.checkpoint().map(drop)
            } else {
                Ok(())
            };
            log.close();
            saved
        });
        // Nothing is lost without the checkpoint: the log has it all.
        if let Ok(Err(error)) = closed.await {
            tracing::warn!(%error, "no checkpoint was saved; the next start replays the log");
        }
        self.dir
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for RaftStorage {
    fn get(&self, key: &[u8]) -> Result<Option<Record>, ReadError> {
        self.ensure_open().map_err(ReadError::Unavailable)?;
        let found = self.applied.state.get(key);
        found.map_err(|error| self.read_error(&error))
    }

    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8]) -> Visit) -> Result<(), ReadError> {
        self.ensure_open().map_err(ReadError::Unavailable)?;
        let walked = self.applied.state.scan(prefix, visit);
        walked.map_err(|error| self.read_error(&error))
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        Box::pin(self.submit(transaction))
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReadError>> {
        Box::pin(async move {
            self.ensure_open().map_err(ReadError::Unavailable)?;
            // Nobody else can have acknowledged a write, and ours are applied before they are.
            if self.leads() && self.log.is_alone() {
                return Ok(());
            }
            let ready = self.raft.ensure_linearizable(ReadPolicy::LeaseRead).await;
            ready
                .map(drop)
                .map_err(|error| ReadError::Unavailable(error.to_string()))
        })
    }

    fn announce_write(&self) -> WriteIntent {
        self.proposer.announced.fetch_add(1, Ordering::AcqRel);
        WriteIntent(Some(Arc::clone(&self.proposer.announced)))
    }

    fn observe(&self, observer: Weak<dyn Observer>) {
        self.applied.observe(observer);
    }

    fn status(&self) -> StorageStatus {
        let (applied, time_floor) = self.applied.state.progress();
        StorageStatus {
            committed_index: self.log.committed().unwrap_or(0),
            applied_index: applied.map_or(0, |position| position.index),
            term: self.log.term(),
            leads: self.leads(),
            time_floor,
            failed: self.applied.poison.reason(),
        }
    }

    fn failed(&self) -> BoxFuture<'_, String> {
        Box::pin(self.applied.poison.wait())
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.close())
    }
}

/// What is opened off the runtime's threads.
struct Files {
    dir: DataDir,
    state: State,
    log: LogStore,
    recovery: Recovery,
}

fn open_files(options: &Options, poison: Arc<Poison>) -> Result<Files, OpenError> {
    let dir = DataDir::open(&options.path)?;
    dir.make_rooms()?;
    let path = dir.state();
    let state = State::open(&path, options.limits);
    let state = state.map_err(|error| OpenError::state(&path, error))?;
    let log_dir = dir.log();
    let log_options = LogOptions {
        dir: &log_dir,
        log_id: dir.numbers.log_id,
        segment_bytes: options.segment_bytes,
        applied: state.saved().position,
        device: options.device.clone(),
    };
    let (log, recovery) =
        LogStore::open(&log_options, dir.numbers.raft_id, poison).map_err(OpenError::log)?;
    Ok(Files {
        dir,
        state,
        log,
        recovery,
    })
}

fn config() -> Result<Arc<Config>, OpenError> {
    let config = Config {
        cluster_name: "coffer".into(),
        // A single voter needs no clock; a timer that does nothing still wakes a Pi.
        enable_tick: false,
        enable_heartbeat: false,
        enable_elect: false,
        // A node leads when it is told to, never because it led before: it may be sealed.
        enable_leader_restore: Some(false),
        enable_pre_vote: Some(true),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: ENTRIES_KEPT,
        max_append_entries: Some(1024),
        api_channel_size: Some(1024),
        notification_channel_size: Some(1024),
        state_machine_channel_size: Some(256),
        ..Config::default()
    };
    let config = config.validate();
    config
        .map(Arc::new)
        .map_err(|error| OpenError::Raft(error.to_string()))
}

/// True when every membership that may be in force has this node as its only voter.
fn is_alone(state: &State, recovery: &Recovery, id: u64) -> Result<bool, OpenError> {
    let mut memberships: Vec<Members> = Vec::new();
    if let Some((_, bytes)) = state.saved().membership {
        let members = wire::decode_members(&bytes);
        let members = members.map_err(|error| OpenError::Damaged(error.to_string()))?;
        memberships.push((&members).into());
    }
    memberships.extend(recovery.members.iter().map(|(_, members)| members.clone()));
    let only_me = |members: &Members| members.configs.iter().flatten().all(|voter| *voter == id);
    Ok(!memberships.is_empty() && memberships.iter().all(only_me))
}

/// Makes this node the only voter of a new cluster, when there is none yet.
async fn begin(
    raft: &Raft<TypeConfig, StateMachine>,
    log: &LogStore,
    id: u64,
    options: &Options,
) -> Result<(), OpenError> {
    let fail = |error: String| OpenError::Raft(error);
    let begun = raft.is_initialized().await;
    if begun.map_err(|error| fail(error.to_string()))? {
        return Ok(());
    }
    let me = Peer {
        name: options.node_id.clone(),
        cluster_address: options.cluster_address.clone(),
        public_key: Vec::new(),
    };
    let made = raft.initialize(BTreeMap::from([(id, me)])).await;
    made.map_err(|error| fail(error.to_string()))?;
    log.set_alone();
    Ok(())
}

/// Saves a checkpoint whenever one is due, and lets raft purge the log up to it.
async fn save_when_due(raft: Raft<TypeConfig, StateMachine>, applied: Arc<Applied>) {
    let mut told = applied.state.saved().position;
    loop {
        applied.due.notified().await;
        if applied.poison.is_set() {
            return;
        }
        if applied.state.is_checkpoint_due() {
            save(&applied).await;
        }
        let saved = applied.state.saved().position;
        if saved != told && raft.trigger().snapshot().await.is_err() {
            return;
        }
        told = saved;
    }
}

async fn save(applied: &Arc<Applied>) {
    let saving = Arc::clone(applied);
    match blocking(move || saving.state.checkpoint()).await {
        Ok(Ok(_)) => applied.set_disk_full(false),
        Ok(Err(StateError::DiskFull)) => {
            applied.set_disk_full(true);
            tracing::warn!("the disk is full: no checkpoint can be saved, trying again");
            tokio::time::sleep(FULL_RETRY).await;
        }
        Ok(Err(error)) => applied.poison.set(&error.to_string()),
        Err(error) => applied.poison.set(&error.to_string()),
    }
}
