//! Leases end: by themselves, by name, by path, by force, with their token and with their mount.

use super::*;

#[tokio::test]
async fn what_has_expired_is_revoked_once() {
    let world = World::new().await;
    let early = world.lend(json!({"ttl": 60})).await;
    let late = world.lend(json!({"ttl": 6000})).await;
    world.harness.clock.advance(Duration::from_secs(59));
    world.revoke_due().await;
    assert!(world.server.has(&early.name), "it is not due");
    world.harness.clock.advance(Duration::from_secs(1));
    let shown = world.lookup(&early.id).await.unwrap();
    assert_eq!(
        (&shown["ttl"], &shown["renewable"]),
        (&json!(0), &json!(false))
    );
    for _ in 0..3 {
        world.revoke_due().await;
    }
    world.assert_gone(&early).await;
    assert_eq!(world.server.deletions_of(&early.name), 1);
    assert!(world.server.has(&late.name));
    let before = world.harness.applied();
    for _ in 0..3 {
        world.harness.clock.advance(Duration::from_secs(100));
        world.revoke_due().await;
    }
    assert_eq!(world.harness.applied(), before, "idle means idle");
}

#[tokio::test]
async fn a_lease_is_revoked_by_name_before_the_answer_or_after_it() {
    let world = World::new().await;
    let (one, two) = (world.lend(json!({})).await, world.lend(json!({})).await);
    let answer = world
        .done("sys/leases/revoke", json!({"lease_id": one.id}))
        .await;
    assert_eq!(answer.status, None);
    world.assert_gone(&one).await;
    let body = json!({"lease_id": two.id, "sync": false});
    let answer = world.done("sys/leases/revoke", body).await;
    assert_eq!(answer.status, Some(202));
    assert!(world.server.has(&two.name), "it is in the queue");
    let shown = world.lookup(&two.id).await.unwrap();
    assert_eq!(
        (&shown["ttl"], &shown["renewable"]),
        (&json!(0), &json!(false))
    );
    world.revoke_due().await;
    world.assert_gone(&two).await;
    assert_eq!(world.server.state().deletions.len(), 2);
    world
        .done("sys/leases/revoke", json!({"lease_id": two.id}))
        .await;
    assert_eq!(world.server.state().deletions.len(), 2, "it is gone");
}

#[tokio::test]
async fn a_lease_that_cannot_be_revoked_for_who_waits_stays_as_it_was() {
    let world = World::new().await;
    let lent = world.lend(json!({"ttl": 600})).await;
    world.server.be(Mood::Down);
    let body = json!({"lease_id": lent.id});
    let refused = world.refused("sys/leases/revoke", body.clone()).await;
    assert_eq!(refused, "failed to revoke entry: out of order");
    assert_eq!(world.lookup(&lent.id).await.unwrap()["ttl"], 600);
    assert_eq!(world.failure(&lent), None, "it has not ended");
    let refused = world
        .refused("sys/leases/revoke-prefix/lent", json!({}))
        .await;
    assert_eq!(
        refused,
        format!(
            "failed to revoke \"{}\" (1 / 1): failed to revoke entry: out of order",
            lent.id
        )
    );
    world.server.be(Mood::Good);
    world.done("sys/leases/revoke", body).await;
    world.assert_gone(&lent).await;
}

#[tokio::test]
async fn leases_are_revoked_by_path_before_the_answer_or_after_it() {
    let world = World::new().await;
    for (body, status) in [(json!({}), None), (json!({"sync": false}), Some(202))] {
        let mut lent = Vec::new();
        for _ in 0..150 {
            lent.push(world.lend(json!({})).await);
        }
        let other = world.lend_to(ROOT, "lent/creds/rr", json!({})).await;
        let answer = world
            .done("sys/leases/revoke-prefix/lent/creds/r", body)
            .await;
        assert_eq!(answer.status, status);
        for lent in &lent {
            assert_eq!(world.server.has(&lent.name), status.is_some());
        }
        world.revoke_due().await;
        for lent in &lent {
            world.assert_gone(lent).await;
            assert_eq!(world.server.deletions_of(&lent.name), 1);
        }
        assert!(world.server.has(&other.name), "its path is another");
    }
}

#[tokio::test]
async fn force_forgets_what_cannot_be_revoked() {
    let world = World::new().await;
    let lent = [world.lend(json!({})).await, world.lend(json!({})).await];
    world.server.be(Mood::Down);
    let answer = world.done("sys/leases/revoke-force/lent", json!({})).await;
    assert_eq!(answer.status, None);
    for lent in &lent {
        assert_eq!(world.lookup(&lent.id).await, Err("invalid lease".into()));
        assert_eq!(world.server.deletions_of(&lent.name), 1, "it is asked once");
        assert!(world.server.has(&lent.name));
    }
    world.server.be(Mood::Good);
    world.revoke_all().await;
    assert_eq!(
        world.server.state().deletions.len(),
        2,
        "nobody knows of them"
    );
    let left = world.harness.storage.status().applied_index;
    world.revoke_due().await;
    assert_eq!(world.harness.applied(), left);
}

#[tokio::test]
async fn leases_end_with_their_token() {
    let world = World::new().await;
    let parent = world.harness.token(
        "path \"lent/*\" { capabilities = [\"read\"] }\n\
         path \"auth/token/create\" { capabilities = [\"update\"] }",
        json!({"ttl": "2h"}),
    );
    let parent = parent.await;
    let child = world.harness.call(
        &parent,
        Operation::Update,
        "auth/token/create",
        json!({"ttl": "1h"}),
    );
    let child = child.await.unwrap().auth.unwrap().client_token.unwrap();
    let of_parent = world.lend_to(&parent, "lent/creds/r", json!({})).await;
    let of_child = world
        .lend_to(child.expose(), "lent/creds/r", json!({}))
        .await;
    let of_root = world.lend(json!({})).await;
    world
        .done("auth/token/revoke", json!({"token": parent}))
        .await;
    for lent in [&of_parent, &of_child] {
        assert_eq!(world.lookup(&lent.id).await.unwrap()["ttl"], 0);
    }
    world.revoke_due().await;
    world.assert_gone(&of_parent).await;
    world.assert_gone(&of_child).await;
    assert!(world.server.has(&of_root.name));
    // By the token's time.
    let token = world.borrower(json!({"ttl": "10m"})).await;
    let lent = world.lend_to(&token, "lent/creds/r", json!({})).await;
    assert_eq!(lent.ttl, 768 * 3600);
    world.harness.clock.advance(Duration::from_secs(600));
    let shown = world.lookup(&lent.id).await.unwrap();
    assert_eq!(
        (&shown["ttl"], &shown["renewable"]),
        (&json!(0), &json!(false))
    );
    let renew = json!({"lease_id": lent.id});
    assert_eq!(
        world.refused("sys/leases/renew", renew).await,
        "lease expired"
    );
    world.revoke_due().await;
    world.assert_gone(&lent).await;
    assert!(world.server.has(&of_root.name));
}

/// More than one entry ends.
#[tokio::test]
async fn a_token_with_many_leases_takes_all_of_them_along() {
    let world = World::new().await;
    let token = world.borrower(json!({"ttl": "1h"})).await;
    let mut lent = Vec::new();
    for _ in 0..1200 {
        lent.push(world.lend_to(&token, "lent/creds/r", json!({})).await);
    }
    world
        .done("auth/token/revoke", json!({"token": token}))
        .await;
    for _ in 0..4 {
        world.revoke_due().await;
    }
    assert!(world.server.state().secrets.is_empty());
    assert_eq!(world.server.state().deletions.len(), lent.len());
    let next = world.harness.router.sweep().await.unwrap();
    assert!(next.is_none_or(|next| next > world.harness.clock.now()));
}

#[tokio::test]
async fn a_mount_goes_only_with_what_it_granted() {
    let world = World::new().await;
    world.mount("other").await;
    let mine = world.lend(json!({})).await;
    let other = world.lend_to(ROOT, "other/creds/r", json!({})).await;
    world.server.be(Mood::Down);
    for (operation, path, body) in [
        (Operation::Delete, "sys/mounts/lent", json!({})),
        (
            Operation::Update,
            "sys/remount",
            json!({"from": "lent", "to": "moved"}),
        ),
    ] {
        let refused = world.harness.root(operation, path, body).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid);
        assert!(refused.messages[0].starts_with("failed to revoke \"lent/creds/r/"));
    }
    world.server.be(Mood::Good);
    let again = world.lend(json!({})).await;
    let unmounted = world
        .harness
        .root(Operation::Delete, "sys/mounts/lent", json!({}));
    unmounted.await.unwrap();
    for lent in [&mine, &again] {
        assert!(!world.server.has(&lent.name));
        assert_eq!(world.lookup(&lent.id).await, Err("invalid lease".into()));
    }
    assert!(world.server.has(&other.name), "that is another mount's");
    let moved = json!({"from": "other", "to": "moved"});
    world.done("sys/remount", moved).await;
    assert!(!world.server.has(&other.name));
    world.lend_to(ROOT, "moved/creds/r", json!({})).await;
}

/// While a mount closes, what it grants is either revoked with the rest or refused.
#[tokio::test]
async fn nothing_is_granted_behind_an_unmounting() {
    let world = World::new().await;
    let held = world.lend(json!({})).await;
    world.server.state().held = true;
    let router = Arc::clone(&world.harness.router);
    let unmount = Harness::incoming(ROOT, Operation::Delete, "sys/mounts/lent", json!({}));
    let unmounting = tokio::spawn(async move { router.handle(unmount).await.result });
    eventually("the unmounting revokes", || world.server.state().now == 1).await;
    let refused = world.harness.read(ROOT, "lent/creds/r").await.unwrap_err();
    assert_eq!(refused.messages, ["\"lent/\" is being unmounted"]);
    world.server.let_go();
    unmounting.await.unwrap().unwrap();
    eventually("what was refused is taken back", || {
        world.server.state().secrets.is_empty()
    })
    .await;
    assert_eq!(world.server.deletions_of(&held.name), 1);
}
