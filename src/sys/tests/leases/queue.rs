//! The queue of revocations: what fails, and how much is done at a time.

use super::*;
use crate::lease::ATTEMPTS_MAX;

#[tokio::test]
async fn a_server_that_was_down_for_a_while_is_asked_again_later_and_then_less() {
    let world = World::new().await;
    let lent = world.lend(json!({"ttl": 60})).await;
    world.server.be(Mood::Down);
    world.harness.clock.advance(Duration::from_secs(60));
    let mut pauses = Vec::new();
    for attempt in 1..=3 {
        world.revoke_due().await;
        assert_eq!(world.server.deletions_of(&lent.name), attempt);
        world.revoke_due().await;
        assert_eq!(
            world.server.deletions_of(&lent.name),
            attempt,
            "it is not due"
        );
        let failure = world.failure(&lent).unwrap();
        assert_eq!(usize::try_from(failure.attempts).unwrap(), attempt);
        assert_eq!(failure.error, "out of order");
        let pause = failure.retry_at.since(world.harness.clock.now());
        pauses.push(pause.as_secs());
        world.harness.clock.advance(pause);
    }
    for (pause, base) in pauses.iter().zip([10, 20, 40]) {
        assert!((base / 2..=base * 3 / 2).contains(pause), "{pauses:?}");
    }
    world.server.be(Mood::Good);
    world.revoke_due().await;
    world.assert_gone(&lent).await;
    assert_eq!(world.failure(&lent), None);
    let next = world.harness.router.revoker().revoke_due().await.unwrap();
    assert!(next.is_none_or(|next| next > world.harness.clock.now()));
}

async fn make_irrevocable(world: &World) -> Lent {
    let lent = world.lend(json!({"ttl": 60})).await;
    world.server.be(Mood::Down);
    world.harness.clock.advance(Duration::from_secs(60));
    world.revoke_all().await;
    lent
}

#[tokio::test]
async fn after_many_failures_a_lease_is_irrevocable_and_shown_as_such() {
    let world = World::new().await;
    let attempts = usize::try_from(ATTEMPTS_MAX).unwrap();
    assert_eq!(
        world.irrevocable().await,
        json!({"lease_count": 0, "leases": []})
    );
    let lent = make_irrevocable(&world).await;
    assert_eq!(world.server.deletions_of(&lent.name), attempts);
    let mounts = world.harness.read(ROOT, "sys/mounts/lent").await.unwrap();
    let accessor = field(&mounts, "accessor");
    let error = "out of retries: failed to revoke entry: out of order";
    assert_eq!(
        world.irrevocable().await,
        json!({"lease_count": 1, "leases": [
            {"lease_id": lent.id, "mount_id": accessor, "error": error}]})
    );
    let data = json!({"type": "irrevocable"});
    let counted = world
        .harness
        .root(Operation::Read, "sys/leases/count", data)
        .await;
    let counted = Value::Object(counted.unwrap().data.unwrap());
    let accessor = accessor.as_str().unwrap();
    assert_eq!(counted, json!({"lease_count": 1, "counts": {accessor: 1}}));
    let shown = world.lookup(&lent.id).await.unwrap();
    assert_eq!(shown["revoke_error"], error);
    let message = "lease is expired and has failed previous revocation attempts";
    let renew = json!({"lease_id": lent.id});
    assert_eq!(world.refused("sys/leases/renew", renew).await, message);
    // Nothing is tried any more, also by another node.
    let mut world = world;
    world.harness.restart();
    world.harness.clock.advance(Duration::from_secs(1_000_000));
    world.revoke_due().await;
    assert_eq!(world.server.deletions_of(&lent.name), attempts);
    for (limit, shown) in [("none", 1), ("1", 1)] {
        let data = json!({"type": "irrevocable", "limit": limit});
        let listed = world
            .harness
            .root(Operation::Read, "sys/leases", data)
            .await;
        let listed = listed.unwrap();
        assert_eq!(field(&listed, "leases").as_array().unwrap().len(), shown);
    }
    let data = json!({"type": "irrevocable", "limit": "-1"});
    let refused = world
        .harness
        .root(Operation::Read, "sys/leases", data)
        .await;
    assert!(refused.unwrap_err().messages[0].contains("'none' or a positive integer"));
    let data = json!({"type": "other"});
    let refused = world
        .harness
        .root(Operation::Read, "sys/leases", data)
        .await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn an_irrevocable_lease_is_forced_away_or_tried_anew() {
    let world = World::new().await;
    let lent = make_irrevocable(&world).await;
    world
        .done("sys/leases/revoke-force/lent/creds", json!({}))
        .await;
    assert_eq!(world.irrevocable().await["lease_count"], 0);
    assert_eq!(world.lookup(&lent.id).await, Err("invalid lease".into()));
    world.server.be(Mood::Good);
    let attempts = usize::try_from(ATTEMPTS_MAX).unwrap();
    for sync in [false, true] {
        let lent = make_irrevocable(&world).await;
        assert_eq!(world.irrevocable().await["lease_count"], 1);
        world.server.be(Mood::Good);
        let body = json!({"lease_id": lent.id, "sync": sync});
        world.done("sys/leases/revoke", body).await;
        world.revoke_due().await;
        world.assert_gone(&lent).await;
        assert_eq!(world.irrevocable().await["lease_count"], 0);
        assert_eq!(world.server.deletions_of(&lent.name), attempts + 1);
    }
}

/// One thread runs everything here, as on a Pi Zero.
#[tokio::test]
async fn at_most_64_are_revoked_at_a_time() {
    let world = World::new().await;
    for _ in 0..200 {
        world.lend(json!({"ttl": 60})).await;
    }
    world.harness.clock.advance(Duration::from_secs(60));
    world.server.state().held = true;
    let revoker = Arc::clone(world.harness.router.revoker());
    let working = tokio::spawn(async move { revoker.revoke_due().await });
    eventually("64 are under way", || world.server.state().now == 64).await;
    // Who waits for one counts with them, and others are served meanwhile.
    let one = world.lend(json!({})).await;
    let router = Arc::clone(&world.harness.router);
    let revoke = json!({"lease_id": one.id});
    let revoke = Harness::incoming(ROOT, Operation::Update, "sys/leases/revoke", revoke);
    let waiting = tokio::spawn(async move { router.handle(revoke).await.result });
    for _ in 0..50 {
        world.done("kv/x", json!({"a": 1})).await;
        assert_eq!(world.server.state().now, 64);
    }
    world.server.let_go();
    working.await.unwrap().unwrap();
    waiting.await.unwrap().unwrap();
    let state = world.server.state();
    assert_eq!(state.most, 64);
    assert_eq!(state.deletions.len(), 201, "each once");
    assert!(state.secrets.is_empty());
}

/// A lease that is being revoked is not revoked by somebody else as well.
#[tokio::test]
async fn a_lease_is_in_one_pair_of_hands() {
    let world = World::new().await;
    let lent = world.lend(json!({"ttl": 60})).await;
    world.harness.clock.advance(Duration::from_secs(60));
    world.server.state().held = true;
    let revoker = Arc::clone(world.harness.router.revoker());
    let working = tokio::spawn(async move { revoker.revoke_due().await });
    eventually("it is under way", || world.server.state().now == 1).await;
    let mut waiting = Vec::new();
    for path in [
        "sys/leases/revoke",
        "sys/leases/revoke-prefix/lent",
        "sys/leases/revoke-force/lent",
    ] {
        let router = Arc::clone(&world.harness.router);
        let body = match path {
            "sys/leases/revoke" => json!({"lease_id": lent.id}),
            _ => json!({}),
        };
        let ask = Harness::incoming(ROOT, Operation::Update, path, body);
        waiting.push(tokio::spawn(async move { router.handle(ask).await.result }));
    }
    for _ in 0..50 {
        world.done("kv/x", json!({"a": 1})).await;
    }
    world.server.let_go();
    working.await.unwrap().unwrap();
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
    world.assert_gone(&lent).await;
    assert_eq!(world.server.deletions_of(&lent.name), 1);
}

#[tokio::test]
async fn what_is_revoked_with_an_unknown_outcome_is_revoked_again() {
    let world = World::new().await;
    // The answer is lost.
    let lent = world.lend(json!({"ttl": 60})).await;
    world.harness.clock.advance(Duration::from_secs(60));
    world.server.be(Mood::Cut);
    world.revoke_due().await;
    assert!(!world.server.has(&lent.name) && world.failure(&lent).is_some());
    world.server.be(Mood::Good);
    world.revoke_all().await;
    world.assert_gone(&lent).await;
    assert_eq!(world.server.deletions_of(&lent.name), 2);
    // The commit is lost: this node leads no more, and the attempt does not count as failed.
    let lent = world.lend(json!({"ttl": 60})).await;
    world.harness.clock.advance(Duration::from_secs(60));
    let mut fates = [Fate::NotLeader].into_iter();
    world.front.set_rule(move || {
        let fate = fates.next().unwrap_or(Fate::Made);
        Box::pin(std::future::ready(fate))
    });
    let stopped = world.harness.router.revoker().revoke_due().await;
    stopped.expect_err("it cannot go on");
    assert!(world.failure(&lent).is_none() && world.lookup(&lent.id).await.is_ok());
    world.revoke_due().await;
    world.assert_gone(&lent).await;
    assert_eq!(world.server.deletions_of(&lent.name), 2);
}

/// The duty sleeps until something is due, and is woken by what is due earlier.
#[tokio::test]
async fn what_is_due_at_once_wakes_who_waits() {
    let world = World::new().await;
    let lent = world.lend(json!({"ttl": 6000})).await;
    world.revoke_due().await;
    let revoker = Arc::clone(world.harness.router.revoker());
    let clock = Arc::clone(&world.harness.clock) as Arc<dyn Clock>;
    let working = tokio::spawn(async move {
        loop {
            let next = revoker.revoke_due().await.unwrap();
            assert!(next.is_none_or(|at| at > clock.now()), "it would spin");
            revoker.changed().await;
        }
    });
    let body = json!({"lease_id": lent.id, "sync": false});
    world.done("sys/leases/revoke", body).await;
    eventually("it is revoked", || !world.server.has(&lent.name)).await;
    working.abort();
}
