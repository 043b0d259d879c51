//! `server -dev` is ready at once and prints how to use it.

use crate::support::{Server, exit_of};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

#[test]
fn prints_and_stores_what_one_needs() {
    let home = tempfile::tempdir().unwrap();
    // An older token file that all may read, with a second name too.
    let (old, other) = (home.path().join(".vault-token"), home.path().join("other"));
    std::fs::write(&old, "older").unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::hard_link(&old, &other).unwrap();
    let server = Server::start(
        &[
            "-dev",
            "-dev-root-token-id=root",
            "-dev-listen-address=127.0.0.1:0",
        ],
        home.path(),
    );
    let banner = &server.banner;
    assert!(banner.contains("Root Token: root\n"), "{banner}");
    assert!(banner.contains("Unseal Key: "), "{banner}");
    let export = format!("export VAULT_ADDR='http://{}'", server.address);
    assert!(banner.contains(&export), "{banner}");
    let stored = std::fs::read_to_string(home.path().join(".vault-token")).unwrap();
    assert_eq!(stored, "root");
    let kept = std::fs::metadata(home.path().join(".vault-token")).unwrap();
    assert_eq!(kept.permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(other).unwrap(), "older");

    let root = server.client().with_token("root");
    root.put("secret/data/a", json!({"data": {"b": "c"}}))
        .expect(200);
    let read = root.get("secret/data/a").expect(200).json();
    assert_eq!(read["data"]["data"]["b"], "c");
    let status = root.get("sys/seal-status").json();
    assert_eq!(
        (&status["storage_type"], &status["sealed"]),
        (&json!("inmem"), &json!(false))
    );

    let key = banner
        .lines()
        .find_map(|line| line.strip_prefix("Unseal Key: "))
        .unwrap();
    root.put("sys/seal", json!({})).expect(204);
    server.unseal(key);
    root.get("secret/data/a").expect(200);
}

#[test]
fn leaves_the_token_file_alone_when_told_to() {
    let home = tempfile::tempdir().unwrap();
    let args = [
        "-dev",
        "-dev-no-store-token",
        "-dev-listen-address=127.0.0.1:0",
    ];
    let server = Server::start(&args, home.path());
    assert!(!home.path().join(".vault-token").exists());
    let token = server
        .banner
        .lines()
        .find_map(|line| line.strip_prefix("Root Token: "))
        .unwrap();
    server
        .client()
        .with_token(token)
        .get("sys/mounts")
        .expect(200);
}

/// Tests that with `-dev-path` a dev node is the same node after a kill, and opens no store that it
/// did not make.
#[test]
fn lasts_in_the_embedded_store() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let path = format!("-dev-path={}", data.display());
    let args = [
        "-dev",
        path.as_str(),
        "-dev-root-token-id=root",
        "-dev-listen-address=127.0.0.1:0",
    ];
    let server = Server::start(&args, home.path());
    let root = server.client().with_token("root");
    root.put("secret/data/a", json!({"data": {"b": "c"}}))
        .expect(200);
    server.kill();
    let mode = std::fs::metadata(data.join("dev.keys")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);

    let server = Server::start(&args, home.path());
    let root = server.client().with_token("root");
    let read = root.get("secret/data/a").expect(200).json();
    assert_eq!(read["data"]["data"]["b"], "c");
    assert_eq!(
        root.get("sys/seal-status").json()["storage_type"],
        json!("raft")
    );
    server.kill();

    std::fs::remove_file(data.join("dev.keys")).unwrap();
    let (code, output) = exit_of(&args, home.path());
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("was not made by -dev"), "{output}");
}
