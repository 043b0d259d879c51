//! Nodes that fail while they run: they say so, and do not live on as something else.

use super::cluster::{Cluster, eventually};
use super::*;
use crate::raft::types::Command;
use openraft::storage::RaftLogReader;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// Why the storage failed; it must not take long.
async fn failure(storage: &Arc<RaftStorage>) -> String {
    let failed = tokio::time::timeout(Duration::from_secs(20), storage.failed());
    failed.await.expect("the storage says that it failed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consensus_that_stops_by_itself_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    storage.become_leader().await.unwrap();
    storage.shared.raft.shutdown().await.unwrap();
    let why = failure(&storage).await;
    assert!(why.starts_with("consensus stopped: "), "{why}");
    assert_eq!(*storage.leadership().borrow(), Leadership::None);
    storage.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_was_asked_for_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    storage.become_leader().await.unwrap();
    storage.shutdown().await;
    assert_eq!(storage.status().failed, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_cannot_be_applied_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    storage.become_leader().await.unwrap();
    let nonsense = Command(Bytes::from_static(&[0xff; 9]));
    assert!(storage.shared.raft.client_write(nonsense).await.is_err());
    let why = failure(&storage).await;
    assert!(!why.starts_with("consensus stopped"), "{why}");
    storage.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_does_not_read_back_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    storage.become_leader().await.unwrap();
    for n in 0..1500u32 {
        storage
            .commit(put("a", &n.to_le_bytes().repeat(300)))
            .await
            .unwrap();
    }
    let files = std::fs::read_dir(dir.path().join("raft")).unwrap();
    for file in files.map(|file| file.unwrap().path()) {
        let options = std::fs::OpenOptions::new().write(true).open(file).unwrap();
        let bytes = usize::try_from(options.metadata().unwrap().len()).unwrap();
        options.write_all_at(&vec![0; bytes], 0).unwrap();
    }
    let mut log = storage.shared.log.clone();
    assert!(log.try_get_log_entries(0..1500).await.is_err());
    failure(&storage).await;
    storage.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_fails_lets_another_lead() {
    let cluster = Cluster::of(3).await;
    cluster.up(0).shared.applied.poison.set("for a test");
    eventually("another leader", || async {
        cluster.leader().filter(|leader| *leader != 0)
    })
    .await;
    assert!(!cluster.up(0).status().leads);
}
