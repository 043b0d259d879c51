//! A disk that runs full, and one that may not be written.

use super::cluster::{Cluster, eventually};
use super::*;
use crate::raft::applying::saving::{Owed, give_back};
use crate::store::Whole;
use crate::store::space::{Account, Pretended, RESERVE_BYTES};
use crate::store::state::Limits;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A small file system in memory; unmounted with this value.
struct SmallDisk(tempfile::TempDir, usize);

impl SmallDisk {
    /// Returns `None` where mounting is not allowed.
    fn new(mib: usize) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(dir.path())
            .output();
        mount
            .is_ok_and(|out| out.status.success())
            .then(|| Self(dir, mib << 20))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Uses up the space but for `left` bytes.
    fn fill(&self, left: usize) -> PathBuf {
        let path = self.0.path().join("filler");
        let mut bytes = vec![1; self.1];
        while std::fs::write(&path, &bytes).is_err() {
            bytes.truncate(bytes.len() - self.1 / 2048);
        }
        bytes.truncate(bytes.len().saturating_sub(left));
        std::fs::write(&path, &bytes).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

async fn open_small(path: &Path) -> Arc<RaftStorage> {
    let mut options = Options::new(path, "a");
    options.segment_bytes = 128 << 10;
    options.limits = Limits {
        overlay_bytes_max: 256 << 10,
        replay_bytes_max: 256 << 10,
        ..Limits::default()
    };
    let storage = RaftStorage::open(options).await.unwrap();
    storage.found().await.unwrap();
    storage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_serves_reads_and_recovers() {
    let Some(disk) = SmallDisk::new(8) else {
        println!("skipped: mounting is not allowed here");
        return;
    };
    let storage = open_small(&disk.path()).await;
    storage.become_leader().await.unwrap();
    storage.commit(put("first", b"1")).await.unwrap();
    let mut room = storage.room();
    assert!(*room.borrow());
    let filler = disk.fill(300 << 10);
    let mut acknowledged = Vec::new();
    let refused = loop {
        let name = format!("k{}", acknowledged.len());
        match storage.commit(put(&name, &[3; 4000])).await {
            Ok(_) => acknowledged.push(name),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 5000, "the disk never filled");
    };
    assert!(matches!(refused, CommitError::DiskFull(_)), "{refused}");
    assert!(!*room.borrow_and_update(), "that is told");
    assert_eq!(storage.status().failed, None);
    for name in &acknowledged {
        assert!(storage.get(name.as_bytes()).unwrap().is_some(), "{name}");
    }
    std::fs::remove_file(filler).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = storage.commit(put("after", b"1")).await {
        assert!(matches!(error, CommitError::DiskFull(_)), "{error}");
        assert!(Instant::now() < deadline, "it did not recover");
        tokio::task::yield_now().await;
    }
    let told = room.wait_for(|room| *room);
    assert!(tokio::time::timeout_at(deadline.into(), told).await.is_ok());
    storage.shutdown().await;
    drop(storage);
    let storage = open_small(&disk.path()).await;
    for name in acknowledged
        .iter()
        .map(String::as_str)
        .chain(["first", "after"])
    {
        assert!(storage.get(name.as_bytes()).unwrap().is_some(), "{name}");
    }
    storage.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_private_whatever_the_mask() {
    use std::os::unix::fs::PermissionsExt;
    fn look(path: &Path, found: &mut usize) {
        for entry in std::fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            *found += 1;
            let mode = meta.permissions().mode() & 0o777;
            assert_eq!(mode & 0o077, 0, "{:?} {mode:o}", entry.path());
            if meta.is_dir() {
                look(&entry.path(), found);
            }
        }
    }
    rustix::process::umask(rustix::fs::Mode::empty());
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&dir.path().join("data")).await;
    storage.become_leader().await.unwrap();
    storage.commit(put("a", &[1; 5000])).await.unwrap();
    storage.checkpoint().await.unwrap();
    let mut found = 0;
    look(dir.path(), &mut found);
    assert!(found > 6, "{found}");
    storage.shutdown().await;
}

#[tokio::test]
async fn a_path_that_is_no_directory_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    let error = RaftStorage::open(Options::new(&file, "a"))
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("file"), "{error}");
    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("raft.db"), b"x").unwrap();
    let error = RaftStorage::open(Options::new(&other, "a"))
        .await
        .err()
        .unwrap();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    // Twice in one process is as bad as two processes.
    let data = dir.path().join("data");
    let storage = open(&data).await;
    let error = RaftStorage::open(Options::new(&data, "a"))
        .await
        .err()
        .unwrap();
    assert!(matches!(error, OpenError::Locked(_)), "{error}");
    storage.shutdown().await;
}

/// A device without room for another segment while it is told so.
#[derive(Default)]
struct Full(std::sync::atomic::AtomicBool);

impl Device for Full {
    fn before_write(&self, _bytes: usize) -> Verdict {
        Verdict::Write
    }

    fn has_room(&self) -> bool {
        !self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_with_a_full_disk_falls_behind_and_catches_up() {
    let mut cluster = Cluster::apart(3).await;
    let full = Arc::new(Full::default());
    cluster.stop(2).await;
    cluster.nodes[2].device = Some(Arc::clone(&full) as _);
    cluster.start(2).await;
    cluster.join_all().await;
    full.0.store(true, std::sync::atomic::Ordering::SeqCst);
    // More than all segments that are at hand.
    for n in 0..80 {
        let value = vec![7; 100 << 10];
        cluster.up(0).commit(put("large", &value)).await.unwrap();
        cluster.up(0).commit(put("count", &[n])).await.unwrap();
    }
    cluster.await_value(1, "count", &[79]).await;
    let status = cluster.up(2).status();
    assert_eq!(status.failed, None);
    let count = cluster.up(2).get(b"count").unwrap().unwrap();
    assert!(count.value[0] < 79, "it never ran full");
    eventually("n2 is heard of", || async {
        let members = cluster.up(0).members().into_iter();
        let mut n2 = members.filter(|member| member.name == "n2");
        n2.any(|n2| n2.last_contact < Some(Duration::from_secs(1)))
            .then_some(())
    })
    .await;
    full.0.store(false, std::sync::atomic::Ordering::SeqCst);
    cluster.await_value(2, "count", &[79]).await;
    assert_eq!(cluster.up(2).status().failed, None);
}

fn delete(name: &str) -> Transaction {
    Transaction {
        ops: vec![Op::Delete {
            key: Key::copy_from_slice(name.as_bytes()),
        }],
        ..put(name, b"")
    }
}

/// Returns the leader of a cluster of one, on a device with plenty of space that a test may take.
async fn open_pretended() -> (tempfile::TempDir, Arc<Pretended>, Arc<RaftStorage>) {
    let dir = tempfile::tempdir().unwrap();
    let volume = Pretended::new(dir.path(), 600 << 20);
    let mut options = Options::new(dir.path(), "a");
    options.volume = Some(Arc::clone(&volume) as _);
    let storage = RaftStorage::open(options).await.unwrap();
    storage.found().await.unwrap();
    storage.become_leader().await.unwrap();
    (dir, volume, storage)
}

/// Waits until new data is refused, and returns the message; a look at the disk counts a moment.
async fn refusal(storage: &RaftStorage) -> String {
    let refused = eventually("a refusal", || async { storage.admit_data().err() }).await;
    refused.to_string()
}

/// Waits until the node says of its space what is wanted.
async fn space(storage: &RaftStorage, what: &str, wanted: impl Fn(Account) -> bool) {
    eventually(what, || async { wanted(storage.space()).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_others_filled_is_repaired_from_the_reserve() {
    let Some(disk) = SmallDisk::new(64) else {
        println!("skipped: mounting is not allowed here");
        return;
    };
    let storage = open_small(&disk.path()).await;
    storage.become_leader().await.unwrap();
    assert_eq!(storage.space().reserve, RESERVE_BYTES);
    let names: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
    for name in &names {
        storage.commit(put(name, &[5; 20_000])).await.unwrap();
    }
    assert!(storage.admit_data().is_ok());
    let filler = disk.fill(0);
    let told = refusal(&storage).await;
    assert!(told.contains("no space left on device"), "{told}");
    let mut room = storage.room();
    let known = tokio::time::timeout(Duration::from_secs(20), room.wait_for(|room| !*room));
    assert!(known.await.is_ok(), "the lights show it");
    // More than the segments at hand: what repairs goes on, and so do a checkpoint and a view.
    for turn in 0..40 {
        storage.commit(put("spare", &[turn; 60_000])).await.unwrap();
    }
    for name in &names {
        storage.commit(delete(name)).await.unwrap();
    }
    storage.checkpoint().await.unwrap();
    assert!(storage.view().await.is_ok());
    assert!(storage.get(b"k7").unwrap().is_none());
    std::fs::remove_file(filler).unwrap();
    space(&storage, "a new reserve", |now| {
        now.reserve > 0 && !now.is_low
    })
    .await;
    assert!(storage.admit_data().is_ok());
    let known = tokio::time::timeout(Duration::from_secs(20), room.wait_for(|room| *room));
    assert!(known.await.is_ok());
    assert_eq!(storage.status().failed, None);
    storage.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_on_a_full_disk_gives_its_space_back() {
    let (dir, volume, storage) = open_pretended().await;
    for n in 0..1500u32 {
        let value = n.to_le_bytes().repeat(1000);
        storage.commit(put(&format!("k{n}"), &value)).await.unwrap();
    }
    storage.checkpoint().await.unwrap();
    let bytes = || crate::raft::tests::bytes_below(&dir.path().join("state"));
    let before = bytes();
    assert!(before > 5 << 20, "{before}");
    volume.set(20 << 20);
    refusal(&storage).await;
    for n in 0..1500u32 {
        storage.commit(delete(&format!("k{n}"))).await.unwrap();
    }
    // Far fewer deletions than make a checkpoint due.
    eventually("less on the disk", || async {
        (bytes() < before / 4).then_some(())
    })
    .await;
    assert!(storage.get(b"k7").unwrap().is_none());
    storage.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_that_finds_no_space_is_owed_until_there_is_some() {
    let (dir, volume, storage) = open_pretended().await;
    // Records of this size are in the tables, all of which a merge writes anew.
    for turn in 0..50 {
        let mut many = put("k", b"");
        for n in 0..100 {
            many.ops
                .extend(put(&format!("k{turn}-{n}"), &[turn; 400]).ops);
        }
        storage.commit(many).await.unwrap();
    }
    storage.checkpoint().await.unwrap();
    let bytes = || crate::raft::tests::bytes_below(&dir.path().join("state"));
    let before = bytes();
    // Enough for a checkpoint, beside the reserve, and for no merge.
    volume.set(1 << 20);
    refusal(&storage).await;
    for turn in 0..50 {
        let mut many = delete("k");
        for n in 0..100 {
            many.ops.extend(delete(&format!("k{turn}-{n}")).ops);
        }
        storage.commit(many).await.unwrap();
    }
    let applied = &storage.shared.applied;
    assert_eq!(give_back(applied, Owed::Merge).await.1, Owed::MergeRefused);
    assert!(bytes() > before / 2, "there was no space for the merge");
    volume.set(20 << 20);
    assert_eq!(
        give_back(applied, Owed::MergeRefused).await.1,
        Owed::Nothing
    );
    assert!(bytes() < before / 4, "{} of {before}", bytes());
    storage.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_with_a_full_disk_gives_way_to_one_with_space() {
    let mut cluster = Cluster::apart(3).await;
    let mut volumes = Vec::new();
    for index in 0..3 {
        cluster.stop(index).await;
        let volume = Pretended::new(&cluster.nodes[index].dir, 1 << 30);
        cluster.nodes[index].volume = Some(Arc::clone(&volume) as _);
        volumes.push(volume);
        cluster.start(index).await;
        cluster.up(index).set_elect(true);
    }
    cluster.join_all().await;
    cluster.up(0).commit(put("a", b"1")).await.unwrap();
    volumes[1].set(20 << 20);
    volumes[0].set(20 << 20);
    refusal(cluster.up(0)).await;
    eventually("the node with space leads", || async {
        (cluster.leader() == Some(2)).then_some(())
    })
    .await;
    cluster.up(2).commit(put("b", b"2")).await.unwrap();
    cluster.await_value(0, "b", b"2").await;
    // Leading with space of its own is not enough where a majority has none.
    let told = refusal(cluster.up(2)).await;
    assert!(told.contains("n0, n1"), "{told}");
    cluster.up(2).commit(delete("b")).await.unwrap();
    volumes[1].set(1 << 30);
    eventually("two have space", || async {
        cluster.up(2).admit_data().ok()
    })
    .await;
    volumes[1].set(20 << 20);
    // With space nowhere leadership stays where it is.
    volumes[2].set(20 << 20);
    refusal(cluster.up(2)).await;
    for _ in 0..8 {
        tokio::time::sleep(cluster.timing.heartbeat).await;
        assert_eq!(cluster.leader(), Some(2));
    }
    cluster.up(2).commit(put("c", b"3")).await.unwrap();
}
