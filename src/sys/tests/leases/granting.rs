//! Leases come to be, and are renewed.

use super::*;

#[tokio::test]
async fn a_lease_is_registered_in_the_entry_of_the_engines_own_record() {
    let world = World::new().await;
    let before = world.harness.applied();
    let lent = world.lend(json!({"ttl": 600, "max_ttl": 1200})).await;
    assert_eq!(world.harness.applied(), before + 1, "one entry");
    assert!(world.has_record(&lent).await && world.server.has(&lent.name));
    let shown = world.lookup(&lent.id).await.unwrap();
    assert_eq!(
        (&shown["ttl"], &shown["renewable"], &shown["path"]),
        (&json!(600), &json!(true), &json!("lent/creds/r"))
    );
    assert_eq!(lent.id.strip_prefix("lent/creds/r/").unwrap().len(), 24);
    assert_eq!(lent.ttl, 600);
}

#[tokio::test]
async fn what_is_not_committed_is_granted_to_nobody_and_taken_back() {
    let world = World::new().await;
    let before = world.harness.applied();
    world
        .front
        .set_rule(|| Box::pin(std::future::ready(Fate::NotLeader)));
    let refused = world.harness.read(ROOT, "lent/creds/r").await;
    refused.expect_err("it was not committed");
    assert_eq!(world.harness.applied(), before);
    eventually("the secret is taken back", || {
        let state = world.server.state();
        state.deletions.len() == 1 && state.secrets.is_empty()
    })
    .await;
}

#[tokio::test]
async fn lives_are_bounded_by_the_mount_and_the_engine() {
    let world = World::new().await;
    assert_eq!(world.lend(json!({})).await.ttl, 768 * 3600);
    assert_eq!(world.lend(json!({"ttl": 900, "max_ttl": 60})).await.ttl, 60);
    let tuned = json!({"default_lease_ttl": "10m", "max_lease_ttl": "1h"});
    world.done("sys/mounts/lent/tune", tuned).await;
    assert_eq!(world.lend(json!({})).await.ttl, 600);
    assert_eq!(world.lend(json!({"ttl": 7200})).await.ttl, 3600);
}

#[tokio::test]
async fn a_token_with_one_use_gets_no_lease() {
    let world = World::new().await;
    let token = world.borrower(json!({"num_uses": 1})).await;
    let refused = world.harness.read(&token, "lent/creds/r").await;
    assert!(refused.unwrap_err().messages[0].contains("one use left"));
    eventually("the secret is taken back", || {
        world.server.state().deletions.len() == 1
    })
    .await;
    let token = world.borrower(json!({"num_uses": 2})).await;
    world.lend_to(&token, "lent/creds/r", json!({})).await;
}

#[tokio::test]
async fn a_lease_of_a_batch_token_ends_with_it() {
    let world = World::new().await;
    let spec = json!({"type": "batch", "ttl": "5m"});
    let token = world.borrower(spec).await;
    let lent = world.lend_to(&token, "lent/creds/r", json!({})).await;
    assert_eq!(lent.ttl, 300);
}

#[tokio::test]
async fn the_engine_judges_a_renewal_within_the_longest_life() {
    let world = World::new().await;
    let lent = world.lend(json!({"ttl": 600, "max_ttl": 1200})).await;
    let renew = |increment: u64| {
        let body = json!({"lease_id": lent.id, "increment": increment});
        world.done("sys/leases/renew", body)
    };
    let renewed = renew(60).await;
    let lease = renewed.lease.unwrap();
    assert_eq!(lease.id, lent.id);
    assert_eq!(lease.ttl.as_secs(), 60, "shorter, as it was asked");
    assert_eq!(renew(0).await.lease.unwrap().ttl.as_secs(), 60);
    let renewed = renew(5000).await;
    assert_eq!(renewed.lease.unwrap().ttl.as_secs(), 1200);
    assert_eq!(
        renewed.warnings,
        [
            "TTL of \"1h23m20s\" exceeded the effective max_ttl of \"20m\"; \
          TTL value is capped accordingly"
        ]
    );
    world.server.state().renewal = (200, json!({"ttl": 30}).to_string());
    assert_eq!(renew(500).await.lease.unwrap().ttl.as_secs(), 30);
    assert_eq!(world.server.state().renewals.len(), 4);
    let before = world.harness.applied();
    world.server.state().renewal = (409, String::new());
    let body = json!({"lease_id": lent.id, "increment": 900});
    let refused = world.refused("sys/leases/renew", body).await;
    assert_eq!(refused, "the server does not want to");
    assert_eq!(world.harness.applied(), before, "nothing changed");
    assert_eq!(world.lookup(&lent.id).await.unwrap()["ttl"], 30);
    // The engine's note goes with the lease.
    let lease = world.leases().read(&lent.id).unwrap().unwrap();
    assert!(matches!(lease.undo, lease::Undo::Secret { internal, .. }
        if internal.contains("\"renewals\":4")));
}

#[tokio::test]
async fn what_cannot_be_renewed_is_told_in_vaults_words_and_no_engine_is_asked() {
    let world = World::new().await;
    let lent = world.lend(json!({"ttl": 600, "fixed": true})).await;
    for (id, message) in [
        (lent.id.as_str(), "lease is not renewable"),
        ("lent/creds/r/nothing", "lease not found"),
        ("", "lease_id must be specified"),
    ] {
        let refused = world
            .refused("sys/leases/renew", json!({"lease_id": id}))
            .await;
        assert_eq!(refused, message);
    }
    let lent = world.lend(json!({"ttl": 600, "max_ttl": 900})).await;
    world.harness.clock.advance(Duration::from_secs(600));
    let renew = json!({"lease_id": lent.id});
    assert_eq!(
        world.refused("sys/leases/renew", renew).await,
        "lease expired"
    );
    assert!(world.server.state().renewals.is_empty());
}

#[tokio::test]
async fn renewals_end_where_the_longest_life_does() {
    let world = World::new().await;
    let lent = world.lend(json!({"ttl": 600, "max_ttl": 900})).await;
    let renew = || world.done("sys/leases/renew", json!({"lease_id": lent.id}));
    world.harness.clock.advance(Duration::from_secs(599));
    assert_eq!(renew().await.lease.unwrap().ttl.as_secs(), 301);
    world.harness.clock.advance(Duration::from_secs(300));
    assert_eq!(renew().await.lease.unwrap().ttl.as_secs(), 1);
    world.revoke_due().await;
    assert!(world.server.has(&lent.name), "a second is left");
    world.harness.clock.advance(Duration::from_secs(1));
    world.revoke_due().await;
    world.assert_gone(&lent).await;
}

#[tokio::test]
async fn the_renewal_of_a_login_asks_its_method() {
    let world = World::new().await;
    let kind = json!({"type": "lender-login"});
    world.done("sys/auth/gate", kind).await;
    let config = json!({"address": world.server.address});
    world.done("auth/gate/config", config).await;
    let login = world
        .harness
        .call("", Operation::Update, "auth/gate/login/anna", json!({}));
    let auth = login.await.unwrap().auth.unwrap();
    let token = auth.client_token.unwrap().into_inner();
    let renew = |increment: u64| {
        let body = json!({"increment": increment});
        world
            .harness
            .call(&token, Operation::Update, "auth/token/renew-self", body)
    };
    let ttl = |response: Response| response.auth.unwrap().ttl.as_secs();
    assert_eq!(ttl(renew(1800).await.unwrap()), 1800);
    assert_eq!(world.server.state().renewals, ["login-anna"], "by its note");
    world.server.state().renewal = (200, json!({"ttl": 70}).to_string());
    assert_eq!(ttl(renew(1800).await.unwrap()), 70);
    for (path, body) in [
        ("auth/token/renew", json!({"token": token})),
        (
            "auth/token/renew-accessor",
            json!({"accessor": auth.accessor}),
        ),
    ] {
        world.server.state().renewal = (200, json!({"ttl": 80}).to_string());
        assert_eq!(ttl(world.done(path, body.clone()).await), 80);
        world.server.state().renewal = (409, String::new());
        let refused = world.refused(path, body).await;
        assert_eq!(refused, "the server does not want to");
    }
    let lookup = world.harness.read(&token, "auth/token/lookup-self").await;
    assert_eq!(field(&lookup.unwrap(), "ttl"), 80, "it lives on as it was");
    // A token that no method let in is renewed without one.
    let plain = world.borrower(json!({"ttl": "1h"})).await;
    let renewed = world
        .done("auth/token/renew", json!({"token": plain}))
        .await;
    assert_eq!(ttl(renewed), 3600);
}

#[tokio::test]
async fn what_is_wrapped_tells_its_lease() {
    let world = World::new().await;
    let mut incoming = Harness::incoming(ROOT, Operation::Read, "lent/creds/r", json!({}));
    incoming.wrap_ttl = Some(Duration::from_secs(60));
    let wrapped = world.harness.router.handle(incoming).await.result.unwrap();
    let text = wrapped.wrap_info.unwrap().token.into_inner();
    let opened = world
        .harness
        .call(&text, Operation::Update, "sys/wrapping/unwrap", json!({}));
    let body = opened.await.unwrap().body.unwrap().bytes;
    let body: Value = serde_json::from_slice(&body).unwrap();
    let id = body["lease_id"].as_str().unwrap();
    assert!(world.lookup(id).await.is_ok(), "{id}");
}
