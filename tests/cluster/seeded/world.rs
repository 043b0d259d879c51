//! Nodes in one process: each with its own log, state and device, on a simulated network.

use super::disk::Disk;
use super::signer::ClusterSigner;
use crate::wait::Looks;
use coffer::barrier::{Sealed, Unsealed};
use coffer::clock::Timestamp;
use coffer::peer::{Member, Memory, PublicKey, Way};
use coffer::raft::{
    Change, ClusterPublicKey, Leadership, NewMember, Options, RaftStorage, Signer, Timing,
};
use coffer::secret::Key256;
use coffer::store::Storage;
use coffer::store::state::Limits;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest wait for a healthy cluster to reach a state. A snapshot whose answer was lost is given up
/// after 20 seconds, and another follows.
const PATIENCE: Duration = Duration::from_secs(60);
/// The timing of these nodes, faster than a fleet's, so that a seed takes seconds.
const TIMING: Timing = Timing {
    heartbeat: Duration::from_millis(30),
    election_min: Duration::from_millis(150),
    election_max: Duration::from_millis(300),
};

/// One node, running or not.
pub struct Slot {
    pub name: String,
    pub key: PublicKey,
    pub disk: Arc<Disk>,
    path: PathBuf,
    running: Option<Running>,
    /// The error of its clock, in seconds.
    pub skew_s: i64,
    /// The number of nodes that were in this place; a wiped node has a new directory.
    life: usize,
}

#[derive(Clone)]
pub struct Running {
    pub storage: Arc<RaftStorage>,
    /// The unsealed barrier; none while the node is sealed.
    pub barrier: Option<Arc<Unsealed>>,
}

/// All nodes. The lock is held for moments only.
pub struct World {
    pub net: Arc<Memory>,
    pub slots: Mutex<Vec<Slot>>,
    folder: tempfile::TempDir,
    begun: Instant,
    /// The cluster's public key, which joiners learn; none in a cluster that requires no proof.
    cluster_key: Mutex<Option<ClusterPublicKey>>,
}

fn seal_key() -> Key256 {
    Key256::from_slice(&[7; 32]).unwrap()
}

impl World {
    /// Returns a cluster of `count`, all voters, all unsealed.
    pub async fn new(count: usize, seed: u64) -> Arc<Self> {
        Self::made(count, seed, true).await
    }

    /// Returns a cluster as [`World::new`] does, but its members prove no keys, as in the release
    /// before.
    pub async fn without_proof(count: usize, seed: u64) -> Arc<Self> {
        Self::made(count, seed, false).await
    }

    async fn made(count: usize, seed: u64, proves: bool) -> Arc<Self> {
        let world = Arc::new(Self {
            net: Memory::new(seed),
            slots: Mutex::default(),
            folder: folder(),
            begun: Instant::now(),
            cluster_key: Mutex::default(),
        });
        for number in 0..count {
            let name = format!("n{number}");
            world.slots.lock().unwrap().push(Slot {
                path: world.folder.path().join(&name),
                key: PublicKey(format!("key of {name}").into_bytes().into()),
                name,
                disk: Arc::default(),
                running: None,
                skew_s: 0,
                life: 0,
            });
            world.start(number).await;
        }
        let first = world.running(0).unwrap().storage;
        first.found().await.unwrap();
        first.become_leader().await.unwrap();
        let sealed = Sealed::new(Arc::clone(&first) as Arc<dyn Storage>);
        let config = coffer::seal::check_config(1, 1).unwrap();
        let fresh = sealed
            .initialize(&seal_key(), config, Timestamp(1))
            .unwrap();
        fresh
            .barrier
            .commit(fresh.batch, Timestamp(1))
            .await
            .unwrap();
        if proves {
            let key = ClusterSigner::new(&fresh.barrier).cluster_key();
            first.require_proof(Some(key)).unwrap();
            *world.cluster_key.lock().unwrap() = Some(key);
        }
        world.unseal(0);
        for number in 1..count {
            world.join(number).await;
            world.unseal_when_possible(number).await;
        }
        world
    }

    pub fn count(&self) -> usize {
        self.slots.lock().unwrap().len()
    }

    pub fn running(&self, number: usize) -> Option<Running> {
        self.slots.lock().unwrap()[number].running.clone()
    }

    /// Returns the time on the clock of node `number`.
    pub fn now(&self, number: usize) -> Timestamp {
        let skew_s = self.slots.lock().unwrap()[number].skew_s;
        let elapsed = self.begun.elapsed().as_millis();
        let base = 4_000_000_000_000_i64 + i64::try_from(elapsed).unwrap();
        Timestamp(u64::try_from(base + skew_s * 1000).unwrap())
    }

    pub async fn start(&self, number: usize) {
        let options = {
            let mut slots = self.slots.lock().unwrap();
            let slot = &mut slots[number];
            slot.disk = Arc::default();
            let mut options = Options::new(&slot.path, &slot.name);
            options.cluster_address = slot.name.clone();
            options.api_address = format!("http://{}", slot.name);
            options.public_key = slot.key.clone();
            options.network = Some(self.net.node(slot.key.clone()));
            options.timing = TIMING;
            options.device = Some(Arc::clone(&slot.disk) as _);
            // Small segments, so that checkpoints, snapshots and new segments come often.
            options.segment_bytes = 64 << 10;
            options.log_bytes_kept = 64 << 10;
            options.limits = Limits {
                overlay_bytes_max: 24 << 10,
                replay_bytes_max: 64 << 10,
                ..Limits::default()
            };
            options
        };
        // Calls in progress at the crash may hold its files for a moment.
        let mut looks = Looks::within(PATIENCE);
        let storage = loop {
            match RaftStorage::open(options.clone()).await {
                Ok(storage) => break storage,
                Err(error) => assert!(looks.again().await, "{error}"),
            }
        };
        self.slots.lock().unwrap()[number].running = Some(Running {
            storage,
            barrier: None,
        });
    }

    /// Cuts the power: nothing is written from now on, and the node is gone.
    pub async fn crash(&self, number: usize) {
        let running = {
            let mut slots = self.slots.lock().unwrap();
            let slot = &mut slots[number];
            slot.disk.turn_off();
            slot.running.take()
        };
        if let Some(running) = running {
            running.storage.abandon().await;
        }
    }

    /// Seals a node.
    pub async fn seal(&self, number: usize) {
        let Some(running) = self.running(number) else {
            return;
        };
        if matches!(
            *running.storage.leadership().borrow(),
            Leadership::Leader { .. }
        ) {
            // There may be no node to hand over to: this one goes on as a blind replica.
            let _ = running.storage.hand_over(Duration::from_millis(500)).await;
        }
        running.storage.set_signer(None);
        let mut slots = self.slots.lock().unwrap();
        if let Some(running) = &mut slots[number].running
            && let Some(barrier) = running.barrier.take()
        {
            barrier.seal();
        }
    }

    /// Unseals a node; returns false if it has no data that the keys open.
    pub fn unseal(&self, number: usize) -> bool {
        let Some(running) = self.running(number) else {
            return false;
        };
        if running.barrier.is_some() {
            return true;
        }
        let sealed = Sealed::new(Arc::clone(&running.storage) as Arc<dyn Storage>);
        let Ok(barrier) = sealed.unseal(&seal_key()) else {
            return false;
        };
        let signer = Arc::new(ClusterSigner::new(&barrier));
        running.storage.set_signer(Some(signer));
        let mut slots = self.slots.lock().unwrap();
        if let Some(running) = &mut slots[number].running {
            running.barrier = Some(barrier);
        }
        true
    }

    pub async fn unseal_when_possible(&self, number: usize) {
        self.wait("the barrier arrives", || self.unseal(number))
            .await;
    }

    /// Returns the node that leads and serves, if there is one.
    pub fn leader(&self) -> Option<usize> {
        let leads = |number: &usize| {
            let running = self.running(*number)?;
            let leads = matches!(
                *running.storage.leadership().borrow(),
                Leadership::Leader { .. }
            );
            leads.then_some(())
        };
        (0..self.count()).find(|number| leads(number).is_some())
    }

    /// Makes node `number` a member, first without a vote and then with one.
    pub async fn join(&self, number: usize) {
        let mut looks = Looks::within(PATIENCE);
        while let Err(why) = self.try_join(number).await {
            assert!(
                looks.again().await,
                "{number} cannot join: {why}\n{}",
                self.describe()
            );
        }
    }

    async fn try_join(&self, number: usize) -> Result<(), String> {
        let (name, key) = {
            let slots = self.slots.lock().unwrap();
            (slots[number].name.clone(), slots[number].key.clone())
        };
        let leader = self.leader().and_then(|leader| self.running(leader));
        let leader = leader.ok_or("nobody leads")?;
        let joiner = self.running(number).ok_or("it does not run")?;
        joiner.storage.trust(self.everybody());
        let cluster_key = *self.cluster_key.lock().unwrap();
        joiner.storage.require_proof(cluster_key).unwrap();
        let member = NewMember {
            raft_id: joiner.storage.raft_id(),
            name: name.clone(),
            cluster_address: name.clone(),
            api_address: format!("http://{name}"),
            public_key: key,
            non_voter: false,
        };
        let added = leader.storage.add_member(member).await;
        added.map_err(|error| format!("not added: {error}"))?;
        let promoted = leader.storage.change(&name, Change::Promote).await;
        promoted.map_err(|error| format!("not promoted: {error}"))
    }

    /// Removes node `number` from the membership.
    pub async fn remove(&self, number: usize) -> bool {
        let name = self.slots.lock().unwrap()[number].name.clone();
        let Some(leader) = self.leader().and_then(|leader| self.running(leader)) else {
            return false;
        };
        let change = Change::Remove { force: false };
        leader.storage.change(&name, change).await.is_ok()
    }

    /// Deletes the data of a crashed node.
    pub fn wipe(&self, number: usize) {
        let mut slots = self.slots.lock().unwrap();
        let slot = &mut slots[number];
        assert!(slot.running.is_none());
        slot.life += 1;
        slot.path = self
            .folder
            .path()
            .join(format!("{}-{}", slot.name, slot.life));
    }

    /// Returns the data directory of node `number`, and its public key.
    pub fn card(&self, number: usize) -> (PathBuf, PublicKey) {
        let slots = self.slots.lock().unwrap();
        (slots[number].path.clone(), slots[number].key.clone())
    }

    /// Makes all ways between nodes like this one.
    pub fn set_ways(&self, way: &Way) {
        let keys = self.keys();
        for from in &keys {
            for to in keys.iter().filter(|to| *to != from) {
                self.net.set_way(from, to, way.clone());
            }
        }
    }

    pub fn keys(&self) -> Vec<PublicKey> {
        let slots = self.slots.lock().unwrap();
        slots.iter().map(|slot| slot.key.clone()).collect()
    }

    fn everybody(&self) -> Vec<Member> {
        let slots = self.slots.lock().unwrap();
        let member = |slot: &Slot| Member {
            name: slot.name.clone(),
            address: slot.name.clone(),
            public_key: slot.key.clone(),
        };
        slots.iter().map(member).collect()
    }

    /// Starts, joins and unseals every node that needs it, with a sound network and sound devices.
    pub async fn heal(&self) {
        self.net.heal();
        for number in 0..self.count() {
            let sound = {
                let mut slots = self.slots.lock().unwrap();
                let slot = &mut slots[number];
                slot.skew_s = 0;
                slot.disk.heal();
                slot.running.is_some() && !slot.disk.is_off()
            };
            let failed = self
                .running(number)
                .is_some_and(|r| r.storage.status().failed.is_some());
            if !sound || failed {
                self.crash(number).await;
                self.start(number).await;
            }
        }
        for number in 0..self.count() {
            if self
                .running(number)
                .is_some_and(|running| running.storage.has_membership())
            {
                self.unseal_when_possible(number).await;
            }
        }
        self.wait("somebody leads", || self.leader().is_some())
            .await;
        for number in 0..self.count() {
            if !self.votes(number) {
                self.join(number).await;
                self.unseal_when_possible(number).await;
            }
        }
    }

    /// Returns true if the leader counts this life of the node among its voters.
    pub fn votes(&self, number: usize) -> bool {
        let (Some(leader), Some(node)) = (
            self.leader().and_then(|leader| self.running(leader)),
            self.running(number),
        ) else {
            return false;
        };
        let id = node.storage.raft_id();
        let members = leader.storage.members();
        members
            .iter()
            .any(|member| member.raft_id == id && member.voter)
    }

    /// Waits until all running nodes have applied the leader's present entries, clients or not.
    pub async fn catch_up(&self) {
        let mut wanted = None;
        self.wait("all that run catch up", || {
            let applied = |number| {
                let running: Option<Running> = self.running(number);
                running.map(|running| running.storage.status().applied_index)
            };
            if wanted.is_none() {
                wanted = self.leader().and_then(applied);
            }
            let mut all = (0..self.count()).filter_map(applied);
            wanted.is_some_and(|wanted| all.all(|index| index >= wanted))
        })
        .await;
    }

    /// Waits until all nodes have applied the leader's entries.
    pub async fn settle(&self) {
        self.wait("all nodes have applied the same", || {
            let applied = |number| {
                let running: Option<Running> = self.running(number);
                running.map(|running| running.storage.status().applied_index)
            };
            let all: Vec<_> = (0..self.count()).map(applied).collect();
            all.iter().all(|index| index.is_some() && *index == all[0])
        })
        .await;
    }

    pub async fn wait(&self, what: &str, mut reached: impl FnMut() -> bool) {
        let mut looks = Looks::within(PATIENCE);
        while !reached() {
            assert!(
                looks.again().await,
                "not reached: {what}\n{}",
                self.describe()
            );
        }
    }

    /// Returns the state of each node, for messages.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for number in 0..self.count() {
            let line = match self.running(number) {
                Some(running) => {
                    let storage = running.storage;
                    format!(
                        "raft id {}, {:?}, {}, {:?}, members {:?}",
                        storage.raft_id(),
                        *storage.leadership().borrow(),
                        if running.barrier.is_some() {
                            "unsealed"
                        } else {
                            "sealed"
                        },
                        storage.status(),
                        storage
                            .members()
                            .iter()
                            .map(|m| (m.raft_id, m.voter, m.last_index, m.last_contact))
                            .collect::<Vec<_>>(),
                    )
                }
                None => "not running".into(),
            };
            text.push_str(&format!("  n{number}: {line}\n"));
        }
        text
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub async fn shutdown(&self) {
        for number in 0..self.count() {
            if let Some(running) = self.running(number) {
                running.storage.shutdown().await;
            }
        }
    }
}

/// Makes a folder, in memory where there is room, because otherwise the log's device is the slow
/// part.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}
