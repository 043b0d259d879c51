//! [`Storage`] over raft, as the barrier sees it.

use super::restore::RestoreGate;
use crate::peer::Protocol;
use crate::peer::PublicKey;
use crate::raft::applying::saving::{self, Saver};
use crate::raft::applying::state_machine::{Applied, StateMachine, blocking};
use crate::raft::disk::data_dir::DataDir;
use crate::raft::disk::error::OpenError;
use crate::raft::disk::poison::Poison;
use crate::raft::leading::conductor::Conductor;
use crate::raft::leading::proposer::{Proposer, Sink};
use crate::raft::leading::read_index;
use crate::raft::members::error::ChangeError;
use crate::raft::proof::{ClusterPublicKey, ProofBook, Signer};
use crate::raft::running::leadership::Leadership;
use crate::raft::running::lease::Lease;
use crate::raft::running::moves::Moves;
use crate::raft::running::readers::Readers;
use crate::raft::running::refusals::Refusals;
use crate::raft::running::shared::Shared;
use crate::raft::running::standing_back::StandingBack;
use crate::raft::server::Server;
use crate::raft::speaking::network::Network;
use crate::raft::speaking::voice::Voice;
use crate::raft::start::files::Files;
use crate::raft::start::opening;
use crate::raft::start::options::Options;
use crate::raft::wire::command;
use crate::raft::wire::types::Command;
use crate::store::space::Account;
use crate::store::state::StateError;
use crate::store::{
    BoxFuture, CommitError, Observer, ReadError, Record, Revision, Storage, StorageStatus,
    Transaction, Visit, Whole, WriteIntent,
};
use crate::telemetry::{Counter, Summary, metrics};
use openraft::Raft;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The largest transaction, in bytes; Vault has the same limit for an entry of its raft log.
pub const TRANSACTION_BYTES_MAX: usize = 1 << 20;
/// Limits the time in which [`RaftStorage::become_leader`] waits for this node to lead.
const LEAD_WITHIN: Duration = Duration::from_secs(10);
/// Limits the time until raft takes note of a new cluster.
const FOUND_WITHIN: Duration = Duration::from_secs(10);

/// The replicated store of one node.
pub struct RaftStorage {
    pub(in crate::raft) shared: Arc<Shared>,
    pub(in crate::raft) proposer: Arc<Proposer>,
    pub(in crate::raft) restore: RestoreGate,
    log_bytes_kept: usize,
    applied: Arc<Counter>,
    commit_time: Arc<Summary>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    dir: Mutex<Option<DataDir>>,
    /// The service for peers; the network holds only a weak reference to it.
    server: Arc<Server>,
}

impl RaftStorage {
    /// Opens the data directory, or makes one that belongs to no cluster yet. The node does not
    /// lead until it may; reads work at once, with all records that it knows to be committed.
    pub async fn open(options: Options) -> Result<Arc<Self>, OpenError> {
        let poison = Arc::new(Poison::default());
        let opened = {
            let (options, poison) = (options.clone(), Arc::clone(&poison));
            blocking(move || opening::open_files(&options, poison)).await
        };
        let files = opened.map_err(|error| OpenError::Raft(error.to_string()))??;
        let log = files.log.clone();
        let started = Self::open_from(files, options, poison).await;
        if started.is_err() {
            // Its thread and its files would stay for as long as the process.
            drop(blocking(move || log.close()).await);
        }
        started
    }

    async fn open_from(
        files: Files,
        options: Options,
        poison: Arc<Poison>,
    ) -> Result<Arc<Self>, OpenError> {
        if files.recovery.torn {
            tracing::warn!("the last write was cut short before it was acknowledged; dropped it");
        }
        let applied = files.state.saved().position;
        files.log.refuse_gap(applied)?;
        if opening::is_alone(&files)? {
            // One that the operator made the only voter may have stopped while it took a snapshot
            // over: the state has the entries that the log lacks.
            if !files.log.is_forced() {
                files.log.refuse_to_lag(applied)?;
            }
            files.log.set_alone();
        }
        let is_member = opening::knows_members(&files);
        let storage = Self::start(files, options, poison).await?;
        if is_member && let Err(error) = storage.know_members().await {
            storage.close().await;
            return Err(error);
        }
        Ok(storage)
    }

    /// Waits until raft has published the membership that it was opened with.
    async fn know_members(&self) -> Result<(), OpenError> {
        let wait = self.shared.raft.wait(Some(FOUND_WITHIN));
        let known = wait.metrics(|m| m.membership_config.log_id().is_some(), "know members");
        let known = known.await.map(drop);
        known.map_err(|error| OpenError::Raft(error.to_string()))
    }

    async fn start(
        files: Files,
        options: Options,
        poison: Arc<Poison>,
    ) -> Result<Arc<Self>, OpenError> {
        let id = files.dir.numbers.raft_id;
        let applied = Arc::new(Applied::new(files.state, files.space, poison));
        let network = options.network.clone();
        let proofs = ProofBook::open(files.dir.path(), id, options.public_key.clone())?;
        let (hostname, silence) = (options.hostname.clone(), options.timing.silence());
        let voice = Voice::new(id, network, Arc::clone(&applied), hostname, proofs, silence);
        let voice = Arc::new(voice);
        let (machine, network) = (StateMachine(Arc::clone(&applied)), Arc::clone(&voice));
        let config = opening::config(&options.timing)?;
        let raft = Raft::new(id, config, Network(network), files.log.clone(), machine).await;
        let shared = Arc::new(Shared {
            id,
            me: Mutex::new(options.peer()),
            raft: raft.map_err(|error| OpenError::Raft(error.to_string()))?,
            log: files.log,
            applied,
            timing: options.timing,
            voice,
            leadership: watch::Sender::default(),
            trusted: watch::Sender::default(),
            refusals: Refusals::default(),
            needed: watch::Sender::new(false),
            members_at: watch::Sender::new(0),
            readers: Readers::default(),
            changing: tokio::sync::Mutex::new(()),
            introducing: tokio::sync::Mutex::new(()),
            moves: Moves::default(),
            handing: tokio::sync::Mutex::new(()),
            succeeding: tokio::sync::Mutex::default(),
            standing_back: StandingBack::default(),
            lease: Lease::new(&options.timing),
            removed: AtomicBool::new(false),
            removed_at: AtomicU64::new(0),
            closing: AtomicBool::new(false),
        });
        let storage = Arc::new(Self {
            server: Server::new(Arc::clone(&shared)),
            shared,
            proposer: Arc::new(Proposer::new()),
            restore: RestoreGate::new(files.dir.path()),
            log_bytes_kept: options.log_bytes_kept,
            applied: metrics().counter("raft.apply", "Writes that this node, leading, committed."),
            commit_time: metrics().summary(
                "raft.commitTime",
                "Milliseconds from a write's proposal until a quorum had it and it was applied.",
            ),
            tasks: Mutex::default(),
            dir: Mutex::new(Some(files.dir)),
        });
        storage.spawn_tasks();
        Ok(storage)
    }

    fn spawn_tasks(&self) {
        let shared = &self.shared;
        let sink = Sink {
            raft: shared.raft.clone(),
            log: shared.log.clone(),
            applied: Arc::clone(&shared.applied),
        };
        let proposing = crate::task::spawn(Arc::clone(&self.proposer).run(sink));
        let saver = Saver {
            raft: shared.raft.clone(),
            log: shared.log.clone(),
            applied: Arc::clone(&shared.applied),
            log_bytes_kept: self.log_bytes_kept,
        };
        let saving = crate::task::spawn(saver.run());
        let conducting = crate::task::spawn(Conductor::new(Arc::clone(shared)).run());
        shared.applied.replayed();
        self.tasks().extend([proposing, saving, conducting]);
        if let Some(network) = &shared.voice.network {
            let service: Weak<Server> = Arc::downgrade(&self.server);
            network.serve(Protocol::Raft, service);
        }
    }

    /// Makes this node the first voter of a new cluster. Does nothing when it is in a cluster.
    pub async fn found(&self) -> Result<(), CommitError> {
        let shared = &self.shared;
        let unavailable = |error: String| CommitError::Unavailable(error);
        let begun = shared.raft.is_initialized().await;
        if begun.map_err(|error| unavailable(error.to_string()))? {
            return Ok(());
        }
        // A key that is left of another cluster is void in a new one.
        let forgotten = shared.voice.proofs.require(None);
        forgotten.map_err(|error| unavailable(error.to_string()))?;
        let first = BTreeMap::from([(shared.id, shared.me().clone())]);
        let made = shared.raft.initialize(first).await;
        made.map_err(|error| unavailable(error.to_string()))?;
        let wait = shared.raft.wait(Some(FOUND_WITHIN));
        let known = wait.metrics(|m| m.membership_config.log_id().is_some(), "found");
        known
            .await
            .map_err(|error| unavailable(error.to_string()))?;
        shared.log.set_alone();
        Ok(())
    }

    /// Returns true once this node was told of a cluster that it is in, or was in.
    pub fn has_membership(&self) -> bool {
        self.shared.membership().log_id().is_some()
    }

    /// Returns this node's number in the log.
    pub fn raft_id(&self) -> u64 {
        self.shared.id
    }

    /// Sets whether this node may lead. A sealed node must not: it could not serve.
    pub fn set_elect(&self, elect: bool) {
        self.shared.voice.elects.send_replace(elect);
    }

    /// Takes the signer of an unsealed node, and lets the node lead; `None` when it is sealed: then
    /// it must not lead, and can prove nothing any more.
    pub fn set_signer(&self, signer: Option<Arc<dyn Signer>>) {
        let elect = signer.is_some();
        self.shared.voice.proofs.set_signer(signer);
        self.set_elect(elect);
    }

    /// Requires proof of the keys from now on, under the cluster's public key `key`, also after a
    /// restart; `None` takes that back.
    ///
    /// # Errors
    /// The operating system's, when `cluster.key` cannot be written.
    pub fn require_proof(&self, key: Option<ClusterPublicKey>) -> std::io::Result<()> {
        if self.shared.voice.proofs.require(key)? {
            crate::telemetry::info!(
                required = key.is_some(),
                "proof of the keys between members"
            );
            // Whether this node may lead may have changed.
            self.shared.voice.elects.send_modify(|_| {});
        }
        Ok(())
    }

    /// Returns the cluster's public key, once proof of the keys is required.
    pub fn cluster_key(&self) -> Option<ClusterPublicKey> {
        self.shared.voice.proofs.required()
    }

    /// Returns true once members without proof of the keys neither lead nor are forwarded to or
    /// from.
    pub fn requires_proof(&self) -> bool {
        self.cluster_key().is_some()
    }

    /// Counts the messages of members that were dropped for want of proof, since the start.
    pub fn unproven(&self) -> u64 {
        self.shared.voice.proofs.refused()
    }

    /// Follows whether this node is needed: sealed, and in possession of entries without which no
    /// member can lead.
    pub fn needed(&self) -> watch::Receiver<bool> {
        self.shared.needed.subscribe()
    }

    /// Follows the members, by raft id, whose logs fell behind the entries that they had
    /// acknowledged to this node.
    pub fn fallen(&self) -> watch::Receiver<BTreeSet<u64>> {
        self.shared.voice.fallen.subscribe()
    }

    /// Returns true when the member with this key has not spoken to this node as its leader for the
    /// time of a leader's lease.
    pub fn is_silent(&self, leader: &PublicKey) -> bool {
        let members = self.shared.membership();
        let mut nodes = members.membership().nodes();
        let found = nodes.find(|(_, peer)| peer.public_key == leader.0);
        let lease = self.shared.timing.election_max;
        found.is_none_or(|(id, _)| self.shared.voice.is_silent(*id, lease))
    }

    /// Returns the leader, and follows its changes.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.shared.leadership.subscribe()
    }

    /// Lets this node lead, and returns once it does and has applied all committed entries.
    pub async fn become_leader(&self) -> Result<(), CommitError> {
        if !self.has_membership() {
            let none = "this node is in no cluster yet";
            return Err(CommitError::Unavailable(none.into()));
        }
        self.set_elect(true);
        let mut leadership = self.leadership();
        let leading = leadership.wait_for(|now| matches!(now, Leadership::Leader { .. }));
        let led = tokio::select! {
            led = tokio::time::timeout(LEAD_WITHIN, leading) => led.is_ok_and(|led| led.is_ok()),
            reason = self.shared.applied.poison.wait() => return Err(CommitError::Fatal(reason)),
        };
        match led {
            true => Ok(()),
            false => Err(CommitError::Unavailable("this node does not lead".into())),
        }
    }

    /// Hands leadership to the best unsealed voter, and returns once that one leads.
    pub async fn hand_over(&self, within: Duration) -> Result<(), ChangeError> {
        self.shared.hand_over(within).await
    }

    /// Follows whether the disk has room: false while new data is refused, and after room was
    /// refused to the last write, or to the last checkpoint.
    pub fn room(&self) -> watch::Receiver<bool> {
        self.shared.applied.room()
    }

    /// Returns the figures of the disk's space.
    pub fn space(&self) -> Account {
        self.shared.applied.space.account()
    }

    /// Counts the flushes of the log since it was opened.
    pub fn flushes(&self) -> u64 {
        self.shared.log.flushes()
    }

    /// Saves a checkpoint now.
    pub async fn checkpoint(&self) -> Result<(), CommitError> {
        let applied = Arc::clone(&self.shared.applied);
        let saved = blocking(move || applied.state.checkpoint()).await;
        match saved.map_err(|error| CommitError::Unavailable(error.to_string()))? {
            Ok(_) => {}
            Err(StateError::DiskFull) => {
                return Err(CommitError::DiskFull(saving::NO_CHECKPOINT.into()));
            }
            Err(error) => {
                self.shared.applied.poison.set(&error.to_string());
                return Err(CommitError::Fatal(error.to_string()));
            }
        }
        let shared = &self.shared;
        let saved = shared.applied.state.saved().position;
        let told = saving::purge(&shared.raft, &shared.log, saved, self.log_bytes_kept).await;
        told.map_err(|error| CommitError::Unavailable(error.to_string()))
    }

    pub(in crate::raft) fn ensure_open(&self) -> Result<(), String> {
        if self.shared.closing.load(Ordering::Acquire) {
            return Err("the storage is closed".into());
        }
        Ok(())
    }

    fn read_error(&self, error: &StateError) -> ReadError {
        self.shared.applied.poison.set(&error.to_string());
        ReadError::Fatal(error.to_string())
    }

    async fn submit(&self, transaction: Transaction) -> Result<Revision, CommitError> {
        self.ensure_open().map_err(CommitError::Unavailable)?;
        if let Some(reason) = self.shared.applied.poison.reason() {
            return Err(CommitError::Fatal(reason));
        }
        if !self.shared.may_lead() {
            return Err(CommitError::NotLeader);
        }
        if self.restore.is_replacing() {
            return Err(CommitError::Unavailable(
                "a snapshot is being restored".into(),
            ));
        }
        let command = command::encode(&transaction);
        let command = command.map_err(|error| CommitError::Fatal(error.to_string()))?;
        if command.len() > TRANSACTION_BYTES_MAX {
            return Err(CommitError::TooLarge {
                bytes: command.len(),
                limit: TRANSACTION_BYTES_MAX,
            });
        }
        let begun = Instant::now();
        let decided = self.decided(command).await;
        if decided.is_ok() {
            self.applied.increment();
            self.commit_time.observe(begun.elapsed());
        }
        decided
    }

    /// Proposes `command` and returns its outcome; gives up once this node has lost touch.
    pub(in crate::raft) async fn decided(&self, command: Command) -> Result<Revision, CommitError> {
        let answer = self.proposer.submit(command)?;
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            () = self.lost_leadership() => {
                return Err(CommitError::Unavailable(
                    "this node lost touch with the others before a quorum confirmed the write"
                        .into(),
                ));
            }
        };
        answer.unwrap_or_else(|_| Err(CommitError::Unavailable("the storage is stopping".into())))
    }

    /// Returns when this node has not served as leader for so long that its proposals may wait for
    /// ever.
    async fn lost_leadership(&self) {
        let mut leadership = self.leadership();
        let leads = |now: &Leadership| matches!(now, Leadership::Leader { .. });
        loop {
            // It fails only with the whole storage, and then no caller waits any more.
            drop(leadership.wait_for(|now| !leads(now)).await);
            let again = leadership.wait_for(leads);
            let again = tokio::time::timeout(self.shared.timing.silence(), again).await;
            if again.is_err() {
                return;
            }
        }
    }

    /// Stops as a killed process does: saves nothing that only memory holds. For tests.
    pub async fn abandon(&self) {
        self.shared.applied.poison.set("abandoned");
        self.close().await;
    }

    async fn close(&self) {
        if self.shared.closing.swap(true, Ordering::AcqRel) {
            return;
        }
        self.proposer.close();
        let is_single = !saving::has_followers(&self.shared.raft);
        drop(self.shared.raft.shutdown().await);
        let tasks = std::mem::take(&mut *self.tasks());
        for task in tasks {
            task.abort();
            drop(task.await);
        }
        let (applied, log) = (Arc::clone(&self.shared.applied), self.shared.log.clone());
        let closed = blocking(move || {
            let is_sound = !applied.poison.is_set();
            let saved = if applied.state.is_dirty() && is_sound {
                applied.state.checkpoint().map(drop)
            } else {
                Ok(())
            };
            if saved.is_ok() && is_sound && is_single {
                log.leave_segment(applied.state.saved().position);
            }
            log.close();
            saved
        });
        // Nothing is lost without the checkpoint: the log has it all.
        match closed.await {
            Ok(Err(error)) => {
                tracing::warn!(%error, "no checkpoint was saved; the next start replays the log");
            }
            _ => crate::telemetry::info!("the store is saved and closed"),
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
        let found = self.shared.applied.state.get(key);
        found.map_err(|error| self.read_error(&error))
    }

    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8]) -> Visit) -> Result<(), ReadError> {
        self.ensure_open().map_err(ReadError::Unavailable)?;
        let walked = self.shared.applied.state.scan(prefix, visit);
        walked.map_err(|error| self.read_error(&error))
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        Box::pin(self.submit(transaction))
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReadError>> {
        Box::pin(async move {
            self.ensure_open().map_err(ReadError::Unavailable)?;
            read_index::barrier(&self.shared).await
        })
    }

    fn announce_write(&self) -> WriteIntent {
        self.proposer.announced.fetch_add(1, Ordering::AcqRel);
        WriteIntent(Some(Arc::clone(&self.proposer.announced)))
    }

    fn observe(&self, observer: Weak<dyn Observer>) {
        self.shared.applied.observe(observer);
    }

    fn status(&self) -> StorageStatus {
        let (_, time_floor) = self.shared.applied.state.progress();
        StorageStatus {
            committed_index: self.shared.log.committed().unwrap_or(0),
            applied_index: self.shared.applied.told().unwrap_or(0),
            term: self.shared.log.term(),
            leads: self.shared.leads(),
            time_floor,
            failed: self.shared.applied.poison.reason(),
        }
    }

    fn admit_data(&self) -> Result<(), CommitError> {
        let admitted = self.shared.applied.space.admit();
        admitted.map_err(CommitError::DiskFull)
    }

    fn give_up_reserve(&self) -> bool {
        // Whoever is short of space elsewhere has no use for it.
        let space = &self.shared.applied.space;
        space.look() && space.give_up(0)
    }

    fn failed(&self) -> BoxFuture<'_, String> {
        Box::pin(self.shared.applied.poison.wait())
    }

    fn alive(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if self.shared.take_turns().await.is_none() {
                // It failed or was closed, and never works again.
                std::future::pending().await
            }
        })
    }

    fn whole(&self) -> Option<&dyn Whole> {
        Some(self)
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.close())
    }
}
