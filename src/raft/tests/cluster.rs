//! Clusters in one process.

use super::net::{Plug, Wires};
use super::*;
use crate::peer::{Member, PublicKey};
use crate::store::space::Volume;
use crate::store::state::Limits;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A node's directory and, while it runs, its storage.
pub struct Node {
    pub name: String,
    pub dir: PathBuf,
    pub key: PublicKey,
    pub storage: Option<Arc<RaftStorage>>,
    pub device: Option<Arc<dyn Device>>,
    pub volume: Option<Arc<dyn Volume>>,
}

/// The signer of an unsealed node.
pub struct TestSigner(Ed25519KeyPair);

impl TestSigner {
    pub fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }
}

impl Signer for TestSigner {
    fn cluster_key(&self) -> ClusterPublicKey {
        ClusterPublicKey(self.0.public_key().as_ref().try_into().unwrap())
    }

    fn sign(&self, statement: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(statement).as_ref().try_into().unwrap()
    }
}

impl Node {
    pub fn up(&self) -> &Arc<RaftStorage> {
        self.storage.as_ref().unwrap()
    }
}

/// Nodes `n0`, `n1`, ...; all unsealed unless told otherwise.
pub struct Cluster {
    pub wires: Arc<Wires>,
    pub nodes: Vec<Node>,
    pub timing: Timing,
    pub limits: Limits,
    pub log_bytes_kept: Option<usize>,
    /// The signer whose key the nodes require proof of, and which each of them has; `None` as in
    /// older clusters.
    pub signer: Option<Arc<dyn Signer>>,
    _temp: tempfile::TempDir,
}

/// Limits the waits of tests, long enough for a loaded machine; a test that waits this long fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until `found` returns a value.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut found: impl FnMut() -> F,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Cluster {
    /// Makes nodes that are in no cluster yet.
    pub async fn apart(count: usize) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let mut cluster = Self {
            wires: Arc::default(),
            nodes: Vec::new(),
            timing: Timing::default(),
            limits: Limits::default(),
            log_bytes_kept: None,
            signer: Some(Arc::new(TestSigner::new(7))),
            _temp: temp,
        };
        for _ in 0..count {
            cluster.add_node().await;
        }
        cluster
    }

    /// Makes a cluster of `count` voters, led by the first one.
    pub async fn of(count: usize) -> Self {
        let mut cluster = Self::apart(count).await;
        cluster.join_all().await;
        cluster
    }

    pub async fn join_all(&mut self) {
        self.up(0).found().await.unwrap();
        self.up(0).become_leader().await.unwrap();
        self.require(0);
        for index in 1..self.nodes.len() {
            self.join(index, 0).await;
            self.promote(index, 0).await;
        }
    }

    pub async fn add_node(&mut self) -> usize {
        let index = self.nodes.len();
        let name = format!("n{index}");
        self.nodes.push(Node {
            dir: self._temp.path().join(&name),
            key: PublicKey(Bytes::from(format!("key of {name}").into_bytes())),
            name,
            storage: None,
            device: None,
            volume: None,
        });
        self.start(index).await;
        self.up(index).set_elect(true);
        index
    }

    pub async fn start(&mut self, index: usize) {
        let node = &self.nodes[index];
        let mut options = Options::new(&node.dir, &node.name);
        options.cluster_address = format!("{}:8201", node.name);
        options.api_address = format!("http://{}:8200", node.name);
        options.public_key = node.key.clone();
        options.hostname = format!("host-{}", node.name);
        options.timing = self.timing;
        options.limits = self.limits;
        options.log_bytes_kept = self.log_bytes_kept.unwrap_or(options.log_bytes_kept);
        options.device = node.device.clone();
        options.volume = node.volume.clone();
        options.network = Some(Arc::new(Plug {
            wires: Arc::clone(&self.wires),
            key: node.key.clone(),
        }));
        let storage = RaftStorage::open(options).await.unwrap();
        if let Some(signer) = &self.signer {
            let proofs = &storage.shared.voice.proofs;
            proofs.set_signer(Some(Arc::clone(signer)));
        }
        self.nodes[index].storage = Some(storage);
        self.require(index);
    }

    /// Has a node require proof of the keys, as the store or the leader that it joins tells it.
    pub fn require(&self, index: usize) {
        let key = self.signer.as_ref().map(|signer| signer.cluster_key());
        self.up(index).require_proof(key).unwrap();
    }

    /// Stops a node without a word to the others, which see it as killed.
    pub async fn stop(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        self.wires.unplug(&node.key);
        let storage = node.storage.take().unwrap();
        storage.shutdown().await;
    }

    pub fn up(&self, index: usize) -> &Arc<RaftStorage> {
        self.nodes[index].up()
    }

    pub fn new_member(&self, index: usize) -> NewMember {
        let node = &self.nodes[index];
        NewMember {
            raft_id: self.up(index).raft_id(),
            name: node.name.clone(),
            cluster_address: format!("{}:8201", node.name),
            api_address: format!("http://{}:8200", node.name),
            public_key: node.key.clone(),
            non_voter: false,
        }
    }

    /// Adds a node as a learner.
    pub async fn join(&self, index: usize, leader: usize) {
        self.up(index).trust(vec![Member {
            name: self.nodes[leader].name.clone(),
            address: format!("{}:8201", self.nodes[leader].name),
            public_key: self.nodes[leader].key.clone(),
        }]);
        let member = self.new_member(index);
        self.up(leader).add_member(member).await.unwrap();
    }

    /// Makes a learner a voter once it is heard of and has the log. It then knows the members,
    /// though it may have no vote in their newest list yet.
    pub async fn promote(&self, index: usize, leader: usize) {
        let name = &self.nodes[index].name;
        eventually("a promotion", || async {
            self.up(leader).change(name, Change::Promote).await.ok()
        })
        .await;
        assert!(!self.up(index).members().is_empty(), "{name} has a log");
    }

    /// Returns the node that serves as leader, among those that run.
    pub fn leader(&self) -> Option<usize> {
        self.nodes.iter().position(|node| {
            let storage = node.storage.as_ref();
            storage.is_some_and(|storage| {
                matches!(*storage.leadership().borrow(), Leadership::Leader { .. })
            })
        })
    }

    pub async fn await_leader(&self) -> usize {
        eventually("a leader", || async { self.leader() }).await
    }

    /// Waits until a node has the value that was put.
    pub async fn await_value(&self, index: usize, name: &str, value: &[u8]) {
        eventually("a value", || async {
            let record = self.up(index).get(name.as_bytes()).unwrap()?;
            (record.value == value).then_some(())
        })
        .await;
    }

    /// Cuts a node off, both ways.
    pub fn isolate(&self, index: usize) {
        for other in &self.nodes {
            let key = &self.nodes[index].key;
            if other.key != *key {
                self.wires.cut(key, &other.key);
                self.wires.cut(&other.key, key);
            }
        }
    }
}
