//! Recovery mode: holders of enough unseal shares repair records, and nothing else is served.

use crate::support::{Client, Server, write_config};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};
use std::path::Path;

const ATTEMPT: &str = "sys/generate-recovery-token/attempt";
const UPDATE: &str = "sys/generate-recovery-token/update";

/// Makes a store with a policy in it and stops; returns the shares and the root token.
fn prepare(folder: &Path) -> (Vec<Value>, String) {
    let server = Server::raft(folder);
    let client = server.client();
    let init = json!({"secret_shares": 2, "secret_threshold": 2});
    let made = client.put("sys/init", init).expect(200).json();
    let keys = made["keys"].as_array().unwrap().clone();
    let root = made["root_token"].as_str().unwrap().to_owned();
    unseal(&client, &keys);
    let policy = json!({"policy": "path \"secret/*\" { capabilities = [\"read\"] }"});
    let client = client.with_token(&root);
    client.put("sys/policies/acl/broken", policy).expect(204);
    server.stop();
    (keys, root)
}

fn unseal(client: &Client, keys: &[Value]) {
    for key in keys {
        client.put("sys/unseal", json!({"key": key})).expect(200);
    }
}

fn recover(folder: &Path) -> Server {
    let config = write_config(folder, "tls_disable = true");
    Server::start(&["-recovery", "-config", config.to_str().unwrap()], folder)
}

/// Returns a recovery token made with the shares.
fn token(client: &Client, keys: &[Value]) -> String {
    let begun = client.put(ATTEMPT, json!({})).expect(200).json();
    assert_eq!(begun["otp_length"], 26);
    let mut last = Value::Null;
    for key in keys {
        let share = json!({"key": key, "nonce": begun["nonce"]});
        last = client.put(UPDATE, share).expect(200).json();
    }
    assert_eq!(last["complete"], json!(true));
    let encoded = last["encoded_token"].as_str().unwrap();
    let encoded = STANDARD_NO_PAD.decode(encoded).unwrap();
    let otp = begun["otp"].as_str().unwrap().bytes();
    let token = encoded.iter().zip(otp).map(|(one, other)| one ^ other);
    String::from_utf8(token.collect()).unwrap()
}

const BROKEN: &str = "sys/raw/sys/policy/broken";
const MENDED: &str = "path \"mended\" { capabilities = [\"list\"] }";

/// Copies a record, writes another from it, and reads some.
fn mend(client: &Client) {
    let read = client
        .get(&format!("{BROKEN}?encoding=base64"))
        .expect(200)
        .json();
    let value = read["data"]["value"].clone();
    let copy = json!({"value": value, "encoding": "base64"});
    client.put("sys/raw/sys/policy/copy", copy).expect(204);
    let value = |path: &str| -> Value {
        let read = client.get(&format!("sys/raw/{path}")).expect(200).json();
        serde_json::from_str(read["data"]["value"].as_str().unwrap()).unwrap()
    };
    let mut policy = value("sys/policy/broken");
    assert!(
        policy["text"].as_str().unwrap().contains("capabilities"),
        "{policy}"
    );
    policy["text"] = MENDED.into();
    let put =
        |path: &str, value: &str| client.put(&format!("sys/raw/{path}"), json!({"value": value}));
    put("sys/policy/mended", &policy.to_string()).expect(204);
    for wrong in ["not JSON", "{}", MENDED] {
        let told = put("sys/policy/mended", wrong).expect(400).json();
        let told = told["errors"][0].as_str().unwrap().to_owned();
        assert!(told.contains("encoding=base64"), "{told}");
    }
    assert_eq!(value("sys/policy/mended"), policy, "it stayed");
    let mounts = value("core/mounts");
    assert_eq!(mounts["V1"][0]["path"], "sys/", "{mounts}");
    let accessors = client.list("sys/raw/sys/token/accessor").expect(200).json();
    let accessor = accessors["data"]["keys"][0].as_str().unwrap().to_owned();
    let id = value(&format!("sys/token/accessor/{accessor}"));
    let kept = value(&format!("sys/token/id/{}", id.as_str().unwrap()));
    assert_eq!(kept["V1"]["accessor"], accessor.as_str(), "{kept}");
}

fn what_is_shown_and_what_is_not(client: &Client) {
    for compressed in ["true", "false"] {
        client
            .get(&format!("{BROKEN}?compressed={compressed}"))
            .expect(200);
    }
    let gzip = json!({"value": "x", "compression_type": "gzip"});
    let told = client.put("sys/raw/test/x", gzip).expect(400).json();
    assert!(
        told["errors"][0]
            .as_str()
            .unwrap()
            .contains("compression_type")
    );
    client.delete(BROKEN).expect(204);
    client.get(BROKEN).expect(404);
    client
        .put("sys/raw/test/x", json!({"value": "hello"}))
        .expect(204);
    let read = client.get("sys/raw/test/x").expect(200).json();
    assert_eq!(read["data"]["value"], "hello");
    client.list("sys/raw/nothing").expect(404);
    for reserved in ["core/keyring", "core/root-key", "core/seal-config"] {
        client.get(&format!("sys/raw/{reserved}")).expect(400);
        client.delete(&format!("sys/raw/{reserved}")).expect(400);
    }
}

#[test]
fn a_record_is_repaired_and_the_node_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, root) = prepare(folder.path());
    let server = recover(folder.path());
    assert!(
        server.banner.contains("Recovery Mode: true"),
        "{}",
        server.banner
    );
    let client = server.client();
    let token = token(&client, &keys);
    assert!(token.starts_with("r.") && token.len() == 26, "{token}");
    client.put(ATTEMPT, json!({})).expect(400);
    let client = client.with_token(&token);

    let listed = client.list("sys/raw/sys").expect(200).json();
    let folders = listed["data"]["keys"].as_array().unwrap();
    assert!(folders.contains(&json!("policy/")) && folders.contains(&json!("token/")));
    let listed = client.list("sys/raw/sys/policy").expect(200).json();
    assert!(
        listed["data"]["keys"]
            .as_array()
            .unwrap()
            .contains(&json!("broken"))
    );
    mend(&client);
    what_is_shown_and_what_is_not(&client);
    server.stop();

    let server = Server::raft(folder.path());
    unseal(&server.client(), &keys);
    let client = server.client().with_token(&root);
    let left = client.list("sys/policies/acl").expect(200).json();
    let left = left["data"]["keys"].as_array().unwrap();
    assert!(left.contains(&json!("copy")) && !left.contains(&json!("broken")));
    let read = client.get("sys/policies/acl/mended").expect(200).json();
    assert_eq!(read["data"]["policy"], MENDED);
    let stale = server.client().with_token(&token);
    stale.list("sys/policies/acl").expect(403);
    let policy = json!({"policy": "path \"a\" { capabilities = [\"read\"] }"});
    client.put("sys/policies/acl/next", policy).expect(204);
}

#[test]
fn nobody_is_served_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, root) = prepare(folder.path());
    let server = recover(folder.path());
    let client = server.client();
    let path = "sys/raw/sys";
    for before in [client.list(path), client.with_token(&root).list(path)] {
        assert_eq!(before.expect(403).json(), json!({"errors": []}));
    }
    for absent in [
        "sys/health",
        "sys/seal-status",
        "sys/unseal",
        "sys/init",
        "sys/mounts",
        "sys/generate-root/attempt",
        "sys/rawer",
        "secret/data/a",
    ] {
        let root = client.with_token(&root);
        for answer in [
            client.get(absent),
            root.put(absent, json!({"key": keys[0]})),
        ] {
            assert_eq!(answer.expect(404).body, "404 page not found\n");
        }
    }
    let wrong = client.put(UPDATE, json!({"key": keys[0], "nonce": "x"}));
    assert_eq!(
        wrong.expect(400).json()["errors"][0],
        "no root generation in progress"
    );
    let begun = client.put(ATTEMPT, json!({})).expect(200).json();
    let give = |key: &Value| client.put(UPDATE, json!({"key": key, "nonce": begun["nonce"]}));
    give(&keys[0]).expect(200);
    let junk = json!("ab".repeat(33));
    give(&junk).expect(400);
    let status = client.get(ATTEMPT).expect(200).json();
    assert_eq!(status["progress"], 0);
    client.delete(ATTEMPT).expect(204);
    let token = token(&client, &keys);
    client.with_token(&token).list(path).expect(200);
    let mut near = token;
    near.pop();
    for wrong in ["", &near, &root] {
        client.with_token(wrong).list(path).expect(403);
    }
}

#[test]
fn what_was_never_a_node_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), "tls_disable = true");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_coffer"))
        .args(["server", "-recovery", "-config", config.to_str().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("there is nothing to recover"), "{said}");
    assert!(!folder.path().join("data").exists());
}
