//! The life of a secret: written, read, patched, deleted, undeleted, destroyed.

use crate::support::Server;
use serde_json::json;

#[test]
fn a_secret_lives_through_all_its_states() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let (_, token) = server.initialize();
    let root = server.client().with_token(&token);
    let mount = json!({"type": "kv", "options": {"version": "2"}});
    root.put("sys/mounts/kv", mount).expect(204);

    let first = root.put(
        "kv/data/apikey",
        json!({"data": {"webapp": "ABB39KKPTWOR832JGNLS02"}}),
    );
    assert_eq!(first.expect(200).json()["data"]["version"], 1);
    let stale = json!({"options": {"cas": 0}, "data": {"webapp": "x"}});
    root.put("kv/data/apikey", stale).expect(400);
    root.put(
        "kv/data/apikey",
        json!({"data": {"webapp": "ABB", "n": 12345678901234567890u64}}),
    )
    .expect(200);
    let read = root.get("kv/data/apikey").expect(200);
    assert!(read.body.contains("12345678901234567890"), "{}", read.body);
    let old = root.get("kv/data/apikey?version=1").expect(200).json();
    assert_eq!(old["data"]["data"]["webapp"], "ABB39KKPTWOR832JGNLS02");

    root.delete("kv/data/apikey").expect(204);
    let deleted = root.get("kv/data/apikey").expect(404).json();
    assert_eq!(deleted["data"]["metadata"]["version"], 2);
    root.put("kv/undelete/apikey", json!({"versions": [2]}))
        .expect(204);
    root.get("kv/data/apikey").expect(200);
    root.put("kv/destroy/apikey", json!({"versions": [2]}))
        .expect(204);
    root.get("kv/data/apikey").expect(404);
    assert_eq!(
        root.list("kv/metadata/").expect(200).json()["data"]["keys"],
        json!(["apikey"])
    );
    root.delete("kv/metadata/apikey").expect(204);
    let gone = root.get("kv/data/apikey").expect(404).json();
    assert_eq!(gone["errors"], json!([]));
}

#[test]
fn strangers_learn_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    server.initialize();
    let nobody = server.client();
    for path in [
        "kv/data/x",
        "sys/mounts",
        "nosuch/mount",
        "auth/token/lookup-self",
    ] {
        let answer = nobody.get(path);
        assert_eq!(
            (answer.status, answer.body.trim()),
            (403, r#"{"errors":["permission denied"]}"#),
            "{path}"
        );
    }
}
