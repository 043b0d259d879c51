//! The storage from end to end, in one process.

mod changes;
pub mod cluster;
mod failing;
mod failover;
mod full_disk;
mod group_commit;
mod half_way;
mod lost_quorum;
mod membership;
mod net;
mod proof;
mod replication;
mod standing_back;
mod suite;

use super::*;
use crate::clock::Timestamp;
use crate::store::{
    CommitError, Key, Observer, Op, Precondition, Revision, Storage, Transaction, Visit,
};
use bytes::Bytes;
use std::sync::{Arc, Mutex};

fn put(name: &str, value: &[u8]) -> Transaction {
    Transaction {
        time: Timestamp(9),
        preconditions: Vec::new(),
        ops: vec![Op::Put {
            key: Key::copy_from_slice(name.as_bytes()),
            value: Bytes::copy_from_slice(value),
        }],
    }
}

async fn open(path: &std::path::Path) -> Arc<RaftStorage> {
    let storage = RaftStorage::open(Options::new(path, "a")).await.unwrap();
    storage.found().await.unwrap();
    storage
}

/// Returns the bytes that all files below `folder` take on the device.
fn bytes_below(folder: &std::path::Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        Ok(found) => 512 * found.blocks(),
        Err(_) => 0,
    });
    bytes.sum()
}

/// Copies the files as a killed process leaves them.
fn copy_as_killed(from: &std::path::Path, to: &std::path::Path) {
    let mut copying = std::process::Command::new("cp");
    let status = copying.arg("-r").arg(from.join(".")).arg(to).status();
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_a_storage() {
    let open = async || {
        let dir = tempfile::tempdir().unwrap();
        let storage = open(dir.path()).await;
        storage.become_leader().await.unwrap();
        (dir, storage as Arc<dyn Storage>)
    };
    crate::store::conformance::holds(open).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_is_readable_and_survives_a_clean_stop() {
    let dir = tempfile::tempdir().unwrap();
    {
        let storage = open(dir.path()).await;
        assert!(!storage.status().leads);
        let refused = storage.commit(put("a", b"1")).await.unwrap_err();
        assert!(matches!(refused, CommitError::NotLeader));
        storage.become_leader().await.unwrap();
        let revision = storage.commit(put("a", b"1")).await.unwrap();
        storage.read_barrier().await.unwrap();
        let record = storage.get(b"a").unwrap().unwrap();
        assert_eq!((record.revision, &record.value[..]), (revision, &b"1"[..]));
        assert_eq!(storage.status().applied_index, revision.0);
        storage.shutdown().await;
        assert!(storage.get(b"a").is_err());
    }
    let storage = open(dir.path()).await;
    assert_eq!(&storage.get(b"a").unwrap().unwrap().value[..], b"1");
    assert_eq!(storage.status().time_floor, Timestamp(9));
    assert!(!storage.status().leads);
    storage.become_leader().await.unwrap();
    assert!(storage.status().leads);
    let mut keys = 0;
    storage
        .scan(b"", &mut |_| {
            keys += 1;
            Visit::Next
        })
        .unwrap();
    assert_eq!(keys, 1);
    storage.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preconditions_and_observers() {
    struct Seen(Mutex<Vec<(Revision, Vec<Key>)>>);
    impl Observer for Seen {
        fn applied(&self, revision: Revision, keys: &[Key]) {
            self.0.lock().unwrap().push((revision, keys.to_vec()));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    storage.become_leader().await.unwrap();
    let seen = Arc::new(Seen(Mutex::default()));
    storage.observe(Arc::downgrade(&seen) as _);
    let first = storage.commit(put("a", b"1")).await.unwrap();
    let mut again = put("a", b"2");
    again.preconditions.push(Precondition {
        key: Key::from_static(b"a"),
        revision: Revision(0),
    });
    let conflict = storage.commit(again.clone()).await.unwrap_err();
    assert!(matches!(conflict, CommitError::Conflict));
    again.preconditions[0].revision = first;
    let second = storage.commit(again).await.unwrap();
    let key = Key::from_static(b"a");
    let expected = vec![(first, vec![key.clone()]), (second, vec![key])];
    assert_eq!(*seen.0.lock().unwrap(), expected);
    let large = put("b", &vec![0; TRANSACTION_BYTES_MAX]);
    let large = storage.commit(large).await.unwrap_err();
    assert!(matches!(large, CommitError::TooLarge { .. }));
    let fits = put("b", &vec![0; TRANSACTION_BYTES_MAX - 100]);
    storage.commit(fits).await.unwrap();
    storage.shutdown().await;
}

/// A reader that trusts the index may read from a cache.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_counts_as_applied_before_the_observers_know() {
    struct Seen(Mutex<Vec<(u64, u64)>>, std::sync::Weak<RaftStorage>);
    impl Observer for Seen {
        fn applied(&self, revision: Revision, _: &[Key]) {
            let applied = self.1.upgrade().unwrap().status().applied_index;
            self.0.lock().unwrap().push((revision.0, applied));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    storage.become_leader().await.unwrap();
    let seen = Arc::new(Seen(Mutex::default(), Arc::downgrade(&storage)));
    storage.observe(Arc::downgrade(&seen) as _);
    let revision = storage.commit(put("a", b"1")).await.unwrap().0;
    assert_eq!(*seen.0.lock().unwrap(), [(revision, revision - 1)]);
    assert_eq!(storage.status().applied_index, revision);
    storage.shutdown().await;
    drop(storage);
    let storage = open(dir.path()).await;
    assert_eq!(storage.status().applied_index, revision);
    storage.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_without_a_clean_stop() {
    let dir = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    storage.become_leader().await.unwrap();
    for n in 0..5000u32 {
        let value = n.to_le_bytes().repeat(100);
        storage
            .commit(put(&format!("k{}", n % 700), &value))
            .await
            .unwrap();
    }
    copy_as_killed(dir.path(), copy.path());
    let other = open(copy.path()).await;
    for n in 4300..5000u32 {
        let record = other
            .get(format!("k{}", n % 700).as_bytes())
            .unwrap()
            .unwrap();
        assert_eq!(&record.value[..4], n.to_le_bytes());
    }
    other.shutdown().await;
    storage.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_much_longer_than_the_memory_is_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    storage.become_leader().await.unwrap();
    for n in 0..600u32 {
        let value = n.to_le_bytes().repeat(100);
        storage.commit(put(&format!("k{n}"), &value)).await.unwrap();
    }
    copy_as_killed(dir.path(), copy.path());
    storage.shutdown().await;
    let mut options = Options::new(copy.path(), "a");
    options.limits.overlay_bytes_max = 16 << 10;
    options.limits.replay_bytes_max = 16 << 10;
    let opening = RaftStorage::open(options);
    let opened = tokio::time::timeout(std::time::Duration::from_secs(60), opening).await;
    let other = opened.expect("does not wait for ever").unwrap();
    for n in 0..600u32 {
        let record = other.get(format!("k{n}").as_bytes()).unwrap().unwrap();
        assert_eq!(&record.value[..4], n.to_le_bytes());
    }
    other.become_leader().await.unwrap();
    other.commit(put("after", b"1")).await.unwrap();
    other.shutdown().await;
}
