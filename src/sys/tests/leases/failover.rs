//! Another node, or another process, goes on with what is to be revoked.

use super::*;
use crate::raft::tests::cluster::Cluster;
use crate::secret::Key256;
use tempfile::TempDir;

#[tokio::test]
async fn the_queue_outlives_a_restart() {
    let mut world = World::new().await;
    let due = world.lend(json!({"ttl": 60})).await;
    let failed = world.lend(json!({"ttl": 60})).await;
    let queued = world.lend(json!({})).await;
    let living = world.lend(json!({})).await;
    world.server.be(Mood::Down);
    let body = json!({"lease_id": queued.id, "sync": false});
    world.done("sys/leases/revoke", body).await;
    world.harness.clock.advance(Duration::from_secs(60));
    world.revoke_due().await;
    let before = world.failure(&failed).unwrap();
    assert_eq!(before.attempts, 1);
    world.harness.restart();
    world.server.be(Mood::Good);
    world.revoke_due().await;
    assert!(world.server.has(&failed.name), "its pause goes on");
    assert_eq!(world.failure(&failed), Some(before));
    world.harness.clock.advance(Duration::from_secs(15));
    world.revoke_due().await;
    for lent in [&due, &failed, &queued] {
        world.assert_gone(lent).await;
        assert_eq!(world.server.deletions_of(&lent.name), 2);
    }
    assert!(world.server.has(&living.name));
}

/// A node of a raft cluster that leads, with its router.
struct Active {
    barrier: Arc<Unsealed>,
    router: Arc<Router>,
    _audit: TempDir,
}

impl Active {
    async fn at(cluster: &Cluster, index: usize, key: &Key256, clock: &Arc<ManualClock>) -> Self {
        let storage = Arc::clone(cluster.up(index)) as Arc<dyn Storage>;
        storage.read_barrier().await.unwrap();
        let barrier = Sealed::new(storage).unseal(key).unwrap();
        Self::over(barrier, clock)
    }

    fn over(barrier: Arc<Unsealed>, clock: &Arc<ManualClock>) -> Self {
        let audit = tempfile::tempdir().unwrap();
        let mut kinds = KINDS.to_vec();
        kinds.push(&LENDER);
        let node: FindNode = Arc::new(|| None);
        let router = Harness::router(&barrier, clock, &audit, None, false, kinds, &node);
        Self {
            router: Arc::new(router),
            barrier,
            _audit: audit,
        }
    }

    async fn ask(&self, operation: Operation, path: &str, data: Value) -> Response {
        let incoming = Harness::incoming(ROOT, operation, path, data);
        let answer = self.router.handle(incoming).await.result;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn lend(&self, ttl: u64) -> Lent {
        let lent = self
            .ask(Operation::Read, "lent/creds/r", json!({"ttl": ttl}))
            .await;
        let name = field(&lent, "name").as_str().unwrap().to_owned();
        let id = lent.lease.unwrap().id;
        Lent { id, name, ttl }
    }

    fn has_lease(&self, lent: &Lent) -> bool {
        let leases = lease::Store::new(&self.barrier);
        leases.read(&lent.id).unwrap().is_some()
    }
}

/// The active node is killed while it has secrets deleted, and before it has written down any.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_active_node_goes_on_with_the_queue() {
    let mut cluster = Cluster::of(3).await;
    let leader = cluster.await_leader().await;
    let clock = Arc::new(ManualClock::new(START));
    let config = seal::check_config(1, 1).unwrap();
    let (key, _) = seal::generate(config).unwrap();
    let sealed = Sealed::new(Arc::clone(cluster.up(leader)) as _);
    let fresh = sealed.initialize(&key, config, START).unwrap();
    Harness::found(&fresh.barrier, fresh.batch).await;
    let active = Active::over(fresh.barrier, &clock);
    let server = Server::start();
    let kind = json!({"type": "lender"});
    active.ask(Operation::Update, "sys/mounts/lent", kind).await;
    let address = json!({"address": server.address});
    active.ask(Operation::Update, "lent/config", address).await;

    let failed = active.lend(30).await;
    clock.advance(Duration::from_secs(30));
    server.be(Mood::Down);
    active.router.revoker().revoke_due().await.unwrap();
    server.be(Mood::Good);
    let mut due = Vec::new();
    for _ in 0..5 {
        due.push(active.lend(1).await);
    }
    let queued = active.lend(6000).await;
    let body = json!({"lease_id": queued.id, "sync": false});
    active
        .ask(Operation::Update, "sys/leases/revoke", body)
        .await;
    let living = active.lend(6000).await;
    clock.advance(Duration::from_secs(1));

    server.state().held = true;
    let revoker = Arc::clone(active.router.revoker());
    let working = tokio::spawn(async move { revoker.revoke_due().await });
    eventually("six are under way", || server.state().now == 6).await;
    cluster.stop(leader).await;
    working.abort();
    server.let_go();
    eventually("the server has done them", || server.state().now == 0).await;

    let next = cluster.await_leader().await;
    assert_ne!(next, leader);
    let active = Active::at(&cluster, next, &key, &clock).await;
    assert!(
        due.iter()
            .chain([&queued])
            .all(|lent| active.has_lease(lent))
    );
    active.router.revoker().revoke_due().await.unwrap();
    for lent in due.iter().chain([&queued]) {
        assert!(!active.has_lease(lent) && !server.has(&lent.name));
        assert_eq!(
            server.deletions_of(&lent.name),
            2,
            "its outcome was unknown"
        );
    }
    assert!(server.has(&failed.name), "its pause goes on");
    clock.advance(Duration::from_secs(15));
    active.router.revoker().revoke_due().await.unwrap();
    assert!(!active.has_lease(&failed) && !server.has(&failed.name));
    assert_eq!(server.deletions_of(&failed.name), 2);
    assert!(active.has_lease(&living) && server.has(&living.name));
}
