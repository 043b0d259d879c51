//! A voter that is never unsealed joins with a token, votes, keeps ciphertext, and takes no keys.

use crate::join::{api, enable_kv, error, eventually, names, node, unseal};
use crate::support::{Client, Server};
use serde_json::{Value, json};
use std::path::Path;

const JOIN: &str = "sys/storage/raft/join";
const TOKEN: &str = "sys/storage/raft/join-token";

/// A cluster of `one`, which is active, and `two`, which joined with the keys.
struct Pair {
    one: Server,
    two: Server,
    key: String,
    token: String,
}

impl Pair {
    fn start(folder: &Path) -> Self {
        let one = node(folder, "one", "");
        let two = node(folder, "two", "");
        let (key, token) = one.initialize();
        let root = one.client().with_token(&token);
        let settings = json!({"server_stabilization_time": "1s"});
        let path = "sys/storage/raft/autopilot/configuration";
        root.put(path, settings).expect(204);
        enable_kv(&root);
        let asked = two
            .client()
            .put(JOIN, json!({"leader_api_addr": api(&one)}));
        asked.expect(200);
        unseal(&two, &key);
        Self {
            one,
            two,
            key,
            token,
        }
    }

    fn root(&self) -> Client {
        self.one.client().with_token(&self.token)
    }

    fn join_token(&self) -> String {
        let made = self.root().put(TOKEN, json!({"non_secret": true}));
        let made = made.expect(200).json();
        assert_eq!(made["data"]["non_secret"], true, "{made}");
        made["data"]["join_token"].as_str().unwrap().to_owned()
    }

    fn join(&self, joiner: &Server, token: &str) -> (u16, Value) {
        let body = json!({"leader_api_addr": api(&self.one), "join_token": token});
        let answer = joiner.client().put(JOIN, body);
        (answer.status, answer.json())
    }

    fn member(&self, name: &str) -> Value {
        let answer = self.root().get("sys/storage/raft/configuration").json();
        let servers = answer["data"]["config"]["servers"].as_array().unwrap();
        let found = servers.iter().find(|server| server["node_id"] == name);
        found.cloned().unwrap_or_default()
    }
}

fn status(server: &Server) -> Value {
    server.client().get("sys/seal-status").json()
}

#[track_caller]
fn takes_no_keys(server: &Server, key: &str) {
    for body in [json!({"key": key}), json!({"key": key, "migrate": true})] {
        let refused = server.client().put("sys/unseal", body).expect(400).json();
        assert!(error(&refused).contains("non-secret voter"), "{refused}");
    }
    let status = status(server);
    assert_eq!(status["sealed"], true, "{status}");
    assert_eq!(status["non_secret"], true, "{status}");
    assert_eq!(status["progress"], 0, "{status}");
}

#[test]
fn it_votes_and_is_never_unsealed_or_active() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::start(folder.path());
    let three = node(folder.path(), "three", "");
    let joined = pair.join(&three, &pair.join_token());
    assert_eq!(joined, (200, json!({"joined": true})));
    takes_no_keys(&three, &pair.key);
    eventually("it has a vote", || pair.member("three")["voter"] == true);
    assert_eq!(pair.member("three")["non_secret"], true);
    eventually("two has a vote", || pair.member("two")["voter"] == true);
    assert_eq!(pair.member("two")["non_secret"], Value::Null);
    assert_eq!(status(&pair.two)["non_secret"], Value::Null);
    let autopilot = pair.root().get("sys/storage/raft/autopilot/state").json();
    let servers = &autopilot["data"]["servers"];
    assert_eq!(servers["three"]["non_secret"], true, "{autopilot}");
    assert_eq!(servers["two"]["non_secret"], Value::Null, "{autopilot}");
    eventually("it has the store", || status(&three)["initialized"] == true);

    // It refuses after a restart as well; a member with keys takes the same ones.
    three.kill();
    let three = node(folder.path(), "three", "");
    eventually("its store is known", || {
        status(&three)["initialized"] == true && status(&three)["non_secret"] == true
    });
    takes_no_keys(&three, &pair.key);
    pair.two.kill();
    let two = node(folder.path(), "two", "");
    eventually("two is a member", || status(&two)["initialized"] == true);
    unseal(&two, &pair.key);

    // With two gone, its vote is the second of three.
    two.kill();
    let root = pair.one.client().with_token(&pair.token);
    let put = || root.put("kv/a", json!({"b": "c"})).status == 204;
    eventually("a write with its vote", put);
    // It keeps ciphertext, and with the active node gone it neither leads nor answers.
    let Pair { one, token, .. } = pair;
    one.kill();
    let read = three.client().with_token(&token).get("kv/a");
    assert_eq!(read.status, 503, "{read:?}");
    let one = node(folder.path(), "one", "");
    eventually("one is a member", || status(&one)["initialized"] == true);
    let answer = three.client().get("sys/leader").json();
    assert_ne!(answer["is_self"], true, "{answer}");
}

#[test]
fn a_join_token_lets_one_node_in_once_and_in_nobodys_place() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::start(folder.path());
    let root = pair.root();
    for body in [json!({}), json!({"non_secret": false})] {
        let refused = root.put(TOKEN, body).expect(400).json();
        assert!(error(&refused).contains("non_secret"), "{refused}");
    }
    let long = json!({"non_secret": true, "ttl": "2h"});
    let refused = root.put(TOKEN, long).expect(400).json();
    assert!(error(&refused).contains("'ttl'"), "{refused}");
    let policy = json!({"policy": format!("path \"{TOKEN}\" {{ capabilities = [\"update\"] }}")});
    root.put("sys/policies/acl/small", policy).expect(204);
    let small = root.put("auth/token/create", json!({"policies": ["small"]}));
    let small = small.expect(200).json();
    let small = small["auth"]["client_token"].as_str().unwrap();
    let small = pair.one.client().with_token(small);
    small.put(TOKEN, json!({"non_secret": true})).expect(403);

    let joiner = node(folder.path(), "three", "");
    let token = pair.join_token();
    let other = node(folder.path(), "four", "");
    let (status, refused) = pair.join(&joiner, "no-token");
    assert_eq!(status, 400, "{refused}");
    let flipped = match token.ends_with('A') {
        true => format!("{}Q", &token[..token.len() - 1]),
        false => format!("{}A", &token[..token.len() - 1]),
    };
    let (status, refused) = pair.join(&joiner, &flipped);
    assert!(status >= 400, "the key is another: {refused}");
    // A live member's name, and the right token.
    let home = folder.path().join("again");
    std::fs::create_dir_all(&home).unwrap();
    let thief = node(&home, "two", "");
    let before = names(&root);
    let (status, refused) = pair.join(&thief, &token);
    assert_eq!(status, 500, "{refused}");
    assert!(
        error(&refused).contains("no other member's place"),
        "{refused}"
    );
    assert_eq!(names(&root), before);
    // Who was refused has not used it up.
    assert_eq!(pair.join(&joiner, &token).0, 200);
    assert_eq!(names(&root), ["one", "three", "two"]);
    let (status, refused) = pair.join(&other, &token);
    assert_eq!(status, 500, "{refused}");
    assert!(error(&refused).contains("join token"), "{refused}");
    assert_eq!(names(&root), ["one", "three", "two"]);
    // Members that have keys are not turned into ones without.
    let (status, refused) = pair.join(&pair.two, &pair.join_token());
    assert_eq!(status, 400, "{refused}");
    assert!(error(&refused).contains("may be unsealed"), "{refused}");

    let gone = json!({"server_id": "three"});
    root.put("sys/storage/raft/remove-peer", gone).expect(204);
    assert_eq!(names(&root), ["one", "two"]);
    // A node that failed with a token may come with the keys.
    let asked = other
        .client()
        .put(JOIN, json!({"leader_api_addr": api(&pair.one)}));
    asked.expect(200);
    unseal(&other, &pair.key);
    assert_eq!(names(&root), ["four", "one", "two"]);
}
