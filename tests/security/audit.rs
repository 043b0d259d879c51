//! The audit log: its content, its place, and that no request is served without it.

use crate::server::{ROOT, Server};
use std::os::unix::fs::{PermissionsExt, symlink};

fn enable(path: &std::path::Path, more: &str) -> String {
    format!(
        r#"{{"type":"file","options":{{"file_path":"{}"{more}}}}}"#,
        path.display()
    )
}

const CANARIES: [&str; 12] = [
    "CANARY-value",
    "CANARY-item",
    "CANARY-deep",
    "CANARY-bearer",
    "CANARY-cookie",
    "CANARY-header",
    "CANARY-token",
    "CANARY-wrong",
    "CANARY-broken",
    "CANARY-wrapped",
    "CANARY-hole",
    "CANARY-share",
];

/// Tests that secrets are hashed wherever a client may put them.
#[tokio::test]
async fn cve_2024_8365_2025_62513_no_canary_reaches_the_log() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.log");
    server
        .root("PUT", "sys/audit/file", &enable(&log, ""))
        .await;
    let token = server
        .token(r#"path "secret/*" { capabilities = ["create", "read"] }"#)
        .await;
    let body = r#"{"data":{"password":"CANARY-value","list":["CANARY-item",{"a":"CANARY-deep"}]}}"#;
    assert!(
        server
            .call(&token, "PUT", "secret/data/x", body)
            .await
            .is_success()
    );
    let read = server.call(&token, "GET", "secret/data/x", "").await;
    assert!(read.body.contains("CANARY-deep"), "{read:?}");
    let headers = "Authorization: Bearer CANARY-bearer\r\nCookie: CANARY-cookie\r\n\
                   X-Custom: CANARY-header\r\n";
    server
        .call_with("", headers, "GET", "secret/data/x", "")
        .await;
    server
        .call("CANARY-token", "GET", "secret/data/x", "")
        .await;
    server
        .call(&token, "PUT", "secret/data/x", r#"{"data":"CANARY-wrong"}"#)
        .await;
    server
        .call(&token, "PUT", "secret/data/x", "{\"data\":\"CANARY-broken")
        .await;
    let wrap = "X-Vault-Wrap-TTL: 60\r\n";
    let wrapped = server
        .call_with(
            ROOT,
            wrap,
            "POST",
            "sys/wrapping/wrap",
            r#"{"a":"CANARY-wrapped"}"#,
        )
        .await;
    let wrapping = wrapped.json()["wrap_info"]["token"]
        .as_str()
        .unwrap()
        .to_owned();
    server
        .call(&wrapping, "POST", "sys/wrapping/unwrap", "")
        .await;
    let made = server
        .token_of(r#"{"policies":["default"],"meta":{"a":"CANARY-meta"}}"#)
        .await;
    server
        .call(
            &made,
            "PUT",
            "cubbyhole/x",
            r#"{"CANARY-no":"CANARY-hole"}"#,
        )
        .await;
    server
        .call(ROOT, "PUT", "sys/unseal", r#"{"key":"CANARY-share"}"#)
        .await;
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.lines().count() > 10, "{text}");
    let tokens = [&token, &wrapping, &made].map(String::as_str);
    for secret in CANARIES.into_iter().chain(tokens).chain([ROOT]) {
        assert!(!text.contains(secret), "{secret} is in the audit log");
    }
}

/// Tests that no setting of headers brings a token into the log, in clear or hashed.
#[tokio::test]
async fn cve_2026_4525_46405_no_setting_logs_a_token_header() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.log");
    server
        .root("PUT", "sys/audit/file", &enable(&log, ""))
        .await;
    let names = ["X-Vault-Token", "Authorization", "X-Trace"];
    for name in names {
        let path = format!("sys/config/auditing/request-headers/{name}");
        server.call(ROOT, "PUT", &path, r#"{"hmac":false}"#).await;
    }
    let tune = serde_json::json!({ "passthrough_request_headers": names }).to_string();
    server
        .call(ROOT, "POST", "sys/mounts/secret/tune", &tune)
        .await;
    let token = server
        .token(r#"path "secret/*" { capabilities = ["read"] }"#)
        .await;
    let trace = "X-Trace: seen\r\n";
    server
        .call_with(&token, trace, "GET", "secret/data/x", "")
        .await;
    let bearer = format!("{trace}Authorization: Bearer {token}\r\n");
    server
        .call_with("", &bearer, "GET", "secret/data/x", "")
        .await;
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("seen"), "{text}");
    assert!(!text.contains(&token), "{text}");
    for name in ["\"x-vault-token\"", "\"authorization\""] {
        let last = text.lines().rev().take(4);
        assert!(
            !last.collect::<String>().to_lowercase().contains(name),
            "{text}"
        );
    }
}

/// Tests that an audit file is a plain file: not executable, not through a link, not instead of a
/// device.
#[tokio::test]
async fn cve_2025_6000_an_audit_file_is_nothing_but_a_file() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    std::fs::write(&target, "precious\n").unwrap();
    let link = folder.path().join("link");
    symlink(&target, &link).unwrap();
    for (path, more) in [
        (folder.path().join("a"), r#","mode":"0755""#),
        (folder.path().join("b"), r#","mode":"4600""#),
        (link, ""),
        (folder.path().to_owned(), ""),
        (folder.path().join("missing/c"), ""),
        ("relative.log".into(), ""),
    ] {
        let reply = server
            .call(ROOT, "PUT", "sys/audit/x", &enable(&path, more))
            .await;
        assert!(!reply.is_success(), "{}{more}: {reply:?}", path.display());
        let devices = server.root("GET", "sys/audit", "").await.json();
        assert_eq!(devices["data"], serde_json::json!({}), "{}", path.display());
    }
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious\n");
    let plain = folder.path().join("plain.log");
    server.root("PUT", "sys/audit/x", &enable(&plain, "")).await;
    assert!(plain.is_file(), "a plain file is taken");
    server.root("DELETE", "sys/audit/x", "").await;
    let executable = folder.path().join("run");
    std::fs::write(&executable, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&executable, PermissionsExt::from_mode(0o755)).unwrap();
    let prefix = r##","prefix":"#!/bin/sh\n""##;
    for more in ["", prefix] {
        let reply = server
            .call(ROOT, "PUT", "sys/audit/x", &enable(&executable, more))
            .await;
        let mode = std::fs::metadata(&executable).unwrap().permissions().mode();
        assert!(
            !reply.is_success() || mode & 0o111 == 0,
            "{reply:?} {mode:o}"
        );
        server.call(ROOT, "DELETE", "sys/audit/x", "").await;
    }
}

/// Tests that no request is served where no device can write.
#[tokio::test]
async fn what_cannot_be_audited_does_not_happen() {
    let server = Server::start().await;
    let full = std::path::Path::new("/dev/full");
    let reply = server
        .call(ROOT, "PUT", "sys/audit/full", &enable(full, ""))
        .await;
    if !reply.is_success() {
        // The device was refused: then it cannot stand in the way either.
        server
            .root("PUT", "secret/data/x", r#"{"data":{"a":1}}"#)
            .await;
        return;
    }
    let put = server
        .call(ROOT, "PUT", "secret/data/x", r#"{"data":{"a":1}}"#)
        .await;
    assert_eq!(put.status, 507, "{put:?}");
    let read = server.call(ROOT, "GET", "secret/data/x", "").await;
    assert_eq!(read.status, 507, "{read:?}");
    let delete = server.call(ROOT, "DELETE", "secret/data/x", "").await;
    assert_eq!(delete.status, 507, "a deletion is no way out: {delete:?}");
    let stranger = server.call("wrong", "DELETE", "sys/audit/full", "").await;
    assert!(!stranger.is_success(), "{stranger:?}");
    let still = server.call(ROOT, "GET", "secret/data/x", "").await;
    assert_eq!(still.status, 507, "the device is still there: {still:?}");
    // The way out over the API: the log of the server has it instead.
    server.root("DELETE", "sys/audit/full", "").await;
    server
        .root("PUT", "secret/data/x", r#"{"data":{"a":1}}"#)
        .await;
}
