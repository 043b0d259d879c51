//! Tokens that are wrong, expiring, or another caller's.

use crate::server::{ROOT, Server, until};

/// Tests that every text that is not a token is refused in the same words.
#[tokio::test]
async fn bad_tokens_all_read_the_same() {
    let server = Server::start().await;
    let long = "s.".to_owned() + &"a".repeat(20_000);
    let batch = "b.".to_owned() + &"A".repeat(200);
    for token in [
        "x", "s.", "b.", "hvs.AAAA", "a b", "'--", "%00", "ü", &long, &batch, "null",
    ] {
        let reply = server.call(token, "GET", "secret/data/x", "").await;
        assert_eq!(reply.status, 403, "{token:.20}: {reply:?}");
        let errors = reply.json()["errors"].clone();
        assert_eq!(
            errors,
            serde_json::json!(["permission denied"]),
            "{token:.20}"
        );
    }
    let revoked = server.token_of(r#"{"policies":["default"]}"#).await;
    let path = "auth/token/lookup-self";
    assert!(server.call(&revoked, "GET", path, "").await.is_success());
    let body = format!(r#"{{"token":"{revoked}"}}"#);
    server.root("POST", "auth/token/revoke", &body).await;
    assert_eq!(server.call(&revoked, "GET", path, "").await.status, 403);
}

/// Tests that tokens of both kinds expire, in whatever way they were made.
#[tokio::test]
async fn cve_2020_25816_2021_32923_short_tokens_expire() {
    let server = Server::start().await;
    for (kind, request) in [
        (
            "service",
            r#"{"policies":["default"],"ttl":"1s","explicit_max_ttl":"1s"}"#,
        ),
        (
            "batch",
            r#"{"policies":["default"],"ttl":"1s","type":"batch"}"#,
        ),
    ] {
        let token = server.token_of(request).await;
        let path = "auth/token/lookup-self";
        assert!(
            server.call(&token, "GET", path, "").await.is_success(),
            "{kind}"
        );
        until(|| async { server.call(&token, "GET", path, "").await.status == 403 }).await;
        let renewed = server
            .call(&token, "POST", "auth/token/renew-self", "{}")
            .await;
        assert!(!renewed.is_success(), "{kind}: {renewed:?}");
    }
}

/// Tests that children end with their parent.
#[tokio::test]
async fn children_end_with_their_parent() {
    let server = Server::start().await;
    let parent = server
        .token(r#"path "auth/token/create" { capabilities = ["update"] }"#)
        .await;
    let made = server
        .call(&parent, "POST", "auth/token/create", "{}")
        .await;
    let child = made.client_token();
    for token in [&parent, &child] {
        let reply = server.call(token, "GET", "auth/token/lookup-self", "");
        assert_eq!(reply.await.status, 200, "while the parent lives");
    }
    server
        .call(&parent, "POST", "auth/token/revoke-self", "")
        .await;
    for token in [parent, child] {
        let reply = server
            .call(&token, "GET", "auth/token/lookup-self", "")
            .await;
        assert_eq!(reply.status, 403, "{reply:?}");
    }
}

/// Tests that uses are counted also when they come at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_use_limit_holds_in_parallel() {
    let server = std::sync::Arc::new(Server::start().await);
    let token = server
        .token_of(r#"{"policies":["default"],"num_uses":3}"#)
        .await;
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let (server, token) = (server.clone(), token.clone());
            tokio::spawn(async move {
                server
                    .call(&token, "GET", "auth/token/lookup-self", "")
                    .await
                    .status
            })
        })
        .collect();
    let mut allowed = 0;
    for task in tasks {
        allowed += usize::from(task.await.unwrap() == 200);
    }
    assert_eq!(allowed, 3);
}

/// Tests that a token's cubbyhole is closed to all others, even to root.
#[tokio::test]
async fn a_cubbyhole_is_its_tokens_alone() {
    let server = Server::start().await;
    let owner = server.token_of(r#"{"policies":["default"]}"#).await;
    let put = server
        .call(&owner, "PUT", "cubbyhole/x", r#"{"a":"canary"}"#)
        .await;
    assert!(put.is_success(), "{put:?}");
    let other = server.token_of(r#"{"policies":["default"]}"#).await;
    for token in [&other, ROOT] {
        assert_eq!(
            server.call(token, "GET", "cubbyhole/x", "").await.status,
            404
        );
    }
    let own = server.call(&owner, "GET", "cubbyhole/x", "").await;
    assert!(own.body.contains("canary"), "{own:?}");
}

/// Tests that a token is checked before much of a body is read.
#[tokio::test]
async fn large_bodies_are_for_who_has_a_good_token() {
    let server = Server::start().await;
    let large = format!(r#"{{"data":{{"a":"{}"}}}}"#, "x".repeat(100 * 1024));
    let writer = server
        .token(r#"path "secret/*" { capabilities = ["create", "update"] }"#)
        .await;
    for (token, path, status) in [
        (ROOT, "secret/data/x", 200),
        (writer.as_str(), "secret/data/x", 200),
        ("made-up", "secret/data/x", 403),
        ("", "secret/data/x", 413),
        (ROOT, "sys/generate-root/update", 413),
        ("", "sys/wrapping/lookup", 413),
    ] {
        let reply = server.call(token, "PUT", path, &large).await;
        assert_eq!(reply.status, status, "{token:?} at {path}: {reply:?}");
    }
    let revoke = serde_json::json!({ "token": writer }).to_string();
    server.root("PUT", "auth/token/revoke", &revoke).await;
    let reply = server.call(&writer, "PUT", "secret/data/x", &large).await;
    assert_eq!(reply.status, 403, "{reply:?}");
}
