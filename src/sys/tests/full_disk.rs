//! A disk that is nearly full, as clients see it: new data is refused, what repairs goes on.

use super::front::Front;
use super::rows::{Case, cases};
use super::*;
use crate::engine::ErrorKind;
use crate::engine::table::{Effect, OnFullDisk};

fn kind(result: &Result<Response, Error>) -> Option<ErrorKind> {
    result.as_ref().err().map(|error| error.kind)
}

#[tokio::test]
async fn each_row_adds_or_repairs_as_its_table_says() {
    let (mut harness, front) = Front::harness().await;
    harness.has_raw = true;
    harness.restart();
    front.set_full(true);
    let (mut refused, mut passed) = (0, 0);
    // That one ends the caller's own token.
    let others = |case: &Case| case.endpoint.pattern != "revoke-self";
    for case in cases().into_iter().filter(others) {
        for op in case.ops.iter().filter(|op| op.effect == Effect::Writes) {
            let result = harness.root(op.operation, &case.path, json!({})).await;
            let adds = case.endpoint.on_full_disk == OnFullDisk::Adds;
            let is_refused = kind(&result) == Some(ErrorKind::NoSpace);
            let expected = adds && op.operation != Operation::Delete;
            assert_eq!(is_refused, expected, "{:?} {}", op.operation, case.path);
            refused += usize::from(is_refused);
            passed += usize::from(!is_refused);
        }
    }
    assert!(refused > 15 && passed > 15, "{refused} {passed}");
}

#[tokio::test]
async fn a_store_is_emptied_and_no_more_is_put_into_it() {
    let (harness, front) = Front::harness().await;
    let secret = json!({"data": {"a": "1"}});
    for path in ["secret/data/a", "secret/data/b"] {
        let put = harness.root(Operation::Update, path, secret.clone());
        put.await.unwrap();
    }
    let text = "path \"secret/*\" { capabilities = [\"read\"] }";
    let limited = harness.token(text, json!({"num_uses": 3})).await;
    let policy = json!({"policy": text});
    let path = "sys/policies/acl/mine";
    harness
        .root(Operation::Update, path, policy.clone())
        .await
        .unwrap();
    front.set_full(true);
    let commits = front.commits();
    for (operation, path, body) in [
        (Operation::Update, "secret/data/c", secret.clone()),
        (Operation::Patch, "secret/data/a", secret.clone()),
        (Operation::Update, "kv/x", json!({"a": "1"})),
        (Operation::Update, "cubbyhole/x", json!({"a": "1"})),
        (Operation::Update, "auth/token/create", json!({})),
        (Operation::Update, "sys/policies/acl/other", policy),
        (Operation::Update, "sys/mounts/more", json!({"type": "kv"})),
    ] {
        let error = harness.root(operation, path, body).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoSpace, "{path}");
        assert_eq!(
            error.messages,
            ["no space left, free some"],
            "the remedy is told"
        );
    }
    let mut wrapped = Harness::incoming(ROOT, Operation::Read, "secret/data/a", json!({}));
    wrapped.wrap_ttl = Some(Duration::from_secs(60));
    let wrapped = harness.router.handle(wrapped).await.result;
    assert_eq!(kind(&wrapped), Some(ErrorKind::NoSpace));
    assert_eq!(front.commits(), commits, "nothing was written");

    harness.read(ROOT, "secret/data/a").await.unwrap();
    harness.read(&limited, "secret/data/a").await.unwrap();
    // A login by token, which spends a use.
    harness
        .read(&limited, "auth/token/lookup-self")
        .await
        .unwrap();
    let versions = json!({"versions": [1]});
    for (operation, path, body) in [
        (Operation::Delete, "secret/data/a", json!({})),
        (Operation::Update, "secret/undelete/a", versions.clone()),
        (Operation::Update, "secret/destroy/a", versions),
        (Operation::Delete, "secret/metadata/b", json!({})),
        (Operation::Delete, "sys/policies/acl/mine", json!({})),
        (
            Operation::Update,
            "auth/token/revoke",
            json!({"token": limited}),
        ),
        (Operation::Delete, "sys/mounts/kv", json!({})),
    ] {
        harness.root(operation, path, body).await.expect(path);
    }
    let gone = harness.read(ROOT, "secret/data/b").await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);

    front.set_full(false);
    let put = harness.root(Operation::Update, "secret/data/c", secret);
    put.await.unwrap();
}
