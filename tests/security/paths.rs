//! Paths that look like others.

use crate::server::{ROOT, Server};

/// Tests that the policy and the engine see the same path, or neither sees it.
#[tokio::test]
async fn cve_2026_3605_no_path_is_read_in_two_ways() {
    let server = Server::start().await;
    server
        .root("PUT", "secret/data/private", r#"{"data":{"a":"kept"}}"#)
        .await;
    let token = server
        .token(
            r#"
            path "secret/data/open/*" { capabilities = ["create", "read", "update", "delete"] }
            path "secret/metadata/open/*" { capabilities = ["read", "delete", "list"] }
            "#,
        )
        .await;
    let open = r#"{"data":{"a":"new"}}"#;
    for (method, body) in [("PUT", open), ("GET", "")] {
        let reply = server
            .call(&token, method, "secret/data/open/x", body)
            .await;
        assert!(reply.is_success(), "the path itself: {method} {reply:?}");
    }
    for path in [
        "secret/data/open/../private",
        "secret/data/open/./../private",
        "secret/data/open//../private",
        "secret/data/open/%2e%2e/private",
        "secret/data/open/%2E%2E/private",
        "secret/data/open/..%2fprivate",
        "secret/data/open%2f..%2fprivate",
        "secret/data/open/%2e%2e%2fprivate",
        "secret/data/open/.%2e/private",
        "secret/data/open/%5c..%5cprivate",
        "secret/data/open/%00/../private",
        "secret/metadata/open/%2e%2e/private",
    ] {
        for method in ["GET", "PUT", "DELETE", "LIST", "PATCH"] {
            let body = if method == "PUT" {
                r#"{"data":{"a":"changed"}}"#
            } else {
                ""
            };
            let reply = server.call(&token, method, path, body).await;
            assert!(!reply.is_success(), "{method} {path}: {reply:?}");
            assert!(!reply.body.contains("kept"), "{method} {path}: {reply:?}");
        }
    }
    let kept = server.root("GET", "secret/data/private", "").await.json();
    assert_eq!(kept["data"]["data"]["a"], "kept");
    assert_eq!(kept["data"]["metadata"]["version"], 1);
}

/// Tests that a trailing slash is no way around a rule: not around a deny, not around `sudo`.
#[tokio::test]
async fn a_trailing_slash_is_the_same_path() {
    let server = Server::start().await;
    server
        .root("PUT", "secret/data/private", r#"{"data":{"a":"canary"}}"#)
        .await;
    server
        .root("PUT", "sys/mounts/kept", r#"{"type":"kv"}"#)
        .await;
    server
        .policy("kept", r#"path "canary" { capabilities = ["read"] }"#)
        .await;
    let token = server
        .token(
            r#"
            path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list"] }
            path "secret/data/private" { capabilities = ["deny"] }
            path "secret/metadata/private" { capabilities = ["deny"] }
            path "sys/mounts/kept" { capabilities = ["deny"] }
            path "sys/policies/acl/kept" { capabilities = ["deny"] }
            path "auth/token/roles/kept" { capabilities = ["deny"] }
            "#,
        )
        .await;
    for (method, path) in [
        ("GET", "secret/data/private/"),
        ("PUT", "secret/data/private/"),
        ("DELETE", "secret/data/private/"),
        ("DELETE", "secret/metadata/private/"),
        ("GET", "sys/mounts/kept/"),
        ("DELETE", "sys/mounts/kept/"),
        ("GET", "sys/policies/acl/kept/"),
        ("PUT", "auth/token/roles/kept"),
        ("PUT", "sys/rotate/"),
        ("POST", "sys/remount/"),
        ("PUT", "sys/seal/"),
        ("GET", "sys/audit/"),
        ("PUT", "sys/leases/tidy/"),
        ("PUT", "sys/leases/revoke-prefix/auth/token/"),
    ] {
        let reply = server.call(&token, method, path, "{}").await;
        // There is no such secret, and deleting none is no error; the existing ones are checked
        // below.
        let is_nothing = method == "DELETE" && path.starts_with("secret/");
        assert!(
            is_nothing || !reply.is_success(),
            "{method} {path}: {reply:?}"
        );
        assert!(!reply.body.contains("canary"), "{method} {path}: {reply:?}");
    }
    let kept = server.root("GET", "secret/data/private", "").await.json();
    assert_eq!(kept["data"]["metadata"]["version"], 1);
    server.root("GET", "sys/mounts/kept", "").await;
    for path in ["sys/policies/acl/for-a-test/", "sys/mounts/secret/"] {
        let reply = server.call(&token, "GET", path, "").await;
        assert!(reply.is_success(), "what is not denied: {path} {reply:?}");
    }
}

/// Tests that redirects stay on this server.
#[tokio::test]
async fn a_redirect_never_leads_elsewhere() {
    let server = Server::start().await;
    for path in [
        "//evil.example/..",
        "..//evil.example",
        "../..//evil.example/",
    ] {
        let reply = server.call(ROOT, "GET", path, "").await;
        assert!(matches!(reply.status, 307 | 404), "{path}: {reply:?}");
        assert!(!reply.body.contains("//evil"), "{path}: {reply:?}");
    }
}

/// Tests that accepted writes can be read again, that refused ones changed nothing, and that
/// nothing panics.
#[tokio::test]
async fn cve_2021_45042_odd_writes_apply_or_err() {
    let server = Server::start().await;
    server
        .root("PUT", "sys/mounts/one", r#"{"type":"kv"}"#)
        .await;
    let long = "a".repeat(600);
    let deep = ["d"; 70].join("/");
    let names = [
        "plain",
        "with space",
        "ü",
        "%25",
        "%252e%252e",
        "a%0ab",
        "a%7fb",
        "a:b",
        "a*b",
        "a+b",
        "~",
        "-",
        "_",
        "..a",
        "a..",
        "...",
        "%e2%80%ae",
        "%f0%9f%94%91",
        &long,
        &deep,
    ];
    let values = [
        r#"{"data":{"":""}}"#,
        r#"{"data":{"a":null}}"#,
        r#"{"data":{"a":[[[[{"b":1e400}]]]]}}"#,
        r#"{"data":{"a":12345678901234567890123456789}}"#,
        r#"{"data":{"\u0000":"\u0000","$serde_json::private::Number":"x"}}"#,
        r#"{"data":{"ü":"\ud800"}}"#,
        r#"{"data":[]}"#,
        r#"{"data":null}"#,
        r#"{"data":5,"options":{"cas":"x"}}"#,
        r#"{"data":{},"options":{"cas":-1}}"#,
        r#"{"data":{},"options":5}"#,
    ];
    for name in names {
        let name = name.replace(' ', "%20");
        for value in values {
            for path in [format!("secret/data/{name}"), format!("one/{name}")] {
                let reply = server.call(ROOT, "PUT", &path, value).await;
                assert!(
                    (200..500).contains(&reply.status),
                    "{path} {value}: {reply:?}"
                );
                if reply.is_success() {
                    server.root("GET", &path, "").await;
                }
            }
        }
    }
    server.root("LIST", "one/", "").await;
    server.root("LIST", "secret/metadata/", "").await;
}

/// Tests that a caller without a token cannot tell mounts that exist from those that do not.
#[tokio::test]
async fn cve_2020_25594_mounts_cannot_be_enumerated_without_a_token() {
    let server = Server::start().await;
    for (known, unknown) in [
        ("secret/data/x", "nothing/data/x"),
        ("auth/token/lookup-self", "auth/nothing/lookup-self"),
        ("sys/mounts/secret/tune", "sys/mounts/nothing/tune"),
        (
            "sys/internal/ui/mounts/secret",
            "sys/internal/ui/mounts/nothing",
        ),
        ("cubbyhole/x", "cubbyholf/x"),
    ] {
        for token in ["", "made-up", "s.madeupmadeupmadeupmadeup"] {
            for method in ["GET", "LIST", "PUT", "DELETE"] {
                let first = server.call(token, method, known, "").await;
                let second = server.call(token, method, unknown, "").await;
                assert_eq!(first.status, second.status, "{method} {known} {token}");
                assert_eq!(
                    first.without_id(),
                    second.without_id(),
                    "{method} {known} {token}"
                );
                assert!(!first.is_success(), "{method} {known} {token}");
            }
        }
    }
    let open = server.call("", "GET", "sys/internal/ui/mounts", "").await;
    assert!(!open.body.contains("kv"), "{open:?}");
    let known = server.call(ROOT, "GET", "sys/mounts/secret/tune", "").await;
    let unknown = server
        .call(ROOT, "GET", "sys/mounts/nothing/tune", "")
        .await;
    assert_ne!(known.status, unknown.status, "with a token one can tell");
}

/// Tests that endpoints that act on the node need a token.
#[tokio::test]
async fn the_nodes_life_is_not_anyones() {
    let server = Server::start().await;
    let weak = server
        .token(r#"path "secret/*" { capabilities = ["read"] }"#)
        .await;
    for token in ["", "made-up", &weak] {
        for (method, path) in [
            ("PUT", "sys/seal"),
            ("PUT", "sys/step-down"),
            ("GET", "sys/ha-status"),
            ("POST", "sys/rotate"),
            ("GET", "sys/audit"),
            ("GET", "sys/config/state/sanitized"),
            ("POST", "sys/policies/acl/mine"),
            ("GET", "sys/host-info"),
            ("GET", "sys/in-flight-req"),
        ] {
            let reply = server.call(token, method, path, "").await;
            assert_eq!(reply.status, 403, "{method} {path} {token}: {reply:?}");
        }
    }
    let status = server.call("", "GET", "sys/seal-status", "").await.json();
    assert_eq!(status["sealed"], false);
    for path in ["sys/audit", "sys/config/state/sanitized", "sys/host-info"] {
        server.root("GET", path, "").await;
    }
    server.root("POST", "sys/rotate", "").await;
}

/// Tests the endpoints for joiners, which need no token: they tell nothing before the caller has
/// proven that it holds the unseal keys, and a store without other nodes has none of them.
#[tokio::test]
async fn cve_2022_36129_joining_is_open_and_a_lone_store_refuses_it() {
    let server = Server::start().await;
    let body = r#"{"leader_api_addr":"http://127.0.0.1:1","server_id":"a"}"#;
    for path in [
        "sys/storage/raft/join",
        "sys/storage/raft/bootstrap/challenge",
        "sys/storage/raft/bootstrap/answer",
    ] {
        for token in ["", ROOT] {
            for method in ["GET", "DELETE", "LIST"] {
                let reply = server.call(token, method, path, body).await;
                assert_eq!(reply.status, 405, "{method} {path}: {reply:?}");
            }
            let reply = server.call(token, "PUT", path, body).await;
            assert_eq!(reply.status, 400, "{path}: {reply:?}");
            let errors = reply.json();
            assert_eq!(errors["errors"][0], "raft storage is not in use", "{path}");
        }
    }
}

/// Tests that a snapshot, which is the whole store, needs a token that allows it.
#[tokio::test]
async fn cve_2022_36129_snapshots_need_a_token() {
    let server = Server::start().await;
    for (method, path) in [
        ("GET", "sys/storage/raft/snapshot"),
        ("PUT", "sys/storage/raft/snapshot"),
        ("PUT", "sys/storage/raft/snapshot-force"),
    ] {
        let open = server.call("", method, path, "junk").await;
        assert_eq!(open.status, 403, "{method} {path}: {open:?}");
        let root = server.call(ROOT, method, path, "junk").await;
        assert_eq!(root.status, 400, "{method} {path}: {root:?}");
    }
}

/// Tests that what is not built is absent for every caller.
#[tokio::test]
async fn cve_2022_36129_2024_8185_what_is_not_built_is_not_there() {
    let server = Server::start().await;
    let body = r#"{"leader_api_addr":"http://127.0.0.1:1","server_id":"a","otp":"x"}"#;
    for path in [
        "sys/replication/dr/secondary/operation-token/delete",
        "sys/decode-token",
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let open = server.call("", method, path, body).await;
            assert_eq!(open.status, 403, "{method} {path}: {open:?}");
            let root = server.call(ROOT, method, path, body).await;
            assert!(
                matches!(root.status, 404 | 405),
                "{method} {path}: {root:?}"
            );
        }
    }
}

/// Tests that an attempt begun with a token is neither seen, nor ended, nor spoiled without one;
/// and that the endpoints without a token can be shut.
#[tokio::test]
async fn cve_2025_4656_2026_5807_a_new_root_token_cannot_be_kept_from_operators() {
    let server = Server::start().await;
    let [open, twin] = ["sys/generate-root", "sys/generate-root-token"];
    let anyone = server
        .call("", "PUT", &format!("{open}/attempt"), "{}")
        .await;
    assert_eq!(anyone.status, 200, "{anyone:?}");
    let begun = server
        .root("PUT", &format!("{twin}/attempt"), "{}")
        .await
        .json();
    let nonce = begun["data"]["nonce"].as_str().unwrap();
    assert_eq!(
        server
            .call("", "DELETE", &format!("{open}/attempt"), "")
            .await
            .status,
        204
    );
    let junk = format!(r#"{{"key":"{}","nonce":"{nonce}"}}"#, "ab".repeat(32));
    let spoiled = server
        .call("", "PUT", &format!("{open}/update"), &junk)
        .await;
    assert_eq!(spoiled.status, 400, "{spoiled:?}");
    for (method, what) in [("GET", "attempt"), ("DELETE", "attempt"), ("PUT", "update")] {
        let refused = server
            .call("", method, &format!("{twin}/{what}"), &junk)
            .await;
        assert_eq!(refused.status, 403, "{method} {what}: {refused:?}");
    }
    let status = server
        .root("GET", &format!("{twin}/attempt"), "")
        .await
        .json();
    assert_eq!(status["data"]["nonce"], nonce);
    assert_eq!(status["data"]["progress"], 0);
}

/// Tests that a rekey begun with a token is neither seen, nor ended, nor spoiled without one; that
/// one begun without a token is not ended by a caller who does not know it; and that nobody is kept
/// from beginning one with a token.
#[tokio::test]
async fn cve_2025_4656_2026_5807_a_rekey_cannot_be_kept_from_operators() {
    let server = Server::start().await;
    let [open, twin] = ["sys/rekey", "sys/rotate/root"];
    let wish = r#"{"secret_shares":3,"secret_threshold":2,"require_verification":true}"#;
    let anyone = server.call("", "PUT", &format!("{open}/init"), wish).await;
    assert_eq!(anyone.status, 200, "{anyone:?}");
    for body in ["", "{}", r#"{"nonce":"x"}"#] {
        let cancel = server.call("", "DELETE", "sys/rekey/init", body).await;
        assert_eq!(cancel.status, 400, "{body}: {cancel:?}");
    }
    let begun = server
        .root("PUT", &format!("{twin}/init"), wish)
        .await
        .json();
    let nonce = begun["data"]["nonce"].as_str().unwrap();
    let junk = format!(r#"{{"key":"{}","nonce":"{nonce}"}}"#, "ab".repeat(32));
    for (method, what) in [("DELETE", "init"), ("PUT", "update"), ("PUT", "verify")] {
        let path = format!("{open}/{what}");
        let spoiled = server.call("", method, &path, &junk).await;
        assert_eq!(spoiled.status, 400, "{method} {what}: {spoiled:?}");
    }
    for (method, what) in [
        ("GET", "init"),
        ("DELETE", "init"),
        ("PUT", "update"),
        ("GET", "verify"),
        ("DELETE", "verify"),
        ("PUT", "verify"),
    ] {
        let path = format!("{twin}/{what}");
        let refused = server.call("", method, &path, &junk).await;
        assert_eq!(refused.status, 403, "{method} {what}: {refused:?}");
    }
    let status = server.root("GET", &format!("{twin}/init"), "").await.json();
    assert_eq!(status["data"]["nonce"], nonce);
    assert_eq!(status["data"]["progress"], 0);
    let mine = server
        .call("", "GET", &format!("{open}/init"), "")
        .await
        .json();
    let mine = format!(r#"{{"nonce":{}}}"#, mine["nonce"]);
    let cancel = server.call("", "DELETE", "sys/rekey/init", &mine).await;
    assert_eq!(cancel.status, 204, "{cancel:?}");
}

/// Tests that members are shown and changed only with a token that allows it, in every spelling.
#[tokio::test]
async fn cve_2021_3282_members_are_not_changed_by_just_anyone() {
    let server = Server::start().await;
    let weak = server
        .token(r#"path "secret/*" { capabilities = ["read"] }"#)
        .await;
    let body = r#"{"server_id":"a","dr_operation_token":"x","force":true,"min_quorum":9}"#;
    for token in ["", "made-up", &weak] {
        for path in [
            "sys/storage/raft/configuration",
            "sys/storage/raft/remove-peer",
            "sys/storage/raft/remove-peer/",
            "sys/storage/raft/promote",
            "sys/storage/raft/demote",
            "sys/storage/raft/join-token",
            "sys/storage/raft/autopilot/configuration",
            "sys/storage/raft/autopilot/state",
        ] {
            for method in ["GET", "PUT", "POST", "DELETE", "LIST"] {
                let reply = server.call(token, method, path, body).await;
                assert_eq!(reply.status, 403, "{method} {path} {token}: {reply:?}");
            }
        }
    }
    let root = server.call(ROOT, "GET", "sys/storage/raft/configuration", "");
    assert_ne!(root.await.status, 403, "root may ask");
}

/// Tests that the raw store is not served unless the operator enables it.
#[tokio::test]
async fn raw_is_off_unless_configured() {
    let server = Server::start().await;
    for (method, path) in [("GET", "sys/raw/core/mounts"), ("LIST", "sys/raw/core")] {
        let reply = server.call(ROOT, method, path, "").await;
        assert!(
            matches!(reply.status, 404 | 405),
            "{method} {path}: {reply:?}"
        );
    }
    let raw = Server::with("storage \"inmem\" {}\nraw_storage_endpoint = true").await;
    raw.policy("canary", r#"path "x" { capabilities = ["read"] }"#)
        .await;
    let listed = raw.root("LIST", "sys/raw/sys/policy", "").await;
    assert!(listed.body.contains("canary"), "{listed:?}");
}

/// Tests that a rule for a role in capitals holds for it: roles differ by case.
#[tokio::test]
async fn a_deny_on_a_role_in_capitals_holds() {
    let server = Server::start().await;
    for role in ["Admin", "plain"] {
        server
            .root("PUT", &format!("auth/token/roles/{role}"), "{}")
            .await;
    }
    let token = server
        .token(
            r#"
            path "auth/token/create/*" { capabilities = ["create", "update", "sudo"] }
            path "auth/token/create/Admin" { capabilities = ["deny"] }
            "#,
        )
        .await;
    let allowed = server
        .call(&token, "POST", "auth/token/create/plain", "{}")
        .await;
    assert!(allowed.is_success(), "{allowed:?}");
    for path in ["auth/token/create/Admin", "auth/token/create/Admin/"] {
        let denied = server.call(&token, "POST", path, "{}").await;
        assert_eq!(denied.status, 403, "{path}: {denied:?}");
    }
    // Another spelling is another role, which does not exist.
    let other = server
        .call(&token, "POST", "auth/token/create/admin", "{}")
        .await;
    assert!(!other.is_success(), "{other:?}");
}
