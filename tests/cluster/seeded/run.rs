//! One seed: clients at work while faults come, then a time without faults, then the verdicts.

use super::super::check::{Action, Operation, Outcome};
use super::super::invariants;
use super::super::load::step;
use super::super::real::setting;
use super::faults::Faults;
use super::record;
use super::world::World;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const CLIENTS: usize = 6;
const RECORDS: u64 = 4;
const CALLS_PER_RECORD: u64 = 120;
const FAULTS: usize = 25;
/// Longest wait of a client for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The state that the clients of a seed share.
struct Clients {
    world: Arc<World>,
    begun: Instant,
    stop: AtomicBool,
    calls: AtomicU64,
    history: Mutex<Vec<Operation>>,
}

impl Clients {
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap()
    }

    async fn run(self: Arc<Self>, client: usize, mut dice: u64) {
        let mut version = 0;
        while !self.stop.load(Ordering::Relaxed) {
            dice = step(dice);
            let node = usize::try_from((dice >> 17) % 64).unwrap() % self.world.count();
            let barrier = self.world.running(node).and_then(|running| running.barrier);
            let Some(barrier) = barrier else {
                // A client's pause before it asks another node.
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            };
            let value = self.calls.fetch_add(1, Ordering::Relaxed);
            let round = value / (CALLS_PER_RECORD * RECORDS);
            let key = round * RECORDS + value % RECORDS;
            let action = match dice % 10 {
                0..=3 => Action::Put { value },
                4..=5 => Action::Cas { version, value },
                6..=8 => Action::Get,
                _ => Action::Delete,
            };
            let now = self.world.now(node);
            let sent = self.now();
            let done = record::act(&barrier, now, key, action);
            let outcome = match tokio::time::timeout(PATIENCE, done).await {
                Ok(outcome) => outcome,
                Err(_) => Some(Outcome::Unknown),
            };
            let answered = self.now();
            if let Some(Outcome::Wrote { version: seen } | Outcome::Found { version: seen, .. }) =
                outcome
            {
                version = seen;
            }
            match outcome {
                Some(Outcome::Unknown) if action == Action::Get => {}
                // The same pause as above.
                None => tokio::time::sleep(Duration::from_millis(2)).await,
                Some(outcome) => self.history.lock().unwrap().push(Operation {
                    key,
                    client,
                    sent,
                    answered,
                    action,
                    outcome,
                }),
            }
        }
    }
}

/// The result of a seed.
struct Report {
    operations: usize,
    unknown: usize,
    faults: BTreeMap<&'static str, u64>,
}

async fn seed(seed: u64) -> Report {
    let nodes = if step(seed + 1).is_multiple_of(4) {
        5
    } else {
        3
    };
    let world = World::new(nodes, seed).await;
    let leaders = invariants::leaders::watch(&world);
    let clients = Arc::new(Clients {
        world: Arc::clone(&world),
        begun: Instant::now(),
        stop: AtomicBool::new(false),
        calls: AtomicU64::new(0),
        history: Mutex::default(),
    });
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let dice = step(seed.wrapping_mul(977) + u64::try_from(client).unwrap() + 1);
            tokio::spawn(Arc::clone(&clients).run(client, dice))
        })
        .collect();
    let mut faults = Faults::new(seed);
    for _ in 0..FAULTS {
        faults.pause().await;
        faults.next(&world).await;
    }
    world.heal().await;
    // Every node serves again before the end.
    let before = clients.calls.load(Ordering::Relaxed);
    world
        .wait("clients are served after the faults", || {
            clients.calls.load(Ordering::Relaxed) > before + 100
        })
        .await;
    clients.stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    let history = std::mem::take(&mut *clients.history.lock().unwrap());
    invariants::acknowledged::hold(&history);
    leaders.hold();
    invariants::states::are_equal(&world).await;
    invariants::removed::stays_out(&world).await;
    world.shutdown().await;
    invariants::at_rest::holds_no_plaintext(world.folder());
    let unknown = history
        .iter()
        .filter(|call| call.outcome == Outcome::Unknown);
    Report {
        unknown: unknown.count(),
        operations: history.len(),
        faults: faults.counts,
    }
}

#[test]
fn a_cluster_under_faults_is_one_store() {
    let first = setting("CLUSTER_SEED", 1);
    let count = setting("CLUSTER_SEEDS", 2);
    let at_once = setting("CLUSTER_AT_ONCE", 4);
    let next = Arc::new(AtomicU64::new(first));
    let reports: Arc<Mutex<Vec<Report>>> = Arc::default();
    let failures: Arc<Mutex<Vec<u64>>> = Arc::default();
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            let (next, reports, failures) = (&next, &reports, &failures);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= first + count {
                        return;
                    }
                    let runtime = tokio::runtime::Builder::new_multi_thread()
                        .worker_threads(2)
                        .enable_all()
                        .build()
                        .unwrap();
                    let done = runtime.block_on(async { tokio::spawn(seed(number)).await });
                    runtime.shutdown_timeout(Duration::from_secs(5));
                    match done {
                        Ok(report) => reports.lock().unwrap().push(report),
                        Err(error) => {
                            eprintln!(
                                "seed {number}: {error}; CLUSTER_SEED={number} \
                                 CLUSTER_SEEDS=1 repeats its faults"
                            );
                            failures.lock().unwrap().push(number);
                        }
                    }
                }
            });
        }
    });
    let reports = reports.lock().unwrap();
    let mut faults: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, count) in reports.iter().flat_map(|report| &report.faults) {
        *faults.entry(kind).or_default() += count;
    }
    let sum = |pick: fn(&Report) -> usize| reports.iter().map(pick).sum::<usize>();
    println!(
        "{} seeds from {first} on: {} faults {faults:?}, {} operations ({} without an answer), \
         {} seeds with violations",
        reports.len(),
        faults.values().sum::<u64>(),
        sum(|report| report.operations),
        sum(|report| report.unknown),
        failures.lock().unwrap().len(),
    );
    assert!(failures.lock().unwrap().is_empty(), "failed: {failures:?}");
}
