//! Many leases: what is not due costs nothing.

use super::*;
use crate::lease::{Lease, Undo};
use crate::raft::{Options, RaftStorage};
use crate::secret::Key256;
use crate::store::{BoxFuture, CommitError};
use crate::store::{Key, Observer, ReadError, Record, Revision, StorageStatus, Transaction, Visit};
use std::sync::Weak;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the keys that are visited and read.
struct Counting {
    store: Arc<Inmem>,
    touched: AtomicUsize,
}

impl Storage for Counting {
    fn get(&self, key: &[u8]) -> Result<Option<Record>, ReadError> {
        self.touched.fetch_add(1, Ordering::Relaxed);
        self.store.get(key)
    }

    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8]) -> Visit) -> Result<(), ReadError> {
        self.store.scan(prefix, &mut |key| {
            self.touched.fetch_add(1, Ordering::Relaxed);
            visit(key)
        })
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        self.store.commit(transaction)
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReadError>> {
        self.store.read_barrier()
    }

    fn observe(&self, observer: Weak<dyn Observer>) {
        self.store.observe(observer);
    }

    fn status(&self) -> StorageStatus {
        self.store.status()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Writes leases as the router does, many to an entry.
async fn fill(barrier: &Arc<Unsealed>, count: usize, life: Duration) {
    let leases = lease::Store::new(barrier);
    let internal = json!({"name": "secret"}).to_string();
    for start in (0..count).step_by(500) {
        let mut batch = Batch::new();
        for number in start..count.min(start + 500) {
            let lease = Lease {
                id: format!("lent/creds/r/{number:024}"),
                issue_time: START,
                expire_time: START.plus(life + Duration::from_millis(number as u64)),
                last_renewal: Timestamp::default(),
                max_expire_time: START.plus(life * 2),
                renewable: true,
                owner: String::new(),
                undo: Undo::Secret {
                    mount: "lent/".into(),
                    internal: internal.clone(),
                },
                revision: Revision(0),
            };
            leases.register(&mut batch, &lease).unwrap();
        }
        barrier.commit(batch, START).await.unwrap();
    }
}

/// Counts the keys of the store that a start, and looking for what is due, touch.
async fn touched_by_start(count: usize) -> usize {
    let inmem = Arc::new(Inmem::new());
    let storage = Arc::new(Counting {
        store: Arc::clone(&inmem),
        touched: AtomicUsize::new(0),
    });
    let mut harness = Harness::over(inmem, Arc::clone(&storage) as _).await;
    harness.kinds.push(&LENDER);
    fill(&harness.barrier, count, Duration::from_secs(3600)).await;
    storage.touched.store(0, Ordering::Relaxed);
    harness.restart();
    harness.router.sweep().await.unwrap();
    let next = harness.router.revoker().revoke_due().await.unwrap();
    assert!(next.is_some_and(|next| next > harness.clock.now()));
    storage.touched.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_start_touches_as_little_with_many_leases_as_with_few() {
    let few = touched_by_start(100).await;
    let many = touched_by_start(20_000).await;
    println!("a start touches {few} records with 100 leases, {many} with 20,000");
    // Their deadlines are 20 s apart, in one bucket or two.
    assert!(few > 0 && many <= few + 2, "{few} {many}");
}

/// Measures the start with many leases, and revoking all of them.
#[tokio::test]
#[ignore = "a measurement of minutes; `tests/bench/run leases` runs it"]
async fn many_leases_measured() {
    let count = 100_000;
    let world = World::new().await;
    let begun = std::time::Instant::now();
    fill(&world.harness.barrier, count, Duration::from_secs(3600)).await;
    println!("{count} leases made in {:?}", begun.elapsed());
    let before = resident();
    let mut world = world;
    let begun = std::time::Instant::now();
    world.harness.restart();
    world.revoke_due().await;
    println!(
        "start: {:?}, and {} KiB more resident (the store of the test is memory itself)",
        begun.elapsed(),
        resident().saturating_sub(before)
    );
    let begun = std::time::Instant::now();
    world
        .done("sys/leases/revoke-prefix/lent", json!({"sync": false}))
        .await;
    println!("all queued in {:?}", begun.elapsed());
    let begun = std::time::Instant::now();
    world.revoke_due().await;
    let state = world.server.state();
    println!(
        "{} revoked in {:?}, at most {} at a time, {} KiB resident more than before",
        state.deletions.len(),
        begun.elapsed(),
        state.most,
        resident().saturating_sub(before)
    );
    assert!(state.most <= 64 && state.deletions.len() == count);
}

/// Measures a start over a store on disk. It runs twice with the same `DIR` and `LEASES`, each time
/// in a process of its own: the first fills the directory, the second measures.
#[tokio::test]
#[ignore = "needs a directory; `tests/bench/run leases` runs it"]
async fn many_leases_on_disk_measured() {
    let given = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let dir = std::path::PathBuf::from(given("DIR"));
    let count: usize = given("LEASES").parse().unwrap();
    let is_full = dir.join("raft").exists();
    let begun = std::time::Instant::now();
    let storage = RaftStorage::open(Options::new(&dir, "a")).await.unwrap();
    storage.found().await.unwrap();
    storage.become_leader().await.unwrap();
    let opened = begun.elapsed();
    let sealed = Sealed::new(Arc::clone(&storage) as _);
    let key = Key256::from_slice(&[7; 32]).unwrap();
    if !is_full {
        let config = seal::check_config(1, 1).unwrap();
        let fresh = sealed.initialize(&key, config, START).unwrap();
        Harness::found(&fresh.barrier, fresh.batch).await;
        fill(&fresh.barrier, count, Duration::from_secs(3600)).await;
        storage.shutdown().await;
        return;
    }
    let begun = std::time::Instant::now();
    let barrier = sealed.unseal(&key).unwrap();
    let clock = Arc::new(ManualClock::new(START));
    let audit = tempfile::tempdir().unwrap();
    let (node, kinds): (FindNode, _) = (Arc::new(|| None), KINDS.to_vec());
    let router = Harness::router(&barrier, &clock, &audit, None, false, kinds, &node);
    router.sweep().await.unwrap();
    router.revoker().revoke_due().await.unwrap();
    let began = begun.elapsed();
    let resident = resident();
    let stored = lease::Store::new(&barrier).count_all().unwrap();
    assert_eq!(stored, count as u64, "the directory holds other leases");
    println!("{count} leases: store {opened:?}, unseal to duties {began:?}, {resident} KiB");
    storage.shutdown().await;
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

/// Observers hear of keys, so a key must be the beginning of those below it.
#[tokio::test]
async fn the_queues_prefix_is_that_of_its_entries() {
    struct Heard(std::sync::Mutex<Vec<Key>>);
    impl Observer for Heard {
        fn applied(&self, _: Revision, keys: &[Key]) {
            self.0.lock().unwrap().extend_from_slice(keys);
        }
    }
    let harness = Harness::new().await;
    let heard = Arc::new(Heard(std::sync::Mutex::default()));
    harness.storage.observe(Arc::downgrade(&heard) as _);
    fill(&harness.barrier, 1, Duration::from_secs(60)).await;
    let prefix = harness.barrier.view("sys/lease/revoke/").key("").unwrap();
    let keys = heard.0.lock().unwrap();
    assert_eq!(
        keys.iter().filter(|key| key.starts_with(&prefix)).count(),
        1
    );
}
