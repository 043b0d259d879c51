//! A snapshot restores everything, and a file that is none changes nothing.

use crate::support::{self, Client, Server, reaches, read_log};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

/// Longest wait for work in the background.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `coffer operator raft snapshot <args>` in `folder`.
fn snapshot(server: &Server, token: &str, folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coffer"));
    command.args(["operator", "raft", "snapshot"]).args(args);
    command
        .env_clear()
        .env("HOME", folder)
        .env("VAULT_TOKEN", token);
    command.env("VAULT_ADDR", format!("http://{}", server.address));
    command.current_dir(folder).output().unwrap()
}

#[track_caller]
fn succeed(output: &Output) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

/// Returns the refusal's text.
#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn write(client: &Client, path: &str, value: &str) {
    client
        .put(path, json!({"data": {"value": value}}))
        .expect(200);
}

#[track_caller]
fn read(client: &Client, path: &str) -> String {
    let read = client.get(path).expect(200).json();
    read["data"]["data"]["value"].as_str().unwrap().to_owned()
}

fn mount(client: &Client) {
    let mount = json!({"type": "kv", "options": {"version": "2"}});
    client.put("sys/mounts/kv", mount).expect(204);
}

fn applied(client: &Client) -> u64 {
    let leader = client.get("sys/leader").expect(200).json();
    leader["raft_applied_index"].as_u64().unwrap()
}

#[test]
fn everything_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let (key, token) = server.initialize();
    let root = server.client().with_token(&token);
    mount(&root);
    for value in ["one", "two", "three"] {
        write(&root, "kv/data/app", value);
    }
    let policy = json!({"policy": "path \"kv/*\" { capabilities = [\"read\"] }"});
    root.put("sys/policies/acl/reader", policy).expect(204);
    let made = root.put("auth/token/create", json!({"policies": ["reader"]}));
    let reader = made.expect(200).json()["auth"]["client_token"].clone();
    let reader = server.client().with_token(reader.as_str().unwrap());
    succeed(&snapshot(
        &server,
        &token,
        folder.path(),
        &["save", "a.snap"],
    ));

    // The settings for this cluster's members are no part of what a restore brings.
    let settings = "sys/storage/raft/autopilot/configuration";
    let patient = json!({"server_stabilization_time": "42s"});
    root.put(settings, patient).expect(204);
    // Every object that a cache could hold is changed, and read.
    reader.put("auth/token/revoke-self", json!({})).expect(204);
    root.delete("kv/metadata/app").expect(204);
    write(&root, "kv/data/later", "x");
    root.delete("sys/policies/acl/reader").expect(204);
    root.delete("sys/mounts/kv").expect(204);
    root.put("sys/rotate", json!({})).expect(204);
    reader.get("kv/data/app").expect(403);

    succeed(&snapshot(
        &server,
        &token,
        folder.path(),
        &["restore", "a.snap"],
    ));
    assert_eq!(read(&reader, "kv/data/app"), "three");
    assert_eq!(read(&reader, "kv/data/app?version=1"), "one");
    reader.get("kv/data/later").expect(404);
    let kept = root.get(settings).expect(200).json();
    assert_eq!(kept["data"]["server_stabilization_time"], "42s");
    write(&root, "kv/data/app", "four");

    // Also for a restart, from the log and from a checkpoint.
    server.kill();
    for _ in 0..2 {
        let server = Server::raft(folder.path());
        server.unseal(&key);
        let reader = server.client().with_token(&reader.token);
        assert_eq!(read(&reader, "kv/data/app"), "four");
        assert_eq!(read(&reader, "kv/data/app?version=2"), "two");
        reader.get("kv/data/later").expect(404);
        assert_eq!(server.stop(), Some(0));
    }
}

#[test]
fn what_is_no_snapshot_is_refused_and_changes_nothing() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let foreign = Server::raft(other.path());
    let (_, token) = foreign.initialize();
    let file = folder.path().join("foreign.snap");
    let saved = snapshot(
        &foreign,
        &token,
        other.path(),
        &["save", file.to_str().unwrap()],
    );
    succeed(&saved);

    let server = Server::raft(folder.path());
    let (_, token) = server.initialize();
    let root = server.client().with_token(&token);
    mount(&root);
    write(&root, "kv/data/app", "kept");
    succeed(&snapshot(
        &server,
        &token,
        folder.path(),
        &["save", "a.snap"],
    ));
    let whole = std::fs::read(folder.path().join("a.snap")).unwrap();
    let before = applied(&root);

    let mut flipped = whole.clone();
    let middle = whole.len() / 2;
    flipped[middle] ^= 0x20;
    let (more, twice) = ([&whole[..], b"x"].concat(), whole.repeat(2));
    for (name, bytes) in [
        ("cut.snap", &whole[..middle]),
        ("last.snap", &whole[..whole.len() - 1]),
        ("flipped.snap", &flipped),
        ("more.snap", &more),
        ("twice.snap", &twice),
        ("empty.snap", b""),
        ("text.snap", b"this is no snapshot, whatever its name says"),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        for args in [&["restore", name][..], &["restore", "-force", name]] {
            let why = refused(&snapshot(&server, &token, folder.path(), args));
            assert!(why.contains("Code: 400"), "{name}: {why}");
        }
        let why = refused(&snapshot(
            &server,
            &token,
            folder.path(),
            &["inspect", name],
        ));
        assert!(
            why.contains("Error inspecting the snapshot"),
            "{name}: {why}"
        );
    }
    let args = ["restore", "foreign.snap"];
    let why = refused(&snapshot(&server, &token, folder.path(), &args));
    assert!(why.contains("different set of unseal keys"), "{why}");
    let why = refused(&snapshot(
        &server,
        "wrong",
        folder.path(),
        &["restore", "a.snap"],
    ));
    assert!(why.contains("permission denied"), "{why}");

    assert_eq!(applied(&root), before, "something was written");
    assert_eq!(read(&root, "kv/data/app"), "kept");
    assert!(!folder.path().join("data/coffer.incoming").exists());
}

#[test]
fn a_foreign_snapshot_seals_the_node_and_opens_with_its_own_keys() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = folder.path().join("foreign.snap");
    let (foreign_key, foreign_token) = {
        let foreign = Server::raft(other.path());
        let (key, token) = foreign.initialize();
        let root = foreign.client().with_token(&token);
        mount(&root);
        write(&root, "kv/data/app", "from afar");
        let saved = snapshot(
            &foreign,
            &token,
            other.path(),
            &["save", file.to_str().unwrap()],
        );
        succeed(&saved);
        (key, token)
    };
    let server = Server::raft(folder.path());
    let (key, token) = server.initialize();
    let args = ["restore", "-force", "foreign.snap"];
    succeed(&snapshot(&server, &token, folder.path(), &args));
    let is_sealed = || server.client().get("sys/seal-status").json()["sealed"] == true;
    assert!(
        reaches(PATIENCE, is_sealed),
        "not sealed: {}",
        read_log(folder.path())
    );
    let refused = server.client().put("sys/unseal", json!({"key": key}));
    refused.expect(400);
    server.unseal(&foreign_key);
    let root = server.client().with_token(&foreign_token);
    assert_eq!(read(&root, "kv/data/app"), "from afar");
    let members = root
        .get("sys/storage/raft/configuration")
        .expect(200)
        .json();
    let servers = members["data"]["config"]["servers"].as_array().unwrap();
    assert_eq!(servers.len(), 1, "no membership comes with a snapshot");
    write(&root, "kv/data/app", "here");
}

#[test]
fn a_failed_save_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let (_, token) = server.initialize();
    let target = folder.path().join("kept");
    std::fs::create_dir(&target).unwrap();
    std::fs::write(target.join("a.snap"), b"old").unwrap();
    let why = refused(&snapshot(&server, "wrong", &target, &["save", "a.snap"]));
    assert!(why.contains("permission denied"), "{why}");
    assert_eq!(std::fs::read(target.join("a.snap")).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 1);
    succeed(&snapshot(&server, &token, &target, &["save", "a.snap"]));
    let saved = std::fs::metadata(target.join("a.snap")).unwrap();
    let mode = std::os::unix::fs::MetadataExt::mode(&saved);
    assert_eq!((mode & 0o777, saved.len() > 100), (0o600, true));
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 1);
}

#[test]
fn a_save_goes_into_a_pipe_and_behind_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let (_, token) = server.initialize();
    let target = folder.path().join("kept");
    std::fs::create_dir_all(target.join("behind")).unwrap();
    std::fs::write(target.join("behind/a.snap"), b"old").unwrap();
    std::os::unix::fs::symlink("behind/a.snap", target.join("a.snap")).unwrap();
    succeed(&snapshot(&server, &token, &target, &["save", "a.snap"]));
    assert!(target.join("a.snap").is_symlink());
    assert!(std::fs::read(target.join("behind/a.snap")).unwrap().len() > 100);
    let piped = snapshot(&server, &token, &target, &["save", "/dev/stdout"]);
    succeed(&piped);
    assert!(piped.stdout.starts_with(&[0x1f, 0x8b]), "gzip");
}

#[test]
fn snapshots_are_taken_by_the_clock_while_something_changes() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let (_, token) = server.initialize();
    let root = server.client().with_token(&token);
    let target = folder.path().join("auto");
    let path = "sys/storage/raft/snapshot-auto/config/often";
    root.get(path).expect(404);
    let bad = json!({"interval": "1s", "path_prefix": "/x", "storage_type": "aws-s3"});
    root.put(path, bad).expect(400);
    let config = json!({
        "interval": "1s", "retain": 2, "path_prefix": target.to_str().unwrap(),
        "storage_type": "local", "local_max_space": 1 << 20,
    });
    root.put(path, config).expect(204);
    let listed = root
        .list("sys/storage/raft/snapshot-auto/config")
        .expect(200);
    assert_eq!(listed.json()["data"]["keys"], json!(["often"]));
    assert_eq!(root.get(path).expect(200).json()["data"]["interval"], 1);

    let names = || -> Vec<String> {
        let files = std::fs::read_dir(&target).into_iter().flatten().flatten();
        let mut names: Vec<_> = files
            .map(|file| file.file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".snap"))
            .collect();
        names.sort();
        names
    };
    let wait = |what: &str, is_so: &dyn Fn(&[String]) -> bool| {
        assert!(
            reaches(PATIENCE, || is_so(&names())),
            "{what}: {}",
            read_log(folder.path())
        );
    };
    wait("the first", &|names| names.len() == 1);
    let first = names().remove(0);
    let status = || {
        let path = "sys/storage/raft/snapshot-auto/status/often";
        root.get(path).expect(200).json()["data"].clone()
    };
    // Nothing changes: the next attempts write nothing.
    let begun = status()["last_snapshot_start"].clone();
    support::wait(PATIENCE, "a second attempt", || {
        status()["last_snapshot_start"] != begun
    });
    assert_eq!(names(), std::slice::from_ref(&first));
    for value in 0..3 {
        let newest = names().pop();
        root.put("cubbyhole/x", json!({"value": value})).expect(204);
        wait("another", &|names| names.last() != newest.as_ref());
    }
    wait("retention", &|names| names.len() == 2);
    assert!(!names().contains(&first), "the oldest goes first");
    assert_eq!(status()["last_snapshot_error"], "");
    let newest = target.join(names().pop().unwrap());
    let args = ["restore", newest.to_str().unwrap()];
    succeed(&snapshot(&server, &token, folder.path(), &args));
    assert_eq!(
        root.get("cubbyhole/x").expect(200).json()["data"]["value"],
        2
    );
    root.delete(path).expect(204);
    root.get("sys/storage/raft/snapshot-auto/status/often")
        .expect(404);
}
