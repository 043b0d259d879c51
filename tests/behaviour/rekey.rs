//! Once unseal keys were replaced, no node takes the old ones: not the active one, no standby, none
//! that joins; and each tells of the new numbers without a restart.

use crate::support::{Client, Server, wait};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Longest wait for work in the background.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a node of a cluster, which joins the one at `leader`.
fn node(folder: &Path, name: &str, leader: Option<&Server>) -> Server {
    let home = folder.join(name);
    std::fs::create_dir_all(&home).unwrap();
    let join = leader.map_or_else(String::new, |leader| {
        format!(
            "retry_join {{ leader_api_addr = \"http://{}\" }}",
            leader.address
        )
    });
    let text = format!(
        "storage \"raft\" {{\n  path = \"{}\"\n  node_id = \"{name}\"\n  {join}\n}}\n\
         listener \"tcp\" {{\n  address = \"127.0.0.1:0\"\n  tls_disable = true\n}}\n\
         cluster_addr = \"https://127.0.0.1:0\"\ndisable_mlock = true\n",
        home.join("data").display()
    );
    let path = home.join("coffer.hcl");
    std::fs::write(&path, text).unwrap();
    Server::start(&["-config", path.to_str().unwrap()], &home)
}

fn keys(answer: &Value) -> Vec<String> {
    serde_json::from_value(answer["keys_base64"].clone()).unwrap()
}

fn status(server: &Server) -> Value {
    server.client().get("sys/seal-status").json()
}

/// Gives these keys, right or wrong.
fn give(server: &Server, keys: &[String]) {
    for key in keys {
        server.client().put("sys/unseal", json!({"key": key}));
    }
}

#[track_caller]
fn is_open(server: &Server) {
    wait(PATIENCE, "unsealed", || status(server)["sealed"] == false);
}

/// Replaces the unseal keys; returns the new ones.
fn rekey(client: &Client, old: &[String], shares: u8, threshold: u8) -> Vec<String> {
    let wish = json!({"secret_shares": shares, "secret_threshold": threshold});
    let begun = client.put("sys/rekey/init", wish).expect(200).json();
    let mut last = Value::Null;
    for key in old {
        let share = json!({"key": key, "nonce": begun["nonce"]});
        last = client.put("sys/rekey/update", share).expect(200).json();
    }
    assert_eq!(last["complete"], json!(true));
    keys(&last)
}

#[test]
fn old_keys_are_refused_by_every_node_and_the_new_numbers_told() {
    let folder = tempfile::tempdir().unwrap();
    let one = node(folder.path(), "one", None);
    let init = json!({"secret_shares": 2, "secret_threshold": 2});
    let made = one.client().put("sys/init", init).expect(200).json();
    let old = keys(&made);
    let root = made["root_token"].as_str().unwrap().to_owned();
    give(&one, &old);
    let others = ["two", "three"].map(|name| {
        let server = node(folder.path(), name, Some(&one));
        wait(PATIENCE, "the cluster is found", || {
            status(&server)["n"] == json!(2)
        });
        give(&server, &old);
        is_open(&server);
        server
    });
    // A node that seals in between has a key of the old ones already.
    let [two, three] = &others;
    let sealed = three.client().with_token(&root).put("sys/seal", json!({}));
    sealed.expect(204);
    give(three, &old[..1]);
    assert_eq!(status(three)["progress"], json!(1));

    // Through a standby, which has the active node do it.
    let new = rekey(&two.client(), &old, 4, 3);
    for server in [&one, two, three] {
        wait(PATIENCE, "it tells the new numbers", || {
            let told = status(server);
            (&told["t"], &told["n"]) == (&json!(3), &json!(4))
        });
    }
    assert_eq!(
        status(three)["progress"],
        json!(0),
        "the old key is forgotten"
    );
    let mixed = [old[0].clone(), new[0].clone(), new[1].clone()];
    for wrong in [&[old.clone(), old.clone()].concat()[1..], &mixed] {
        give(three, wrong);
        assert_eq!(status(three)["sealed"], json!(true));
        three.client().put("sys/unseal", json!({"reset": true}));
    }
    give(three, &new[1..]);
    is_open(three);
    for server in [two, &one] {
        let sealed = server.client().with_token(&root).put("sys/seal", json!({}));
        sealed.expect(204);
        give(server, &old);
        assert_eq!(status(server)["sealed"], json!(true), "one is too few");
        server.client().put("sys/unseal", json!({"reset": true}));
        give(server, &new[..3]);
        is_open(server);
    }

    let four = node(folder.path(), "four", Some(three));
    wait(PATIENCE, "the cluster is found", || {
        status(&four)["n"] == json!(4)
    });
    give(&four, &mixed);
    assert_eq!(status(&four)["sealed"], json!(true));
    wait(PATIENCE, "the new keys let it join", || {
        give(&four, &new[..3]);
        status(&four)["sealed"] == json!(false)
    });
}

#[test]
fn a_rekey_outlives_a_power_cut_and_one_that_was_not_finished_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = node(folder.path(), "one", None);
    let init = json!({"secret_shares": 1, "secret_threshold": 1});
    let made = server.client().put("sys/init", init).expect(200).json();
    let old = keys(&made);
    give(&server, &old);
    is_open(&server);
    let new = rekey(&server.client(), &old, 3, 2);
    // Shares that nobody gave back.
    let wish = json!({"secret_shares": 1, "secret_threshold": 1, "require_verification": true});
    let begun = server
        .client()
        .put("sys/rekey/init", wish)
        .expect(200)
        .json();
    let mut last = Value::Null;
    for key in &new[..2] {
        let share = json!({"key": key, "nonce": begun["nonce"]});
        last = server.client().put("sys/rekey/update", share).json();
    }
    let unverified = keys(&last);
    server.kill();
    let server = node(folder.path(), "one", None);
    for wrong in [[&old[0], &old[0]], [&unverified[0], &new[0]]] {
        give(&server, &wrong.map(Clone::clone));
        assert_eq!(status(&server)["sealed"], json!(true));
        server.client().put("sys/unseal", json!({"reset": true}));
    }
    give(&server, &new[1..]);
    is_open(&server);
    let begun = server.client().get("sys/rekey/init").expect(200).json();
    assert_eq!(begun["started"], json!(false));
}

#[test]
fn a_listener_can_ask_for_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let listener = "tls_disable = true\n disable_unauthed_rekey_endpoints = true";
    let config = crate::support::write_config(folder.path(), listener);
    let server = Server::start(&["-config", config.to_str().unwrap()], folder.path());
    let (_, root) = server.initialize();
    let client = server.client().with_token(&root);
    let wish = json!({"secret_shares": 1, "secret_threshold": 1});
    for path in ["rekey/init", "rekey/update", "rekey-recovery-key/init"] {
        client.put(&format!("sys/{path}"), wish.clone()).expect(405);
    }
    let begun = client.put("sys/rotate/root/init", wish).expect(200).json();
    assert_eq!(begun["data"]["started"], json!(true));
    client.delete("sys/rotate/root/init").expect(204);
}
