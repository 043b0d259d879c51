//! Nodes that fail while they run: they report it, and do not live on as something else.

use super::cluster::{Cluster, eventually};
use super::*;
use crate::raft::disk::device::{Device, Verdict};
use crate::raft::wire::message::Ask;
use crate::raft::wire::types::Command;
use openraft::storage::RaftLogReader;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// Returns the reason for which the storage failed; the wait must not be long.
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

/// Stops each write, and each call of an observer, while its owner holds the lock.
#[derive(Default)]
struct Barred(Mutex<()>);

impl Barred {
    fn pass(&self) {
        drop(self.0.lock().unwrap());
    }
}

impl Device for Barred {
    fn before_write(&self, _bytes: usize) -> Verdict {
        self.pass();
        Verdict::Write
    }
}

impl Observer for Barred {
    fn applied(&self, _revision: Revision, _keys: &[Key]) {
        self.pass();
    }
}

/// Returns whether all parts take a turn, and soon.
async fn is_alive(storage: &RaftStorage) -> bool {
    let turn = tokio::time::timeout(Duration::from_millis(300), storage.alive());
    turn.await.is_ok()
}

/// Bars the way that a commit takes: a node that cannot go on makes no progress until it can.
#[allow(
    clippy::await_holding_lock,
    reason = "it is what keeps the others waiting"
)]
async fn stuck(storage: &Arc<RaftStorage>, barred: &Barred) {
    assert!(is_alive(storage).await);
    let held = barred.0.lock().unwrap();
    let writer = Arc::clone(storage);
    let writing = tokio::spawn(async move { writer.commit(put("a", b"1")).await });
    while is_alive(storage).await {}
    drop(held);
    writing.await.unwrap().unwrap();
    eventually("progress", || async {
        is_alive(storage).await.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_write_that_does_not_end_is_no_progress() {
    let dir = tempfile::tempdir().unwrap();
    let barred = Arc::new(Barred::default());
    let mut options = Options::new(dir.path(), "a");
    options.device = Some(Arc::clone(&barred) as _);
    let storage = RaftStorage::open(options).await.unwrap();
    assert!(is_alive(&storage).await, "in no cluster yet");
    storage.found().await.unwrap();
    storage.become_leader().await.unwrap();
    stuck(&storage, &barred).await;
    storage.shutdown().await;
    assert!(!is_alive(&storage).await, "what is closed never is again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_entry_whose_applying_does_not_end_is_no_progress() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    storage.become_leader().await.unwrap();
    let barred = Arc::new(Barred::default());
    storage.observe(Arc::downgrade(&barred) as _);
    stuck(&storage, &barred).await;
    storage.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_consensus_makes_no_progress() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    assert!(is_alive(&storage).await);
    storage.shared.raft.shutdown().await.unwrap();
    assert!(!is_alive(&storage).await);
    storage.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_stopped_says_so_to_who_asks() {
    let cluster = Cluster::of(2).await;
    let (asking, stopped) = (&cluster.up(0).shared, cluster.up(1));
    let member = stopped.shared.me().member();
    stopped.shutdown().await;
    let within = Duration::from_secs(5);
    let asked = asking
        .voice
        .ask(stopped.raft_id(), &member, &Ask::Members, &[], within);
    let error = asked.await.expect_err("no answer").to_string();
    assert!(error.contains("is stopping"), "{error}");
}

/// A device that refuses all writes once it is told to, each of them once nobody holds `refusing`.
#[derive(Default)]
struct Worn {
    is_worn: std::sync::atomic::AtomicBool,
    refusing: Mutex<()>,
}

impl Worn {
    fn wear_out(&self) {
        self.is_worn
            .store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Device for Worn {
    fn before_write(&self, _bytes: usize) -> Verdict {
        let _refusing = self.refusing.lock().unwrap();
        match self.is_worn.load(std::sync::atomic::Ordering::SeqCst) {
            true => Verdict::Fail(std::io::Error::from_raw_os_error(EIO).kind()),
            false => Verdict::Write,
        }
    }
}

/// The error of a device that cannot read or write a block.
const EIO: i32 = 5;

/// Starts three nodes, of which the one at `worn` has a device that can be worn out.
async fn with_worn(worn: usize, timing: Timing) -> (Cluster, Arc<Worn>) {
    let mut cluster = Cluster::apart(3).await;
    let device = Arc::new(Worn::default());
    cluster.timing = timing;
    cluster.nodes[worn].device = Some(Arc::clone(&device) as _);
    for index in 0..3 {
        cluster.stop(index).await;
        cluster.start(index).await;
        cluster.up(index).set_elect(true);
    }
    cluster.join_all().await;
    (cluster, device)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_device_fails_ends_and_another_leads_with_all_that_was_acknowledged() {
    let (cluster, device) = with_worn(0, Timing::default()).await;
    let mut acknowledged = Vec::new();
    for n in 0..50u8 {
        cluster
            .up(0)
            .commit(put(&format!("k{n}"), &[n]))
            .await
            .unwrap();
        acknowledged.push(n);
    }
    device.wear_out();
    let failed = cluster.up(0).commit(put("last", b"1")).await;
    assert!(failed.is_err(), "{failed:?}");
    let why = failure(cluster.up(0)).await;
    assert!(why.contains("write"), "{why}");
    assert!(!cluster.up(0).status().leads);
    let next = eventually("another leader", || async {
        cluster.leader().filter(|leader| *leader != 0)
    })
    .await;
    cluster.up(next).commit(put("after", b"1")).await.unwrap();
    for n in acknowledged {
        let found = cluster.up(next).get(format!("k{n}").as_bytes()).unwrap();
        assert_eq!(&found.unwrap().value[..], [n]);
    }
    let again = cluster.up(0).commit(put("more", b"1")).await;
    assert!(matches!(again, Err(CommitError::Fatal(_))), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_whose_device_fails_ends_and_the_others_go_on() {
    let (cluster, device) = with_worn(1, Timing::default()).await;
    cluster.up(0).commit(put("a", b"1")).await.unwrap();
    device.wear_out();
    for n in 0..20u8 {
        cluster.up(0).commit(put("a", &[n])).await.unwrap();
    }
    failure(cluster.up(1)).await;
    assert_eq!(cluster.leader(), Some(0));
    cluster.await_value(2, "a", &[19]).await;
}

/// Hands leadership over from the first node, whose device failed, and expects another leader
/// before a lease ran out. Returns which one leads.
async fn leads_at_once_after_failure(cluster: &Cluster) -> usize {
    failure(cluster.up(0)).await;
    let begun = std::time::Instant::now();
    cluster
        .up(0)
        .hand_over(Duration::from_secs(2))
        .await
        .unwrap();
    let next = eventually("another leader", || async {
        cluster.leader().filter(|leader| *leader != 0)
    })
    .await;
    let took = begun.elapsed();
    let silence = cluster.timing.silence();
    assert!(took < silence, "no lease had to run out: {took:?}");
    next
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_device_fails_leaves_leadership_at_once() {
    let (cluster, device) = with_worn(0, Timing::multiplied(5)).await;
    cluster.up(0).commit(put("a", b"1")).await.unwrap();
    device.wear_out();
    assert!(cluster.up(0).commit(put("a", b"2")).await.is_err());
    leads_at_once_after_failure(&cluster).await;
}

/// Has the first node's device refuse a write that one of the two others has got by then, which
/// the first node has not heard of.
#[allow(
    clippy::await_holding_lock,
    reason = "it is what keeps the device from refusing"
)]
async fn refuse_what_one_has(cluster: &Cluster, device: &Worn, with_last: usize) {
    let last = |index: usize| cluster.up(index).shared.log.last();
    let before = last(0);
    eventually("like logs", || async {
        (last(1) == before && last(2) == before).then_some(())
    })
    .await;
    let key = |index: usize| &cluster.nodes[index].key;
    cluster.wires.cut(key(0), key(3 - with_last));
    cluster.wires.cut(key(with_last), key(0));
    let refusing = device.refusing.lock().unwrap();
    device.wear_out();
    let leader = Arc::clone(cluster.up(0));
    let writing = tokio::spawn(async move { leader.commit(put("a", b"2")).await });
    eventually("the last entry on one node", || async {
        (last(with_last) > before).then_some(())
    })
    .await;
    drop(refusing);
    assert!(writing.await.unwrap().is_err());
    failure(cluster.up(0)).await;
    assert_eq!(last(3 - with_last), before);
    cluster.wires.heal();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_leader_whose_device_fails_leaves_leadership_to_a_node_with_its_last_entry() {
    for with_last in [1, 2] {
        let (cluster, device) = with_worn(0, Timing::multiplied(5)).await;
        cluster.up(0).commit(put("a", b"1")).await.unwrap();
        refuse_what_one_has(&cluster, &device, with_last).await;
        assert_eq!(leads_at_once_after_failure(&cluster).await, with_last);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_begins_after_the_end_of_the_state_is_named_and_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let options = || {
        let mut options = Options::new(dir.path(), "a");
        options.segment_bytes = 64 << 10;
        options.log_bytes_kept = 64 << 10;
        options
    };
    let storage = RaftStorage::open(options()).await.unwrap();
    storage.found().await.unwrap();
    storage.become_leader().await.unwrap();
    for n in 0..100u32 {
        let value = n.to_le_bytes().repeat(700);
        storage.commit(put(&format!("k{n}"), &value)).await.unwrap();
    }
    storage.checkpoint().await.unwrap();
    let log = &storage.shared.log;
    eventually("the log begins later", || async {
        log.surplus(64 << 10).is_none().then_some(())
    })
    .await;
    // The control: what the test looks at is there while the storage is open.
    assert!(open_files_below(dir.path()) > 0);
    storage.shutdown().await;
    drop(storage);
    std::fs::remove_dir_all(dir.path().join("state")).unwrap();
    let Err(error) = RaftStorage::open(options()).await else {
        panic!("a log with a gap before it opens");
    };
    let error = error.to_string();
    assert!(error.contains("it begins after entry "), "{error}");
    assert!(
        error.ends_with("or empty it and join the cluster again"),
        "{error}"
    );
    assert_eq!(open_files_below(dir.path()), 0);
}

/// Returns the number of this process's open files below `folder`.
fn open_files_below(folder: &std::path::Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let paths = open.filter_map(|link| std::fs::read_link(link.path()).ok());
    paths.filter(|path| path.starts_with(folder)).count()
}
