//! The requests that are answered while no client can be authenticated, and those that are not.

use crate::fake::{Edge, Reply};
use coffer::router::Role;
use serde_json::json;
use tokio::io::AsyncWriteExt;

const KEY: &str = "abababababababababababababababababababababababababababababababababab";

#[tokio::test]
async fn health_has_a_code_for_every_standing_and_switches_for_them() {
    let edge = Edge::start(|_| ()).await;
    let health = edge.call("GET", "/v1/sys/health", "").await;
    assert_eq!(health.status, 501);
    let body = health.json();
    assert_eq!(body["initialized"], false);
    assert_eq!(body["sealed"], true);
    assert_eq!(body["standby"], true);
    assert_eq!(body["server_time_utc"], 1_700_000_000);
    assert!(body.get("cluster_name").is_none());
    let edge = Edge::sealed(|_| ()).await;
    for (path, status) in [
        ("/v1/sys/health", 503),
        ("/v1/sys/health?sealedcode=299", 299),
        ("/v1/sys/health?uninitcode=299&standbyok", 503),
        ("/v1/sys/health?sealedcode=abc", 400),
        ("/v1/sys/health?sealedcode=9999", 400),
        ("/v1/sys/health?sealedcode=100", 400),
        ("/v1/sys/health?activecode=1", 400),
    ] {
        assert_eq!(edge.call("GET", path, "").await.status, status, "{path}");
        let head = edge.send(&format!("HEAD {path} HTTP/1.0\r\n\r\n")).await;
        assert_eq!((head.status, head.body.as_str()), (status, ""), "{path}");
    }
    assert_eq!(edge.call("POST", "/v1/sys/health", "").await.status, 405);
}

#[tokio::test]
async fn a_sealed_node_says_so_and_reads_no_body() {
    let edge = Edge::sealed(|_| ()).await;
    for (method, path) in [
        ("GET", "/v1/secret/x"),
        ("LIST", "/v1/secret/"),
        ("GET", "/v1/sys/mounts"),
        ("GET", "/v1/sys/ha-status"),
        ("GET", "/v1/sys/leader"),
        ("PUT", "/v1/sys/step-down"),
        ("GET", "/v1/sys/generate-root/attempt"),
        ("OPTIONS", "/v1/secret/x"),
        ("GET", "/v1/"),
    ] {
        let reply = edge.call(method, path, "").await;
        assert_eq!(reply.status, 503, "{method} {path}");
        assert_eq!(reply.errors(), ["Vault is sealed"], "{method} {path}");
    }
    // The body never comes, and the answer does.
    let request = "PUT /v1/secret/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
    assert_eq!(edge.send(request).await.status, 503);
    assert_eq!(edge.call("PUT", "/v1/sys/seal", "").await.status, 204);
    let status = edge.call("GET", "/v1/sys/seal-status", "").await;
    assert_eq!(
        (status.status, status.json()["sealed"] == true),
        (200, true)
    );
}

#[tokio::test]
async fn initialization_checks_its_numbers() {
    let edge = Edge::start(|_| ()).await;
    let init = edge.call("GET", "/v1/sys/init", "").await;
    assert_eq!(init.json(), json!({"initialized": false}));
    for (body, error) in [
        (
            "{}",
            "invalid seal configuration: shares must be at least one",
        ),
        (
            r#"{"secret_shares":5}"#,
            "invalid seal configuration: threshold must be at least one",
        ),
        (
            r#"{"secret_shares":5,"secret_threshold":6}"#,
            "invalid seal configuration: threshold cannot be larger than shares",
        ),
        (
            r#"{"secret_shares":256,"secret_threshold":6}"#,
            "invalid seal configuration: shares must be less than 256",
        ),
        (
            r#"{"secret_shares":5,"secret_threshold":1}"#,
            "invalid seal configuration: threshold must be greater than one for multiple shares",
        ),
        (
            r#"{"secret_shares":1,"secret_threshold":1,"recovery_shares":1}"#,
            "parameters recovery_shares not applicable to seal type shamir",
        ),
        (
            r#"{"secret_shares":1,"secret_threshold":1,"pgp_keys":["x"]}"#,
            "invalid seal configuration: error decoding given PGP key: it is neither base64 nor \
             ASCII armor",
        ),
        (
            r#"{"secret_shares":1.5}"#,
            "Field validation failed: error converting input for field \"secret_shares\": '' \
             cannot parse value as 'int': strconv.ParseInt: invalid syntax",
        ),
    ] {
        let reply = edge.call("PUT", "/v1/sys/init", body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert_eq!(reply.errors(), [error], "{body}");
    }
    assert!(
        edge.node.inits.lock().unwrap().is_empty(),
        "nothing changed"
    );
    let good = r#"{"secret_shares":5,"secret_threshold":3,"stored_shares":1,"pgp_keys":null}"#;
    let reply = edge.call("POST", "/v1/sys/init", good).await;
    assert_eq!(reply.status, 200);
    let base64 = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6ur";
    assert_eq!(
        reply.json(),
        json!({
            "keys": ["ab".repeat(33)], "keys_base64": [base64], "root_token": "s.root",
            "cluster_name": "fake", "cluster_id": "1",
        })
    );
    assert_eq!(*edge.node.inits.lock().unwrap(), [(5, 3)]);
    let again = edge.call("PUT", "/v1/sys/init", good).await;
    assert_eq!(again.errors(), ["Vault is already initialized"]);
    assert_eq!(edge.call("DELETE", "/v1/sys/init", "").await.status, 405);
}

#[tokio::test]
async fn unseal_keys_are_hex_or_base64_and_of_a_plausible_length() {
    let edge = Edge::sealed(|_| ()).await;
    for (body, error) in [
        (
            "",
            "'key' must be specified in request body as JSON, or 'reset' set to true",
        ),
        (
            "{}",
            "'key' must be specified in request body as JSON, or 'reset' set to true",
        ),
        (
            r#"{"key":"zz$"}"#,
            "'key' must be a valid hex or base64 string",
        ),
        (
            r#"{"key":"aa"}"#,
            "'key' must be a valid hex or base64 string",
        ),
        (r#"{"key":5}"#, "'key' must be a valid hex or base64 string"),
        (
            r#"{"key":{}}"#,
            "Field validation failed: error converting input for field \"key\": '' expected type \
             'string', got unconvertible type 'map[string]interface {}'",
        ),
        (
            r#"{"key":"AAAA"}"#,
            "invalid key: key is shorter than minimum 16 bytes",
        ),
        (
            &format!(r#"{{"key":"{}"}}"#, "AAAA".repeat(20)),
            "invalid key: key is longer than maximum 33 bytes",
        ),
        (
            &format!(r#"{{"key":"{KEY}","migrate":true}}"#),
            "can't perform a seal migration, no migration seal found",
        ),
    ] {
        let reply = edge.call("PUT", "/v1/sys/unseal", body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert_eq!(reply.errors(), [error], "{body}");
    }
    assert!(edge.node.shares.lock().unwrap().is_empty());
    let good = format!(r#"{{"key":"{}"}}"#, "cd".repeat(33));
    let first = edge.call("PUT", "/v1/sys/unseal", &good).await;
    assert_eq!(first.json()["progress"], 1);
    let reset = edge
        .call("PUT", "/v1/sys/unseal", r#"{"reset":true}"#)
        .await;
    assert_eq!(reset.json()["progress"], 0);
    edge.call("POST", "/v1/sys/unseal", &good).await;
    let base64 = r#"{"key":"q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6ur"}"#;
    let second = edge.call("PUT", "/v1/sys/unseal", base64).await;
    assert_eq!(second.json()["sealed"], false);
    assert_eq!(second.json()["cluster_name"], "home");
    let shares = edge.node.shares.lock().unwrap().clone();
    assert_eq!(shares, [vec![0xcd; 33], vec![0xab; 33]]);
    let unneeded = edge
        .call("PUT", "/v1/sys/unseal", r#"{"key":"AAAA"}"#)
        .await;
    assert_eq!(
        unneeded.status, 200,
        "unsealing an unsealed server is no error"
    );
    assert_eq!(edge.call("GET", "/v1/sys/unseal", "").await.status, 405);
}

#[tokio::test]
async fn a_stopping_node_answers_503() {
    let edge = Edge::sealed(|_| ()).await;
    edge.role.send_replace(Role::Stopping);
    let reply = edge.call("GET", "/v1/secret/x", "").await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.errors(), ["Vault is stopping"]);
}

#[tokio::test]
async fn what_is_not_the_api_is_told_apart() {
    let edge = Edge::sealed(|_| ()).await;
    let root = edge.call("GET", "/", "").await;
    assert_eq!((root.status, root.header("location")), (307, Some("/ui/")));
    let ui = edge.call("GET", "/ui/", "").await;
    assert_eq!(ui.status, 404);
    assert!(ui.body.contains("no web UI"), "{ui:?}");
    for path in ["/foo", "/v1", "/v2/x", "//v1/sys/health"] {
        let reply = edge.call("GET", path, "").await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.json(), json!({"errors": []}), "{path}");
    }
    let redirect = edge.call("GET", "/v1/sys//health?a=b", "").await;
    assert_eq!(redirect.status, 307);
    assert_eq!(redirect.header("location"), Some("/v1/sys/health?a=b"));
    let encoded = edge.call("GET", "/v1/sys/%2e%2e/health", "").await;
    assert_eq!(encoded.status, 400);
    let foreign = "GET /v1/sys/health HTTP/1.1\r\nHost: x\r\nX-Vault-Namespace: a/\r\n\r\n";
    assert_eq!(edge.send(foreign).await.status, 400);
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let edge = Edge::sealed(|_| ()).await;
    for path in ["/", "/foo", "/v1/sys/health", "/v1/secret/x", "/v1/%zz"] {
        let reply = edge.call("GET", path, "").await;
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        let security = reply.header("strict-transport-security");
        assert_eq!(
            security,
            Some("max-age=31536000; includeSubDomains"),
            "{path}"
        );
        assert!(reply.header("content-type").is_some(), "{path}");
        assert!(reply.header("date").is_some(), "{path}");
    }
}

#[tokio::test]
async fn a_connection_outlives_an_answer_that_needs_no_body_or_says_that_it_ends() {
    let edge = Edge::sealed(|_| ()).await;
    let mut stream = edge.connect().await;
    for path in ["/nothing", "/v1/sys/health", "/v1/secret/x"] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // The body is late, as on a slow link.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        stream.write_all(b"{\"a\":").await.unwrap();
        let reply = Reply::read(&mut stream).await;
        assert!(reply.status >= 400, "{reply:?}");
        assert_eq!(reply.header("connection"), None, "{path}");
    }
    stream
        .write_all(b"GET /v1/sys/seal-status HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(Reply::read(&mut stream).await.status, 200);
    // One that is too long to be read for nothing, one that never comes, one that waits to be
    // asked for.
    for rest in [
        "Content-Length: 300000\r\n\r\n",
        "Content-Length: 5\r\n\r\n",
        "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    ] {
        let mut stream = edge.connect().await;
        let head = format!("POST /nothing HTTP/1.1\r\nHost: x\r\n{rest}");
        stream.write_all(head.as_bytes()).await.unwrap();
        let reply = Reply::read(&mut stream).await;
        assert_eq!(reply.status, 404, "{reply:?}");
        assert_eq!(reply.header("connection"), Some("close"), "{rest:?}");
        assert!(!reply.head.contains("100"), "{reply:?}");
    }
}
