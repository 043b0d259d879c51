//! Strangers and liars that ask to join a cluster, and a snapshot that was taken elsewhere.

use crate::support::{Client, Server};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Longest wait for work in the background.
const PATIENCE: Duration = Duration::from_secs(30);

const CHALLENGE: &str = "sys/storage/raft/bootstrap/challenge";
const ANSWER: &str = "sys/storage/raft/bootstrap/answer";

#[track_caller]
fn eventually(what: &str, holds: impl FnMut() -> bool) {
    crate::support::wait(PATIENCE, what, holds);
}

/// Writes a node's configuration, with `more` lines at its top.
fn write_config(folder: &Path, name: &str, more: &str) -> PathBuf {
    let home = folder.join(name);
    std::fs::create_dir_all(&home).unwrap();
    let more = match more.contains("cluster_addr") {
        true => more.to_owned(),
        false => format!("cluster_addr = \"https://127.0.0.1:0\"\n{more}"),
    };
    let text = format!(
        "storage \"raft\" {{\n  path = \"{}\"\n  node_id = \"{name}\"\n}}\n\
         listener \"tcp\" {{\n  address = \"127.0.0.1:0\"\n  tls_disable = true\n}}\n\
         disable_mlock = true\n{more}\n",
        home.join("data").display()
    );
    let path = home.join("coffer.hcl");
    std::fs::write(&path, text).unwrap();
    path
}

fn node(folder: &Path, name: &str, more: &str) -> Server {
    let path = write_config(folder, name, more);
    Server::start(&["-config", path.to_str().unwrap()], &folder.join(name))
}

/// Returns name and cluster address of every member.
fn members(root: &Client) -> Vec<(String, String)> {
    let answer = root.get("sys/storage/raft/configuration").expect(200);
    let answer = answer.json();
    let servers = answer["data"]["config"]["servers"].as_array().unwrap();
    let text = |server: &Value, name: &str| server[name].as_str().unwrap().to_owned();
    let pair = |server: &Value| (text(server, "node_id"), text(server, "address"));
    servers.iter().map(pair).collect()
}

fn ask_to_join(joiner: &Server, leader: &Server) {
    let leader = format!("http://{}", leader.address);
    let body = json!({"leader_api_addr": leader});
    let asked = joiner.client().put("sys/storage/raft/join", body);
    asked.expect(200);
}

fn join(joiner: &Server, leader: &Server, key: &str) {
    ask_to_join(joiner, leader);
    let given = joiner.client().put("sys/unseal", json!({"key": key}));
    given.expect(200);
    eventually("the joiner is unsealed", || {
        joiner.client().get("sys/seal-status").json()["sealed"] == false
    });
}

/// Returns the server's memory that is not shared with files, in KiB.
fn resident_kib(server: &Server) -> u64 {
    let path = format!("/proc/{}/status", server.id());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

/// Sends `bodies` to `path` over one connection, a few at a time; returns the statuses.
fn post_all(address: &str, path: &str, bodies: &[String]) -> Vec<u16> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut statuses = Vec::new();
    for some in bodies.chunks(20) {
        let requests: String = some
            .iter()
            .map(|body| {
                let length = body.len();
                format!(
                    "POST /v1/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}"
                )
            })
            .collect();
        stream.write_all(requests.as_bytes()).unwrap();
        statuses.extend(some.iter().map(|_| read_answer(&mut answers)));
    }
    statuses
}

/// Reads one answer to its end; returns the status.
fn read_answer(answers: &mut impl BufRead) -> u16 {
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        assert_ne!(answers.read_line(&mut line).unwrap(), 0, "cut off");
        let line = line.trim_end().to_lowercase();
        if line.is_empty() {
            break;
        }
        if status == 0 {
            status = line.split(' ').nth(1).unwrap().parse().unwrap();
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    answers.read_exact(&mut body).unwrap();
    status
}

/// Tests a flood of challenges, each of which would take more than half a KiB if it were kept.
#[test]
fn cve_2024_8185_a_flood_of_challenges_leaves_memory_flat() {
    const CHALLENGES: usize = 10_000;
    const GROWTH_KIB_MAX: u64 = 3 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let one = node(folder.path(), "one", "");
    let (key, token) = one.initialize();
    let challenge = |number: usize| {
        let name = format!("{number:0>200}");
        json!({ "server_id": name }).to_string()
    };
    let lie = |number: usize| {
        let (name, proof) = (format!("{number:0>200}"), "A".repeat(43) + "=");
        json!({"server_id": name, "challenge": proof, "statement": "AQAA", "proof": proof})
            .to_string()
    };
    let flood = |count: usize| {
        let questions: Vec<String> = (0..count).map(challenge).collect();
        let lies: Vec<String> = (0..count / 4).map(lie).collect();
        let asked = post_all(&one.address, CHALLENGE, &questions);
        // A client that is turned away for asking too often has cost nothing either.
        assert!(
            asked.iter().all(|status| matches!(status, 200 | 429)),
            "{asked:?}"
        );
        assert!(asked.contains(&200), "challenges are made");
        let told = post_all(&one.address, ANSWER, &lies);
        assert!(
            told.iter().all(|status| matches!(status, 400 | 429)),
            "{told:?}"
        );
    };
    flood(CHALLENGES / 5);
    let before = resident_kib(&one);
    flood(CHALLENGES);
    let grown = resident_kib(&one).saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "{grown} KiB more after the flood");
    let root = one.client().with_token(&token);
    assert_eq!(members(&root).len(), 1, "nobody came in");
    let two = node(folder.path(), "two", "");
    join(&two, &one, &key);
    assert_eq!(members(&root).len(), 2, "whoever has the keys still may");
}

/// Tests joiners with the unseal keys, but with another's name, address or key.
#[test]
fn cve_2022_36129_a_joiner_that_lies_about_itself_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let one = node(folder.path(), "one", "");
    let (key, token) = one.initialize();
    let root = one.client().with_token(&token);
    let two = node(folder.path(), "two", "");
    join(&two, &one, &key);
    let honest = members(&root);
    assert_eq!(honest.len(), 2, "who says the truth comes in: {honest:?}");
    let address_of = |name: &str| {
        let found = honest.iter().find(|(known, _)| known == name);
        format!("cluster_addr = \"http://{}\"", found.unwrap().1)
    };

    let elsewhere = tempfile::tempdir().unwrap();
    let copied = {
        // The first start makes the directory; then the key is exchanged.
        let home = folder.path().join("three");
        drop(node(folder.path(), "three", ""));
        let from = folder.path().join("two/data/identity.key");
        std::fs::copy(from, home.join("data/identity.key")).unwrap();
        node(folder.path(), "three", "")
    };
    let liars = [
        (
            "name",
            node(elsewhere.path(), "two", ""),
            "in use by a live member",
        ),
        (
            "active name",
            node(elsewhere.path(), "one", ""),
            "is that of the active node",
        ),
        (
            "address",
            node(elsewhere.path(), "four", &address_of("two")),
            "live member \"two\"",
        ),
        (
            "active address",
            node(elsewhere.path(), "five", &address_of("one")),
            "live member \"one\"",
        ),
        ("key", copied, "key is that of \"two\""),
    ];
    for (lie, liar, why) in &liars {
        ask_to_join(liar, &one);
        let refused = liar.client().put("sys/unseal", json!({"key": key}));
        let told = refused.expect(500).body.replace('\\', "");
        assert!(told.contains(why), "{lie}: {told}");
        assert_eq!(members(&root), honest, "{lie}");
        let status = liar.client().get("sys/seal-status").json();
        assert_eq!(status["sealed"], true, "{lie}: {status}");
        let read = liar.client().with_token(&token);
        read.get("sys/mounts").expect(503);
    }
    assert_eq!(two.client().get("sys/health?standbyok=true").status, 200);
}

/// Tests that a snapshot of a time with one node is restored when there are two.
#[test]
fn a_restore_leaves_the_members_alone() {
    let folder = tempfile::tempdir().unwrap();
    let one = node(folder.path(), "one", "");
    let (key, token) = one.initialize();
    let root = one.client().with_token(&token);
    root.put("sys/mounts/kv", json!({"type": "kv"})).expect(204);
    root.put("kv/a", json!({"at": "first"})).expect(204);
    let snapshot = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coffer"));
        command.args(["operator", "raft", "snapshot"]).args(args);
        command.env_clear().env("HOME", folder.path());
        command.env("VAULT_TOKEN", &token);
        command.env("VAULT_ADDR", format!("http://{}", one.address));
        let done = command.current_dir(folder.path()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    snapshot(&["save", "alone.snap"]);
    let two = node(folder.path(), "two", "");
    join(&two, &one, &key);
    let before = members(&root);
    assert_eq!(before.len(), 2);
    root.put("kv/a", json!({"at": "second"})).expect(204);

    snapshot(&["restore", "alone.snap"]);
    let read = |client: &Client, name: &str| client.get(name).json()["data"]["at"].clone();
    assert_eq!(read(&root, "kv/a"), "first", "it was restored");
    assert_eq!(members(&root), before, "the snapshot knew of one only");
    let other = two.client().with_token(&token);
    eventually("the other has it, too", || read(&other, "kv/a") == "first");
    root.put("kv/b", json!({"at": "later"})).expect(204);
    eventually("and what follows", || read(&other, "kv/b") == "later");
}
