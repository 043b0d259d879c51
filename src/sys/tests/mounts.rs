use super::*;
use crate::mount::{Class, Entry};

#[tokio::test]
async fn an_unmounted_engine_is_gone_and_a_new_one_starts_empty() {
    let mut harness = Harness::new().await;
    let body = json!({"a": "b"});
    harness.root(Operation::Update, "kv/x", body).await.unwrap();
    harness
        .root(Operation::Delete, "sys/mounts/kv", json!({}))
        .await
        .unwrap();
    assert!(harness.read(ROOT, "kv/x").await.is_err());
    harness
        .root(Operation::Update, "sys/mounts/kv", json!({"type": "kv"}))
        .await
        .unwrap();
    assert!(
        harness
            .read(ROOT, "kv/x")
            .await
            .unwrap_err()
            .messages
            .is_empty()
    );
    let records = || {
        harness
            .barrier
            .view("logical/")
            .walk("", usize::MAX)
            .unwrap()
            .len()
    };
    assert_eq!(records(), 1, "the purge has not come yet");
    harness.restart();
    harness.router.sweep().await.unwrap();
    let records = || {
        harness
            .barrier
            .view("logical/")
            .walk("", usize::MAX)
            .unwrap()
            .len()
    };
    assert_eq!(records(), 0, "a restart does not forget it");
}

#[tokio::test]
async fn remounting_takes_the_secrets_along() {
    let harness = Harness::new().await;
    harness
        .root(Operation::Update, "kv/x", json!({"a": "b"}))
        .await
        .unwrap();
    let body = json!({"from": "kv", "to": "deep/kv"});
    let moved = harness
        .root(Operation::Update, "sys/remount", body)
        .await
        .unwrap();
    assert_eq!(
        *field(&harness.read(ROOT, "deep/kv/x").await.unwrap(), "a"),
        json!("b")
    );
    assert!(harness.read(ROOT, "kv/x").await.is_err());
    let id = field(&moved, "migration_id").as_str().unwrap();
    let status = harness
        .read(ROOT, &format!("sys/remount/status/{id}"))
        .await
        .unwrap();
    assert_eq!(field(&status, "migration_info")["status"], json!("success"));
}

/// A path, a body, and what the answer says.
type Refused = (&'static str, Value, &'static str);

fn refused_mounts() -> Vec<Refused> {
    let kv = |config: Value| json!({"type": "kv", "config": config});
    vec![
        (
            "sys/mounts/kv",
            json!({"type": "kv"}),
            "path is already in use at kv/",
        ),
        (
            "sys/mounts/kv/sub",
            json!({"type": "kv"}),
            "path is already in use at kv/",
        ),
        (
            "sys/mounts/sys/x",
            json!({"type": "kv"}),
            "cannot mount \"sys/x/\"",
        ),
        (
            "sys/mounts/a",
            json!({}),
            "backend type must be specified as a string",
        ),
        (
            "sys/mounts/a",
            json!({"type": "nope"}),
            "plugin not found in the catalog: nope",
        ),
        (
            "sys/mounts/a",
            json!({"type": "cubbyhole"}),
            "mount type of \"cubbyhole\" is not mountable",
        ),
        (
            "sys/mounts/a",
            kv(json!({"default_lease_ttl": "3h", "max_lease_ttl": "2h"})),
            "given default lease TTL greater than given max lease TTL",
        ),
        (
            "sys/mounts/a",
            kv(json!({"listing_visibility": "x"})),
            "invalid listing_visibility x",
        ),
        (
            "sys/mounts/a",
            kv(json!({"default_lease_ttl": "x"})),
            "unable to parse default TTL of x: time: invalid duration \"x\"",
        ),
    ]
}

fn refused_tunings() -> Vec<Refused> {
    vec![
        (
            "sys/mounts/secret/tune",
            json!({"options": {"version": "1"}}),
            "cannot downgrade mount from version 2",
        ),
        (
            "sys/mounts/kv/tune",
            json!({"max_lease_ttl": "10m", "default_lease_ttl": "20m"}),
            "backend max lease TTL of 600 would be less than backend default lease TTL of 1200",
        ),
        (
            "sys/mounts/nope/tune",
            json!({}),
            "tune of path \"nope/\" failed: no mount entry found",
        ),
        (
            "sys/auth/token",
            json!({"type": "token"}),
            "token credential backend cannot be instantiated",
        ),
    ]
}

#[tokio::test]
async fn refuses_in_the_words_of_vault() {
    let harness = Harness::new().await;
    for (path, body, message) in refused_mounts().into_iter().chain(refused_tunings()) {
        let error = harness
            .root(Operation::Update, path, body)
            .await
            .unwrap_err();
        assert_eq!(error.messages, [message], "{path}");
    }
    assert!(
        harness.read(ROOT, "sys/mounts/a").await.is_err(),
        "nothing was mounted"
    );
}

#[tokio::test]
async fn tuning_shows_and_works() {
    let harness = Harness::new().await;
    let body = json!({
        "default_lease_ttl": "1h", "description": "x", "listing_visibility": "unauth",
        "audit_non_hmac_request_keys": "a,b",
    });
    harness
        .root(Operation::Update, "sys/mounts/kv/tune", body)
        .await
        .unwrap();
    let shown = harness.read(ROOT, "sys/mounts/kv/tune").await.unwrap();
    assert_eq!(*field(&shown, "default_lease_ttl"), json!(3600));
    assert_eq!(*field(&shown, "max_lease_ttl"), json!(2_764_800));
    assert_eq!(
        *field(&shown, "audit_non_hmac_request_keys"),
        json!(["a", "b"])
    );
    let public = harness.read("", "sys/internal/ui/mounts").await.unwrap();
    assert_eq!(field(&public, "secret")["kv/"]["type"], json!("kv"));
    harness
        .root(Operation::Update, "kv/x", json!({"a": "b"}))
        .await
        .unwrap();
    let read = harness.read(ROOT, "kv/x").await.unwrap();
    assert_eq!(read.lease_duration, Duration::from_secs(3600));
}

#[tokio::test]
async fn an_upgrade_of_kv_does_not_hide_secrets() {
    let harness = Harness::new().await;
    harness
        .root(Operation::Update, "kv/x", json!({"a": "b"}))
        .await
        .unwrap();
    let body = json!({"options": {"version": "2"}});
    let path = "sys/mounts/kv/tune";
    harness.root(Operation::Update, path, body).await.unwrap();
    let read = harness.read(ROOT, "kv/data/x").await.unwrap();
    assert_eq!(read.data.unwrap()["data"], json!({"a": "b"}));
    let back = json!({"options": {"version": "1"}});
    assert!(harness.root(Operation::Update, path, back).await.is_err());
}

#[tokio::test]
async fn a_disabled_method_takes_its_tokens_along() {
    let harness = Harness::new().await;
    let mut batch = Batch::new();
    let mounts = Table::new(&harness.barrier).unwrap();
    mounts
        .add(&mut batch, Entry::new(Class::Auth, "up", "userpass"))
        .unwrap();
    harness
        .barrier
        .commit(batch, harness.clock.now())
        .await
        .unwrap();
    let leases = Arc::new(lease::Store::new(&harness.barrier));
    let tokens = token::Store::new(&harness.barrier, leases).unwrap();
    let mut texts = Vec::new();
    for n in 0..100 {
        let mut batch = Batch::new();
        let spec = token::Spec {
            policies: vec!["default".into()],
            path: format!("auth/up/login/{n}"),
            ttl: Duration::from_secs(3600),
            ..token::Spec::default()
        };
        let minted = tokens
            .create(&mut batch, spec, harness.clock.now())
            .unwrap();
        harness
            .barrier
            .commit(batch, harness.clock.now())
            .await
            .unwrap();
        texts.push(minted.token.into_inner());
    }
    let path = "auth/token/lookup-self";
    assert!(harness.read(&texts[99], path).await.is_ok());
    harness
        .root(Operation::Delete, "sys/auth/up", json!({}))
        .await
        .unwrap();
    for text in &texts {
        assert!(harness.read(text, path).await.is_err());
    }
    let refused = harness
        .root(Operation::Delete, "sys/auth/token", json!({}))
        .await;
    assert_eq!(
        refused.unwrap_err().messages,
        ["token credential backend cannot be disabled"]
    );
    assert!(harness.read(ROOT, path).await.is_ok());
}

#[tokio::test]
async fn disabling_what_is_no_method_ends_no_token() {
    let harness = Harness::new().await;
    let token = harness.token("path \"kv/*\" { capabilities = [\"read\"] }", json!({}));
    let token = token.await;
    for path in [
        "sys/auth/token/create",
        "sys/auth/token/create-orphan",
        "sys/auth/nope",
    ] {
        harness
            .root(Operation::Delete, path, json!({}))
            .await
            .unwrap();
        let found = harness.read(&token, "auth/token/lookup-self").await;
        assert!(found.is_ok(), "{path}");
    }
    let tuning = harness.root(Operation::Delete, "sys/auth/token/tune", json!({}));
    let kind = tuning.await.unwrap_err().kind;
    assert_eq!(kind, crate::engine::ErrorKind::UnsupportedOperation);
}
