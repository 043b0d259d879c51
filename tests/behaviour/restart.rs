//! Acknowledged writes are there after `kill -9`.

use crate::support::Server;
use serde_json::json;

#[test]
fn everything_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let (key, token) = server.initialize();
    let root = server.client().with_token(&token);
    let mount = json!({"type": "kv", "options": {"version": "2"}});
    root.put("sys/mounts/kv", mount).expect(204);
    root.put(
        "sys/policies/acl/reader",
        json!({"policy": "path \"kv/*\" { capabilities = [\"read\"] }"}),
    )
    .expect(204);
    let made = root
        .put("auth/token/create", json!({"policies": ["reader"]}))
        .expect(200)
        .json();
    let reader = made["auth"]["client_token"].as_str().unwrap().to_owned();
    for at in 0..50 {
        root.put(&format!("kv/data/app/{at}"), json!({"data": {"value": at}}))
            .expect(200);
    }
    let cluster = root.get("sys/seal-status").json()["cluster_id"].clone();
    server.kill();

    let server = Server::raft(folder.path());
    assert_eq!(server.client().get("sys/health").status, 503);
    server.unseal(&key);
    assert_eq!(
        server.client().get("sys/seal-status").json()["cluster_id"],
        cluster
    );
    let reader = server.client().with_token(&reader);
    for at in 0..50 {
        let read = reader.get(&format!("kv/data/app/{at}")).expect(200).json();
        assert_eq!(read["data"]["data"]["value"], at);
    }
    reader.put("kv/data/app/1", json!({"data": {}})).expect(403);
}

#[test]
fn a_stop_in_good_order_exits_with_zero_and_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let (key, token) = server.initialize();
    let root = server.client().with_token(&token);
    root.put("cubbyhole/note", json!({"a": "b"})).expect(204);
    assert_eq!(server.stop(), Some(0));

    let server = Server::raft(folder.path());
    server.unseal(&key);
    let root = server.client().with_token(&token);
    assert_eq!(
        root.get("cubbyhole/note").expect(200).json()["data"]["a"],
        "b"
    );
}
