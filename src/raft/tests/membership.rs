//! Members that were replaced without a quorum.

use super::*;
use crate::raft::disk::poison::Poison;
use crate::raft::start::files::Files;
use crate::raft::start::force::{force, newest};
use crate::raft::start::opening::open_files;
use crate::raft::wire::record::Members;
use std::path::Path;

/// Opens the files of a node that does not run, for `work`.
pub fn offline<T>(path: &Path, work: impl FnOnce(&mut Files) -> T) -> T {
    let options = Options::new(path, "a");
    let begun = std::time::Instant::now();
    let mut files = loop {
        match open_files(&options, Arc::new(Poison::default())) {
            // A storage that served from them is about to end, or a process that another test
            // starts holds a copy of its lock.
            Err(OpenError::Locked(_)) if begun.elapsed() < super::cluster::PATIENCE => {
                std::thread::yield_now();
            }
            Err(OpenError::State { source, .. })
                if source.is_locked() && begun.elapsed() < super::cluster::PATIENCE =>
            {
                std::thread::yield_now();
            }
            opened => break opened.unwrap(),
        }
    };
    let done = work(&mut files);
    files.log.close();
    done
}

fn known(path: &Path) -> Members {
    offline(path, |files| newest(files).unwrap().unwrap().1)
}

/// Gives the node `a` two voters that never existed.
fn lose_quorum(path: &Path) {
    let mut members = known(path);
    for (id, name) in [(1, "b"), (2, "c")] {
        let peer = Peer {
            name: name.into(),
            cluster_address: format!("{name}:8201"),
            public_key: vec![1],
            ..Peer::default()
        };
        members.nodes.insert(id, peer);
        members.configs[0].insert(id);
    }
    offline(path, |files| force(files, &members).unwrap());
}

fn write_peers(path: &Path, text: &str) {
    std::fs::write(path.join("raft/peers.json"), text).unwrap();
}

/// Makes a store of one node with the record `a`, checkpointed or not.
async fn written(path: &Path, checkpointed: bool) {
    let storage = open(path).await;
    storage.become_leader().await.unwrap();
    storage.commit(put("a", b"1")).await.unwrap();
    if checkpointed {
        storage.checkpoint().await.unwrap();
    }
    close(storage).await;
}

/// Shuts a store down and waits until its files are free.
async fn close(storage: Arc<RaftStorage>) {
    storage.shutdown().await;
    let files = Arc::clone(&storage.shared.applied);
    drop(storage);
    while Arc::strong_count(&files) > 1 {
        tokio::task::yield_now().await;
    }
    drop(files);
}

const ALONE: &str = r#"[{"id": "a", "address": "10.0.0.1:8201", "non_voter": false}]"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_json_gives_a_node_without_quorum_its_voice_back() {
    for checkpointed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path(), checkpointed).await;
        lose_quorum(dir.path());
        let storage = open(dir.path()).await;
        assert_eq!(storage.members().len(), 3);
        storage.set_elect(true);
        let refused = storage.commit(put("b", b"2")).await.unwrap_err();
        assert!(matches!(refused, CommitError::NotLeader), "{refused}");
        close(storage).await;

        write_peers(dir.path(), ALONE);
        let storage = open(dir.path()).await;
        assert!(!dir.path().join("raft/peers.json").exists());
        assert_eq!(&storage.get(b"a").unwrap().unwrap().value[..], b"1");
        storage.become_leader().await.unwrap();
        storage.commit(put("b", b"2")).await.unwrap();
        storage.read_barrier().await.unwrap();
        close(storage).await;

        let storage = open(dir.path()).await;
        let members = storage.members();
        let shown: Vec<_> = members
            .iter()
            .map(|member| (&*member.name, &*member.cluster_address, member.voter))
            .collect();
        assert_eq!(shown, [("a", "10.0.0.1:8201", true)]);
        assert_eq!(&storage.get(b"b").unwrap().unwrap().value[..], b"2");
        storage.become_leader().await.unwrap();
        close(storage).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_forced_outlives_purges_and_kills() {
    let dir = tempfile::tempdir().unwrap();
    let killed = tempfile::tempdir().unwrap();
    written(dir.path(), false).await;
    lose_quorum(dir.path());
    write_peers(dir.path(), ALONE);
    let mut options = Options::new(dir.path(), "a");
    options.log_bytes_kept = 100 << 10;
    let storage = RaftStorage::open(options).await.unwrap();
    storage.become_leader().await.unwrap();
    for _ in 0..400 {
        storage.commit(put("a", b"2")).await.unwrap();
    }
    storage.checkpoint().await.unwrap();
    copy_as_killed(dir.path(), killed.path());
    close(storage).await;
    let storage = open(killed.path()).await;
    assert_eq!(storage.members().len(), 1);
    assert_eq!(&storage.get(b"a").unwrap().unwrap().value[..], b"2");
    storage.become_leader().await.unwrap();
    close(storage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_followed_but_not_removed_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), false).await;
    lose_quorum(dir.path());
    write_peers(dir.path(), ALONE);
    let first = known(dir.path());
    let forced = std::fs::read(dir.path().join("raft/members.forced")).unwrap();
    write_peers(dir.path(), ALONE);
    assert_eq!(known(dir.path()), first);
    assert_eq!(
        std::fs::read(dir.path().join("raft/members.forced")).unwrap(),
        forced
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_nodes_may_be_left() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), false).await;
    lose_quorum(dir.path());
    let text = r#"[{"id": "c", "address": "c:1"}, {"id": "a", "address": "a:1"},
                   {"id": "b", "address": "b:1", "non_voter": true}]"#;
    write_peers(dir.path(), text);
    let members = known(dir.path());
    let id = *members
        .nodes
        .iter()
        .find(|(_, peer)| peer.name == "a")
        .unwrap()
        .0;
    assert_eq!(members.configs, [[2, id].into()]);
    assert!(members.nodes[&1].non_voter);
    assert_eq!(members.nodes[&2].cluster_address, "c:1");
    assert_eq!(members.nodes[&2].public_key, [1], "its pin stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_followed_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), false).await;
    lose_quorum(dir.path());
    let before = known(dir.path());
    for (text, reason) in [
        ("", "it is no list"),
        ("{}", "it is no list"),
        (r#"[{"id": "a"}]"#, "missing field `address`"),
        (
            r#"[{"id": "a", "address": "a:1", "voter": true}]"#,
            "unknown field",
        ),
        ("[]", "\"a\", which this node is, is not in it"),
        (
            r#"[{"id": "b", "address": "b:1"}]"#,
            "\"a\", which this node is, is not in it",
        ),
        (
            r#"[{"id": "a", "address": "a:1"}, {"id": "x", "address": "x:1"}]"#,
            "\"x\" is not a member that this node knows",
        ),
        (r#"[{"id": "a", "address": "a"}]"#, "is not host:port"),
        (
            r#"[{"id": "a", "address": "https://a:1"}]"#,
            "is not host:port",
        ),
        (
            r#"[{"id": "a", "address": "a:1"}, {"id": "a", "address": "a:2"}]"#,
            "\"a\" is listed twice",
        ),
        (
            r#"[{"id": "a", "address": "a:1"}, {"id": "b", "address": "a:1"}]"#,
            "is listed twice",
        ),
        (
            r#"[{"id": "a", "address": "a:1", "non_voter": true}]"#,
            "it lists no voter",
        ),
    ] {
        write_peers(dir.path(), text);
        let refused = RaftStorage::open(Options::new(dir.path(), "a")).await;
        let error = refused.err().unwrap().to_string();
        assert!(error.contains(reason), "{text}: {error}");
        assert!(error.contains("peers.json: "), "{error}");
        std::fs::remove_file(dir.path().join("raft/peers.json")).unwrap();
        assert_eq!(known(dir.path()), before);
    }
    let empty = tempfile::tempdir().unwrap();
    std::fs::create_dir(empty.path().join("raft")).unwrap();
    offline(empty.path().join("x").as_path(), |_| ());
    write_peers(empty.path().join("x").as_path(), ALONE);
    let refused = RaftStorage::open(Options::new(empty.path().join("x"), "a")).await;
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("in no cluster yet"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_to_what_was_forced_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), false).await;
    lose_quorum(dir.path());
    let file = dir.path().join("raft/members.forced");
    let sound = std::fs::read(&file).unwrap();
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        let opened = open_files(&Options::new(dir.path(), "a"), Arc::new(Poison::default()));
        assert!(opened.is_err(), "byte {at}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recovery_reads_as_a_member_and_writes_alone() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), false).await;
    lose_quorum(dir.path());
    let recovered = Recovered::open(Options::new(dir.path(), "a"))
        .await
        .unwrap();
    assert_eq!(recovered.others(), 2);
    recovered.read_barrier().await.unwrap();
    recovered.shutdown().await;
    drop(recovered);
    assert_eq!(known(dir.path()).nodes.len(), 3, "a look changes nothing");

    let recovered = Recovered::open(Options::new(dir.path(), "a"))
        .await
        .unwrap();
    let seen = Arc::new(Seen::default());
    let watching: Arc<dyn Observer> = Arc::clone(&seen) as _;
    recovered.observe(Arc::downgrade(&watching));
    recovered.commit(put("b", b"2")).await.unwrap();
    recovered.commit(put("c", b"3")).await.unwrap();
    assert_eq!(&recovered.get(b"b").unwrap().unwrap().value[..], b"2");
    assert_eq!(recovered.others(), 0);
    assert_eq!(*seen.0.lock().unwrap(), ["b", "c"]);
    recovered.shutdown().await;
    let storage = open(dir.path()).await;
    assert_eq!(storage.members().len(), 1);
    assert_eq!(&storage.get(b"a").unwrap().unwrap().value[..], b"1");
    storage.become_leader().await.unwrap();
    storage.commit(put("d", b"4")).await.unwrap();
    close(storage).await;
}

/// Opens recovery mode on a node whose first write cannot cut off the others.
async fn stuck(path: &Path) -> Arc<Recovered> {
    written(path, false).await;
    lose_quorum(path);
    let mut members = known(path);
    let id = offline(path, |files| files.dir.numbers.raft_id);
    members.nodes.remove(&id);
    members.configs = vec![members.nodes.keys().copied().collect()];
    offline(path, |files| force(files, &members)).unwrap();
    let opened = Recovered::open(Options::new(path, "a")).await;
    opened.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_write_that_fails_leaves_the_store_open() {
    let dir = tempfile::tempdir().unwrap();
    let recovered = stuck(dir.path()).await;
    for _ in 0..2 {
        let refused = recovered.commit(put("b", b"2")).await.unwrap_err();
        assert!(refused.to_string().contains("no member"), "{refused}");
        assert_eq!(&recovered.get(b"a").unwrap().unwrap().value[..], b"1");
    }
    recovered.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_opened_again_ends_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let recovered = stuck(dir.path()).await;
    std::fs::remove_file(dir.path().join("coffer.data")).unwrap();
    recovered.commit(put("b", b"2")).await.unwrap_err();
    let failed = tokio::time::timeout(super::cluster::PATIENCE, recovered.failed());
    assert!(!failed.await.unwrap().is_empty());
}

#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl Observer for Seen {
    fn applied(&self, _revision: Revision, keys: &[Key]) {
        let names = keys.iter().map(|key| String::from_utf8_lossy(key).into());
        self.0.lock().unwrap().extend(names);
    }
}
