use super::*;
use crate::engine::ErrorKind;

#[tokio::test]
async fn cve_2020_25594_nothing_is_told_without_a_good_token() {
    let harness = Harness::new().await;
    for path in [
        "secret/data/x",
        "nope/x",
        "sys/mounts",
        "sys/nope",
        "auth/nope/login",
    ] {
        for token in ["", "hvs.bad"] {
            let error = harness.read(token, path).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Denied, "{path}");
            assert_eq!(error.messages, ["permission denied"], "{path}");
        }
    }
    let open = harness.read("", "sys/internal/ui/mounts").await.unwrap();
    assert_eq!(
        open.data.unwrap(),
        *json!({"secret": {}, "auth": {}}).as_object().unwrap()
    );
    let unknown = harness.read(ROOT, "nope/x").await.unwrap_err();
    assert_eq!(
        unknown.messages,
        ["no handler for route \"nope/x\". route entry not found."]
    );
}

#[tokio::test]
async fn cve_2026_3605_odd_paths_are_refused_before_the_policies_are_asked() {
    let harness = Harness::new().await;
    let token = harness.token(
        "path \"secret/data/a/*\" { capabilities = [\"read\"] }",
        json!({}),
    );
    let token = token.await;
    for path in [
        "secret/data/a/../b",
        "secret/data/a/./b",
        "secret//data/a",
        "/secret/data/a",
    ] {
        for token in [token.as_str(), ROOT] {
            let error = harness.read(token, path).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid, "{path}");
        }
    }
}

#[tokio::test]
async fn a_limited_token_is_good_for_its_uses_also_at_the_same_time() {
    let harness = Harness::new().await;
    let policy = "path \"secret/*\" { capabilities = [\"create\", \"update\", \"read\"] }";
    let token = harness.token(policy, json!({"num_uses": 3})).await;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..12 {
        let router = Arc::clone(&harness.router);
        let body = json!({"data": {"n": n}});
        let path = format!("secret/data/k{n}");
        let incoming = Harness::incoming(&token, Operation::Update, &path, body);
        calls.spawn(async move { router.handle(incoming).await.result.is_ok() });
    }
    let done = calls.join_all().await.into_iter().filter(|ok| *ok).count();
    assert_eq!(done, 3);
    assert!(harness.read(&token, "secret/data/k0").await.is_err());
}

#[tokio::test]
async fn a_denied_request_spends_a_use_too() {
    let harness = Harness::new().await;
    let token = harness.token(
        "path \"kv/*\" { capabilities = [\"read\"] }",
        json!({"num_uses": 2}),
    );
    let token = token.await;
    for _ in 0..2 {
        let error = harness.read(&token, "secret/data/x").await.unwrap_err();
        assert_eq!(
            error.messages,
            ["1 error occurred:\n\t* permission denied\n\n"]
        );
    }
    let error = harness.read(&token, "kv/x").await.unwrap_err();
    assert_eq!(error.messages, ["permission denied"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_one_secret_all_get_their_turn() {
    let harness = Harness::new().await;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..64 {
        let router = Arc::clone(&harness.router);
        let body = json!({"data": {"n": n}});
        let incoming = Harness::incoming(ROOT, Operation::Update, "secret/data/hot", body);
        calls.spawn(async move { router.handle(incoming).await.result });
    }
    let mut versions: Vec<u64> = Vec::new();
    for result in calls.join_all().await {
        versions.push(field(&result.unwrap(), "version").as_u64().unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=64).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_one_use_rotates_once() {
    let harness = Harness::new().await;
    let policy = "path \"sys/rotate\" { capabilities = [\"update\", \"sudo\"] }";
    let token = harness.token(policy, json!({"num_uses": 1})).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let router = Arc::clone(&harness.router);
        let incoming = Harness::incoming(&token, Operation::Update, "sys/rotate", json!({}));
        calls.spawn(async move { router.handle(incoming).await.result.is_ok() });
    }
    let granted = calls.join_all().await;
    assert_eq!(granted.iter().filter(|ok| **ok).count(), 1);
    let status = harness.read(ROOT, "sys/key-status").await.unwrap();
    assert_eq!(field(&status, "term"), 2);
}

#[tokio::test]
async fn one_request_is_one_log_entry() {
    let harness = Harness::new().await;
    let policy = "path \"secret/*\" { capabilities = [\"create\", \"update\", \"read\"] }";
    let token = harness.token(policy, json!({"num_uses": 9})).await;
    let before = harness.applied();
    let body = json!({"data": {"a": "b"}});
    let mut incoming = Harness::incoming(&token, Operation::Update, "secret/data/x", body);
    incoming.wrap_ttl = Some(Duration::from_secs(60));
    harness.router.handle(incoming).await.result.unwrap();
    assert_eq!(
        harness.applied(),
        before + 1,
        "secret, use, wrapping token and cubbyhole"
    );
    harness.read(ROOT, "secret/data/x").await.unwrap();
    assert_eq!(harness.applied(), before + 1, "a read writes nothing");
}

#[tokio::test]
async fn sudo_paths_need_sudo() {
    let harness = Harness::new().await;
    let plain = "path \"sys/*\" { capabilities = [\"create\", \"update\", \"read\", \"delete\"] }";
    let sudo = "path \"sys/*\" { capabilities = [\"update\", \"read\", \"sudo\"] }";
    let (plain, sudo) = (
        harness.token(plain, json!({})).await,
        harness.token(sudo, json!({})).await,
    );
    for path in [
        "sys/seal",
        "sys/step-down",
        "sys/rotate",
        "sys/remount",
        "sys/audit/x",
    ] {
        let denied = harness
            .call(&plain, Operation::Update, path, json!({}))
            .await
            .unwrap_err();
        assert_eq!(denied.kind, ErrorKind::Denied, "{path}");
        let result = harness
            .call(&sudo, Operation::Update, path, json!({}))
            .await;
        assert_ne!(
            result.err().map(|error| error.kind),
            Some(ErrorKind::Denied),
            "{path}"
        );
    }
    assert!(harness.read(&plain, "sys/mounts").await.is_ok());
    let path = "sys/mounts/auth/token";
    let around = harness
        .call(&plain, Operation::Delete, path, json!({}))
        .await;
    assert!(around.is_ok(), "there is no secrets engine of that name");
    assert!(harness.read(ROOT, "auth/token/lookup-self").await.is_ok());
    assert!(
        harness
            .read(&plain, "sys/mounts/auth/token/tune")
            .await
            .is_ok()
    );
    assert!(harness.read(&plain, "sys/auth/token/tune").await.is_err());
}

#[tokio::test]
async fn create_and_update_are_told_apart() {
    let harness = Harness::new().await;
    let only_create = "path \"+/*\" { capabilities = [\"create\"] }";
    let token = harness.token(only_create, json!({})).await;
    for path in ["secret/data/x", "kv/x"] {
        let body = json!({"data": {"a": 1}});
        harness
            .call(&token, Operation::Update, path, body.clone())
            .await
            .unwrap();
        let error = harness
            .call(&token, Operation::Update, path, body)
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Denied, "{path}");
    }
}

#[tokio::test]
async fn what_expires_is_gone_at_once_and_swept_away_later() {
    let mut harness = Harness::new().await;
    let policy = "path \"cubbyhole/*\" { capabilities = [\"create\", \"read\"] }";
    let token = harness.token(policy, json!({"ttl": "1h"})).await;
    let body = json!({"a": "b"});
    harness
        .call(&token, Operation::Update, "cubbyhole/x", body)
        .await
        .unwrap();
    harness.clock.advance(Duration::from_secs(3601));
    assert!(harness.read(&token, "cubbyhole/x").await.is_err());
    harness.restart();
    harness.read(ROOT, "cubbyhole/none").await.unwrap_err();
    let before = harness.barrier.view("").walk("", usize::MAX).unwrap().len();
    harness.router.sweep().await.unwrap();
    let after = harness.barrier.view("").walk("", usize::MAX).unwrap().len();
    assert!(
        after + 4 <= before,
        "token, accessor, lease, cubbyhole: {before} {after}"
    );
    let applied = harness.applied();
    harness.router.sweep().await.unwrap();
    assert_eq!(harness.applied(), applied, "idle means idle");
}

#[tokio::test]
async fn capabilities_and_policies_answer_in_both_shapes() {
    let harness = Harness::new().await;
    let body = json!({"policy": "path \"secret/*\" { capabilities = [\"read\", \"list\"] }"});
    harness
        .root(Operation::Update, "sys/policy/Reader", body)
        .await
        .unwrap();
    let legacy = harness.read(ROOT, "sys/policy/reader").await.unwrap();
    assert!(legacy.duplicate_data && field(&legacy, "rules").is_string());
    let new = harness.read(ROOT, "sys/policies/acl/reader").await.unwrap();
    assert!(!new.duplicate_data && field(&new, "policy").is_string());
    let made = json!({"policies": ["reader"]});
    let made = harness
        .root(Operation::Update, "auth/token/create", made)
        .await
        .unwrap();
    let token = made.auth.unwrap();
    let ask = json!({"path": "secret/x", "accessor": token.accessor});
    let path = "sys/capabilities-accessor";
    let answer = harness.root(Operation::Update, path, ask).await.unwrap();
    assert_eq!(*field(&answer, "capabilities"), json!(["list", "read"]));
    assert_eq!(*field(&answer, "secret/x"), json!(["list", "read"]));
}

#[tokio::test]
async fn revoking_a_prefix_ends_more_than_one_entry_holds() {
    let harness = Harness::new().await;
    let mut tokens = Vec::new();
    for _ in 0..150 {
        let body = json!({"policies": ["default"], "ttl": "1h", "no_parent": true});
        let made = harness
            .root(Operation::Update, "auth/token/create", body)
            .await
            .unwrap();
        tokens.push(made.auth.unwrap().client_token.unwrap().into_inner());
    }
    let path = "sys/leases/revoke-prefix/auth/token/create";
    harness
        .root(Operation::Update, path, json!({}))
        .await
        .unwrap();
    for token in &tokens {
        assert!(harness.read(token, "auth/token/lookup-self").await.is_err());
    }
}
