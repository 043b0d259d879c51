//! What an older key encrypted is encrypted anew in the background, through kills, and then the key
//! is dropped.

use crate::support::{Client, Server, reaches};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const SECRETS: usize = 600;

/// Runs `coffer operator rotate <args>`.
fn rotate(server: &Server, token: &str, folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coffer"));
    command.args(["operator", "rotate"]).args(args).env_clear();
    command.env("HOME", folder).env("VAULT_TOKEN", token);
    command.env("VAULT_ADDR", format!("http://{}", server.address));
    command.output().unwrap()
}

#[track_caller]
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn progress(root: &Client) -> Value {
    let answer = root.get("sys/rotate/rewrap").expect(200).json();
    answer["data"].clone()
}

fn value(at: usize) -> String {
    format!("{at} ").repeat(300)
}

#[test]
fn an_older_key_is_dropped_although_the_server_is_killed_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::raft(folder.path());
    let (key, token) = server.initialize();
    let root = server.client().with_token(&token);
    root.put("sys/mounts/kv", json!({"type": "kv"})).expect(204);
    for at in 0..SECRETS {
        root.put(&format!("kv/s{at}"), json!({"v": value(at)}))
            .expect(204);
    }
    let refused = rotate(&server, &token, folder.path(), &["-status", "-rewrap"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let done = rotate(
        &server,
        &token,
        folder.path(),
        &["-rewrap", "-end-batch-tokens"],
    );
    assert!(printed(&done).contains("in the background"), "{done:?}");

    for kill in 0..3 {
        let root = server.client().with_token(&token);
        let some = || progress(&root)["rewritten"].as_u64() > Some(0);
        assert!(reaches(PATIENCE, some), "{kill}: {}", progress(&root));
        assert_eq!(progress(&root)["state"], "rewrapping");
        server.kill();
        server = Server::raft(folder.path());
        server.unseal(&key);
        let root = server.client().with_token(&token);
        assert!(reaches(PATIENCE, || root.get("kv/s0").status == 200));
    }
    let root = server.client().with_token(&token);
    root.put("kv/new", json!({"v": "new"})).expect(204);
    let dropped = || root.get("sys/key-status").json()["older_terms"] == json!([]);
    assert!(reaches(PATIENCE, dropped), "{}", progress(&root));
    let shown = printed(&rotate(&server, &token, folder.path(), &["-status"]));
    assert!(shown.contains("idle"), "{shown}");
    server.kill();
    let server = Server::raft(folder.path());
    server.unseal(&key);
    let root = server.client().with_token(&token);
    assert!(reaches(PATIENCE, || root.get("kv/s0").status == 200));
    for at in 0..SECRETS {
        let read = root.get(&format!("kv/s{at}")).expect(200).json();
        assert_eq!(read["data"]["v"], json!(value(at)));
    }
    assert_eq!(root.get("sys/key-status").json()["data"]["term"], 2);
    let stopped = rotate(&server, &token, folder.path(), &["-cancel"]);
    assert!(
        printed(&stopped).contains("Success"),
        "nothing to stop is no fault"
    );
}
