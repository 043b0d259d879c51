//! Response wrapping: one token, one opening.

use crate::server::{ROOT, Server};
use std::sync::Arc;

async fn wrap(server: &Server) -> String {
    let headers = "X-Vault-Wrap-TTL: 60\r\n";
    let reply = server
        .call_with(
            ROOT,
            headers,
            "POST",
            "sys/wrapping/wrap",
            r#"{"a":"canary"}"#,
        )
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(!reply.body.contains("canary"), "{reply:?}");
    let token = reply.json()["wrap_info"]["token"].clone();
    token.as_str().unwrap().to_owned()
}

/// Tests that of many clients that open at the same time one gets the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrapping_token_opens_once_also_in_parallel() {
    let server = Arc::new(Server::start().await);
    for _ in 0..8 {
        let token = wrap(&server).await;
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (server, token) = (server.clone(), token.clone());
                tokio::spawn(
                    async move { server.call(&token, "POST", "sys/wrapping/unwrap", "").await },
                )
            })
            .collect();
        let mut opened = 0;
        for task in tasks {
            let reply = task.await.unwrap();
            opened += usize::from(reply.body.contains("canary"));
        }
        assert_eq!(opened, 1);
    }
}

/// Tests that a wrapping token opens its wrapping and nothing else, and is spent by trying.
#[tokio::test]
async fn a_wrapping_token_is_good_for_nothing_else() {
    let server = Server::start().await;
    for path in [
        "secret/data/x",
        "auth/token/lookup-self",
        "sys/mounts",
        "cubbyhole/response",
    ] {
        let token = wrap(&server).await;
        let reply = server.call(&token, "GET", path, "").await;
        assert!(
            !reply.body.contains("canary") || path == "cubbyhole/response",
            "{reply:?}"
        );
        let after = server.call(&token, "POST", "sys/wrapping/unwrap", "").await;
        assert!(!after.body.contains("canary"), "{path}: {after:?}");
    }
}

/// Tests that a wrong wrap TTL is refused before anything is done.
#[tokio::test]
async fn a_bad_wrap_ttl_changes_nothing() {
    let server = Server::start().await;
    let headers = "X-Vault-Wrap-TTL: soon\r\n";
    let body = r#"{"data":{"a":1}}"#;
    let reply = server
        .call_with(ROOT, headers, "PUT", "secret/data/w", body)
        .await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!(
        server.call(ROOT, "GET", "secret/data/w", "").await.status,
        404
    );
    let headers = "X-Vault-Wrap-TTL: 60\r\n";
    let good = server
        .call_with(ROOT, headers, "PUT", "secret/data/w", body)
        .await;
    assert!(good.body.contains("wrap_info"), "{good:?}");
    server.root("GET", "secret/data/w", "").await;
}
