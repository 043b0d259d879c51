//! Three nodes: the leader serves everything, the others stand by, and a sealed one still counts.

use crate::support::{Client, Server};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for a cluster to reach a state.
const PATIENCE: Duration = Duration::from_secs(30);

struct Cluster {
    nodes: Vec<Option<Server>>,
    folders: Vec<TempDir>,
    key: String,
    token: String,
}

impl Cluster {
    /// Returns three unsealed voters; the first is active.
    fn of_three() -> Self {
        let folders: Vec<TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let start = |at: usize| Some(start(at, folders[at].path()));
        let nodes: Vec<Option<Server>> = (0..3).map(start).collect();
        let (key, token) = nodes[0].as_ref().unwrap().initialize();
        let cluster = Self {
            nodes,
            folders,
            key,
            token,
        };
        let settings = json!({"server_stabilization_time": "1s"});
        let path = "sys/storage/raft/autopilot/configuration";
        cluster.root(0).put(path, settings);
        for at in [1, 2] {
            cluster.join(at);
        }
        cluster.wait("three voters", || cluster.voters(0) == 3);
        cluster
    }

    fn join(&self, at: usize) {
        let request = json!({"leader_api_addr": format!("http://{}", self.node(0).address)});
        let client = self.node(at).client();
        let joined = client.put("sys/storage/raft/join", request).expect(200);
        assert_eq!(joined.json()["joined"], true, "{joined:?}");
        self.unseal(at);
    }

    /// Unseals a node. The shares of a joiner are taken before it is a member, so the answer may
    /// say "sealed".
    fn unseal(&self, at: usize) {
        let client = self.node(at).client();
        client
            .put("sys/unseal", json!({"key": self.key}))
            .expect(200);
        self.wait("unsealed", || !self.is_sealed(at));
    }

    fn node(&self, at: usize) -> &Server {
        self.nodes[at].as_ref().unwrap()
    }

    fn root(&self, at: usize) -> Client {
        self.node(at).client().with_token(&self.token)
    }

    fn is_sealed(&self, at: usize) -> bool {
        self.node(at).client().get("sys/seal-status").json()["sealed"] == true
    }

    fn leader(&self, at: usize) -> Value {
        self.node(at).client().get("sys/leader").expect(200).json()
    }

    fn voters(&self, at: usize) -> usize {
        let answer = self.root(at).get("sys/storage/raft/configuration");
        let servers = answer.json()["data"]["config"]["servers"].clone();
        let servers = servers.as_array().cloned().unwrap_or_default();
        servers
            .iter()
            .filter(|server| server["voter"] == true)
            .count()
    }

    /// Returns the running nodes that report that they are active.
    fn active(&self) -> Vec<usize> {
        let running = self.nodes.iter().enumerate();
        let running = running.filter_map(|(at, node)| node.as_ref().map(|node| (at, node)));
        running
            .filter(|(_, node)| node.client().get("sys/health").status == 200)
            .map(|(at, _)| at)
            .collect()
    }

    fn wait_for_active(&self, why: &str) -> usize {
        self.wait(why, || self.active().len() == 1);
        self.active()[0]
    }

    #[track_caller]
    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        if !crate::support::reaches(PATIENCE, is_so) {
            let logs = self
                .folders
                .iter()
                .map(|f| crate::support::read_log(f.path()));
            panic!("never: {what}\n{}", logs.collect::<Vec<_>>().join("\n--\n"));
        }
    }

    /// Writes on one node until it is acknowledged: after a failover clients try again, too.
    fn write(&self, at: usize, value: &str) {
        let put = || self.root(at).put("cubbyhole/x", json!({"v": value}));
        self.wait("a write", || put().status == 204);
    }

    fn read(&self, at: usize) -> Value {
        self.root(at).get("cubbyhole/x").expect(200).json()["data"]["v"].clone()
    }
}

fn start(at: usize, folder: &Path) -> Server {
    let path = folder.join("coffer.hcl");
    let text = format!(
        "storage \"raft\" {{\n  path = \"{}\"\n  node_id = \"n{at}\"\n}}\n\
         listener \"tcp\" {{\n  address = \"127.0.0.1:0\"\n  tls_disable = true\n}}\n\
         cluster_addr = \"https://127.0.0.1:0\"\ndisable_mlock = true\n",
        folder.join("data").display()
    );
    std::fs::write(&path, text).unwrap();
    Server::start(&["-config", path.to_str().unwrap()], folder)
}

#[test]
fn standbys_say_who_is_active_and_one_takes_over() {
    let mut cluster = Cluster::of_three();
    let active = cluster.leader(0);
    assert_eq!(active["is_self"], true);
    cluster.write(0, "before");
    for at in [1, 2] {
        let leader = cluster.leader(at);
        assert_eq!(leader["is_self"], false);
        assert_eq!(leader["leader_address"], active["leader_address"]);
        assert_eq!(
            leader["leader_cluster_address"],
            active["leader_cluster_address"]
        );
        assert_eq!(leader.get("active_time"), None, "as Vault's standbys");
        let client = cluster.node(at).client();
        assert_eq!(client.get("sys/health").status, 429);
        let (here, there) = (
            client.get("sys/seal-status").json(),
            cluster.node(0).client().get("sys/seal-status").json(),
        );
        assert_eq!(here["cluster_id"], there["cluster_id"]);
        assert_eq!(here["cluster_name"], there["cluster_name"]);
        assert_eq!(cluster.read(at), "before");
    }
    let status = cluster.root(1).get("sys/ha-status").expect(200).json();
    let nodes = status["data"]["nodes"].as_array().unwrap().clone();
    assert_eq!(nodes.len(), 3, "{nodes:?}");
    for (at, node) in nodes.iter().enumerate() {
        assert_eq!(node["active_node"], at == 0, "{node}");
        assert_eq!(node["last_echo"].is_null(), at == 0, "{node}");
        assert_ne!(node["hostname"], "", "{node}");
    }

    cluster.nodes[0].take().unwrap().kill();
    let next = cluster.wait_for_active("a successor");
    assert_eq!(cluster.read(next), "before", "acknowledged is kept");
    cluster.write(next, "after");
    let other = 3 - next;
    let address = cluster.leader(next)["leader_address"].clone();
    cluster.wait("the other knows", || {
        cluster.leader(other)["leader_address"] == address
    });
    assert_eq!(cluster.read(other), "after");

    cluster.nodes[0] = Some(start(0, cluster.folders[0].path()));
    assert!(cluster.is_sealed(0));
    cluster.unseal(0);
    assert_eq!(cluster.read(0), "after", "and it stands by");
    assert_eq!(cluster.active(), [next]);
}

#[test]
fn sealed_nodes_keep_the_quorum_and_leadership_is_handed_over() {
    let cluster = Cluster::of_three();
    // Stepping down: another is active when it answers.
    let begun = Instant::now();
    cluster.root(0).put("sys/step-down", json!({})).expect(204);
    let took = begun.elapsed();
    assert_eq!(cluster.leader(0)["is_self"], false);
    let second = cluster.wait_for_active("a successor");
    assert_ne!(second, 0);
    assert!(took < Duration::from_secs(2), "{took:?}");
    cluster.write(second, "one");
    assert!(!cluster.is_sealed(0), "it stands by");

    // The active node is sealed: the same, but it loses its keys.
    let root = cluster.root(second);
    root.put("sys/seal", json!({})).expect(204);
    assert!(cluster.is_sealed(second));
    let third = cluster.wait_for_active("a successor of the sealed");
    assert_ne!(third, second);
    cluster.write(third, "two");

    // A standby is sealed: two of three are sealed, and writes go on.
    let standby = 3 - second - third;
    cluster.root(standby).put("sys/seal", json!({})).expect(204);
    assert!(cluster.is_sealed(standby));
    cluster.write(third, "three");
    assert_eq!(cluster.active(), [third]);

    // No node can take over from it now.
    cluster
        .root(third)
        .put("sys/step-down", json!({}))
        .expect(204);
    cluster.wait("active again", || cluster.active() == [third]);
    for at in [second, standby] {
        cluster.unseal(at);
        assert_eq!(cluster.read(at), "three", "it kept up while it was sealed");
    }
}

/// Tests a role that unseals one host and goes on with the next at once, faster than the heartbeats
/// that tell the active node which members are unsealed.
#[test]
fn a_node_that_was_unsealed_a_moment_ago_takes_over_and_the_old_one_stands_back() {
    let cluster = Cluster::of_three();
    let (mut active, mut other) = (0, 1);
    cluster.root(2).put("sys/seal", json!({})).expect(204);
    for round in 0..4 {
        cluster.root(other).put("sys/seal", json!({})).expect(204);
        let known = || {
            let status = cluster.root(active).get("sys/ha-status").expect(200);
            status.json()["data"]["nodes"].as_array().unwrap().len() == 1
        };
        cluster.wait("the active node knows who is sealed", known);
        let client = cluster.node(other).client();
        let key = json!({"key": cluster.key});
        client.put("sys/unseal", key).expect(200);
        cluster
            .root(active)
            .put("sys/step-down", json!({}))
            .expect(204);
        assert_eq!(cluster.leader(active)["is_self"], false, "round {round}");
        assert_eq!(
            cluster.wait_for_active("the other node"),
            other,
            "round {round}"
        );
        (active, other) = (other, active);
    }
}

/// Encrypting is computing: a standby does it itself, and hands on only what changes a key.
#[test]
fn a_standby_encrypts_and_signs_itself_and_hands_keys_on() {
    let cluster = Cluster::of_three();
    let (active, standby) = (cluster.root(0), cluster.root(1));
    active
        .put("sys/mounts/transit", json!({"type": "transit"}))
        .expect(204);
    let reached = || standby.get("transit/keys/none").status == 404;
    cluster.wait("the mount is on the standby", reached);
    // What changes a key is refused here where it must not be handed on, and else done.
    for (path, body) in [
        ("transit/keys/aes", json!({})),
        ("transit/keys/ed", json!({"type": "ed25519"})),
        ("transit/encrypt/made", json!({"plaintext": "aGk="})),
        ("transit/keys/aes/rotate", json!({})),
    ] {
        let refused = standby.put_here(path, body.clone());
        assert_ne!(refused.status, 200, "{path}: {}", refused.body);
        standby.put(path, body).expect(200);
    }
    let seen = active.get("transit/keys/aes").expect(200).json();
    assert_eq!(seen["data"]["latest_version"], 2);
    let caught_up = || {
        let shown = standby.get("transit/keys/aes").json();
        shown["data"]["latest_version"] == 2
    };
    cluster.wait("the standby has the newest version", caught_up);
    let here = |path: &str, body: Value| {
        let answer = standby.put_here(path, body).expect(200);
        answer.json()["data"].clone()
    };
    let sealed = here("transit/encrypt/aes", json!({"plaintext": "aGk="}));
    let ask = json!({"ciphertext": sealed["ciphertext"]});
    assert_eq!(
        here("transit/decrypt/aes", ask.clone())["plaintext"],
        "aGk="
    );
    let there = active.put("transit/decrypt/aes", ask).expect(200).json();
    assert_eq!(there["data"]["plaintext"], "aGk=");
    let mut signed = here("transit/sign/ed", json!({"input": "aGk="}));
    signed["input"] = json!("aGk=");
    assert_eq!(here("transit/verify/ed", signed)["valid"], true);
}
