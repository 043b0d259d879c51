//! A disk that runs full, and one that may not be written.

use super::cluster::{Cluster, eventually};
use super::*;
use crate::store::state::Limits;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A small file system in memory; unmounted with this value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Returns `None` where mounting is not allowed.
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(dir.path())
            .output();
        mount
            .is_ok_and(|out| out.status.success())
            .then(|| Self(dir))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Uses up the space but for `left` bytes.
    fn fill(&self, left: usize) -> PathBuf {
        let path = self.0.path().join("filler");
        let mut bytes = vec![1; 8 << 20];
        while std::fs::write(&path, &bytes).is_err() {
            bytes.truncate(bytes.len() - 4096);
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
        ..Limits::default()
    };
    let storage = RaftStorage::open(options).await.unwrap();
    storage.found().await.unwrap();
    storage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_serves_reads_and_recovers() {
    let Some(disk) = SmallDisk::new() else {
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
