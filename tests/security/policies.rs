//! Policies under other names, other cases and other operations.

use crate::server::{ROOT, Server};

const SPELLINGS: [&str; 7] = [
    "root", "Root", "ROOT", " root", "root ", "\\troot", "rOOt\\n",
];

/// Tests that no spelling of `root` can be given away without a root token.
#[tokio::test]
async fn cve_2024_9180_2025_5999_root_is_root_in_every_spelling() {
    let server = Server::start().await;
    let admin = server
        .token(r#"path "auth/token/*" { capabilities = ["create", "update", "sudo"] }"#)
        .await;
    let plain = r#"{"policies":["default"]}"#;
    for path in ["auth/token/create", "auth/token/create-orphan"] {
        let reply = server.call(&admin, "POST", path, plain).await;
        assert!(reply.is_success(), "another policy may: {path} {reply:?}");
    }
    for name in SPELLINGS {
        let policies = format!(r#"{{"policies":["default","{name}"]}}"#);
        for path in ["create", "create-orphan"] {
            let path = format!("auth/token/{path}");
            let reply = server.call(&admin, "POST", &path, &policies).await;
            assert!(
                matches!(reply.status, 400 | 403),
                "{path} {name}: {reply:?}"
            );
        }
        let role = format!(r#"{{"allowed_policies":["{name}"]}}"#);
        server
            .call(&admin, "POST", "auth/token/roles/r", &role)
            .await;
        let reply = server
            .call(&admin, "POST", "auth/token/create/r", &policies)
            .await;
        assert!(!reply.is_success(), "role {name}: {reply:?}");
        let reply = server
            .call(&admin, "POST", "auth/token/create/r", "{}")
            .await;
        if reply.is_success() {
            let made = reply.client_token();
            let forbidden = server.call(&made, "GET", "sys/audit", "").await;
            assert_eq!(forbidden.status, 403, "role {name} made a root token");
        }
    }
}

/// Tests that the root policy cannot be written, read as another, or deleted under any spelling.
#[tokio::test]
async fn the_root_policy_stays_what_it_is() {
    let server = Server::start().await;
    for name in ["root", "Root", "ROOT"] {
        for folder in ["sys/policies/acl", "sys/policy"] {
            let path = format!("{folder}/{name}");
            let body = r#"{"policy":"path \"x\" { capabilities = [\"read\"] }"}"#;
            assert_eq!(
                server.call(ROOT, "PUT", &path, body).await.status,
                400,
                "{path}"
            );
            assert_eq!(
                server.call(ROOT, "DELETE", &path, "").await.status,
                400,
                "{path}"
            );
        }
    }
    server.root("GET", "sys/audit", "").await;
    for folder in ["sys/policies/acl", "sys/policy"] {
        let path = format!("{folder}/roots");
        let body = r#"{"policy":"path \"x\" { capabilities = [\"read\"] }"}"#;
        server.root("PUT", &path, body).await;
        server.root("DELETE", &path, "").await;
    }
}

/// Tests that a denied policy stays denied when its name is written in another case.
#[tokio::test]
async fn cve_2026_89322_deny_holds_in_other_cases() {
    let server = Server::start().await;
    server
        .policy("prod", r#"path "canary/*" { capabilities = ["read"] }"#)
        .await;
    let token = server
        .token(
            r#"
            path "sys/policies/acl/*" { capabilities = ["create", "read", "update", "delete"] }
            path "sys/policies/acl/prod" { capabilities = ["deny"] }
            "#,
        )
        .await;
    for name in ["prod", "PROD", "Prod", "prod%20", "%20prod"] {
        let path = format!("sys/policies/acl/{name}");
        let read = server.call(&token, "GET", &path, "").await;
        assert!(!read.body.contains("canary"), "{name}: {read:?}");
        server.call(&token, "PUT", &path, r#"{"policy":""}"#).await;
        server.call(&token, "DELETE", &path, "").await;
    }
    let kept = server.root("GET", "sys/policies/acl/prod", "").await;
    assert!(kept.body.contains("canary"), "{kept:?}");
    let other = r#"{"policy":"path \"x\" { capabilities = [\"read\"] }"}"#;
    for (method, body) in [("PUT", other), ("GET", ""), ("DELETE", "")] {
        let path = "sys/policies/acl/PROD-2";
        let reply = server.call(&token, method, path, body).await;
        assert!(reply.is_success(), "another one may: {method} {reply:?}");
    }
}

/// Tests that a deny of a folder's content covers the folder's list.
#[tokio::test]
async fn cve_2026_12624_a_list_obeys_the_narrower_deny() {
    let server = Server::start().await;
    server
        .root("PUT", "secret/data/private/canary", r#"{"data":{"a":1}}"#)
        .await;
    server
        .root("PUT", "secret/data/open/x", r#"{"data":{"a":1}}"#)
        .await;
    for deny in [
        "secret/metadata/private/*",
        "secret/metadata/private*",
        "secret/metadata/private/",
    ] {
        let policy = format!(
            r#"
            path "secret/*" {{ capabilities = ["list", "read"] }}
            path "{deny}" {{ capabilities = ["deny"] }}
            "#
        );
        let token = server.token(&policy).await;
        for (method, path) in [
            ("LIST", "secret/metadata/private/"),
            ("LIST", "secret/metadata/private"),
            ("GET", "secret/metadata/private/?list=true"),
            ("GET", "secret/metadata/private?list=true"),
            ("SCAN", "secret/metadata/private/"),
        ] {
            let reply = server.call(&token, method, path, "").await;
            assert!(!reply.is_success(), "{deny} {method} {path}: {reply:?}");
            assert!(
                !reply.body.contains("canary"),
                "{deny} {method} {path}: {reply:?}"
            );
        }
        for path in ["secret/metadata/", "secret/metadata/open"] {
            let reply = server.call(&token, "LIST", path, "").await;
            assert!(reply.is_success(), "beside it: {deny} {path}: {reply:?}");
        }
    }
}

/// Tests that nothing is allowed without a policy that allows it.
#[tokio::test]
async fn default_deny() {
    let server = Server::start().await;
    server
        .root("PUT", "secret/data/x", r#"{"data":{"a":"canary"}}"#)
        .await;
    let token = server.token_of(r#"{"policies":["default"]}"#).await;
    for (method, path) in [
        ("GET", "secret/data/x"),
        ("PUT", "secret/data/x"),
        ("DELETE", "secret/data/x"),
        ("LIST", "secret/metadata/"),
        ("GET", "sys/mounts"),
        ("GET", "nothing/at/all"),
    ] {
        let reply = server.call(&token, method, path, "").await;
        assert_eq!(reply.status, 403, "{method} {path}: {reply:?}");
    }
    server.root("GET", "secret/data/x", "").await;
    server.root("LIST", "secret/metadata/", "").await;
    let own = server.call(&token, "GET", "auth/token/lookup-self", "");
    assert_eq!(own.await.status, 200, "what its policy grants");
}

/// Tests that a rule about parameters is applied as the engine reads them.
#[tokio::test]
async fn rules_about_parameters_hold_in_every_spelling() {
    let server = Server::start().await;
    server
        .policy(
            "secretadmin",
            r#"path "canary/*" { capabilities = ["read"] }"#,
        )
        .await;
    let grant = r#"capabilities = ["create", "update", "sudo"]"#;
    for (rule, passes, refused) in [
        (
            r#"denied_parameters = { "policies" = ["secretadmin"] }"#,
            &[r#"{"policies":["default"]}"#, r#"{"policies":"default"}"#][..],
            &[
                r#"{"policies":["secretadmin"]}"#,
                r#"{"policies":["default","secretadmin"]}"#,
                r#"{"policies":["default","SecretAdmin "]}"#,
                r#"{"policies":"default,secretadmin"}"#,
            ][..],
        ),
        (
            r#"allowed_parameters = { "policies" = ["default", "dev"] }"#,
            &[r#"{"policies":["default","dev"]}"#, r#"{"policies":"dev"}"#],
            &[
                r#"{"policies":["default","secretadmin"]}"#,
                r#"{"policies":[]}"#,
            ],
        ),
        (
            r#"required_parameters = ["explicit_max_ttl"]"#,
            &[r#"{"explicit_max_ttl":"5s"}"#],
            &[
                r#"{"EXPLICIT_MAX_TTL":"5s"}"#,
                r#"{"explicit_max_ttl":null}"#,
                "{}",
            ],
        ),
    ] {
        let policy = format!(r#"path "auth/token/create" {{ {grant} {rule} }}"#);
        let token = server.token(&policy).await;
        for (bodies, status) in [(passes, 200), (refused, 403)] {
            for body in bodies {
                let reply = server.call(&token, "POST", "auth/token/create", body).await;
                assert_eq!(reply.status, status, "{rule} {body}: {reply:?}");
            }
        }
    }
}

/// Tests that an expired policy grants nothing, and that an expired deny denies nothing.
#[tokio::test]
async fn an_expired_grant_grants_nothing() {
    let server = Server::start().await;
    let secret = r#"{"data":{"a":"canary"}}"#;
    server.root("PUT", "secret/data/x", secret).await;
    for (until, status) in [("2020-01-01T00:00:00Z", 403), ("2500-01-01T00:00:00Z", 200)] {
        let policy =
            format!(r#"path "secret/*" {{ capabilities = ["read"] expiration = "{until}" }}"#);
        let token = server.token(&policy).await;
        let reply = server.call(&token, "GET", "secret/data/x", "").await;
        assert_eq!(reply.status, status, "{until}: {reply:?}");
    }
    let policy = r#"path \"secret/*\" { capabilities = [\"read\"] }"#;
    let over = format!(r#"{{"policy":"{policy}","expiration":"2020-01-01T00:00:00Z"}}"#);
    let refused = server.call(ROOT, "PUT", "sys/policies/acl/p", &over).await;
    assert_eq!(refused.status, 400, "{refused:?}");
}
