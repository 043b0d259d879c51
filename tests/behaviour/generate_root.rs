//! Holders of enough unseal shares get a root token; no part of an attempt outlives a seal.

use crate::support::{Client, Server, write_config};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

const ATTEMPT: &str = "sys/generate-root/attempt";
const UPDATE: &str = "sys/generate-root/update";

/// Initialises and unseals; returns the shares and the root token.
fn open(client: &Client) -> (Vec<Value>, String) {
    let init = json!({"secret_shares": 3, "secret_threshold": 2});
    let made = client.put("sys/init", init).expect(200).json();
    let keys = made["keys"].as_array().unwrap().clone();
    unseal(client, &keys);
    (keys, made["root_token"].as_str().unwrap().to_owned())
}

fn unseal(client: &Client, keys: &[Value]) {
    for key in &keys[..2] {
        client.put("sys/unseal", json!({"key": key})).expect(200);
    }
}

#[test]
fn shares_make_a_root_token_and_a_seal_ends_the_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let client = server.client();
    client.get(ATTEMPT).expect(503);
    let (keys, root) = open(&client);
    let begun = client.put(ATTEMPT, json!({})).expect(200).json();
    let share = json!({"key": keys[0], "nonce": begun["nonce"]});
    client.put(UPDATE, share).expect(200);
    client
        .with_token(&root)
        .put("sys/seal", json!({}))
        .expect(204);
    client.get(ATTEMPT).expect(503);
    unseal(&client, &keys);
    assert_eq!(client.get(ATTEMPT).json()["started"], json!(false));

    let begun = client.put(ATTEMPT, json!({})).expect(200).json();
    let mut last = Value::Null;
    for key in &keys[1..] {
        let share = json!({"key": key, "nonce": begun["nonce"]});
        last = client.put(UPDATE, share).expect(200).json();
    }
    let encoded = last["encoded_token"].as_str().unwrap();
    let encoded = STANDARD_NO_PAD.decode(encoded).unwrap();
    let otp = begun["otp"].as_str().unwrap().bytes();
    let token = encoded.iter().zip(otp).map(|(one, other)| one ^ other);
    let token = String::from_utf8(token.collect()).unwrap();
    let looked = client.with_token(&token).get("auth/token/lookup-self");
    let looked = looked.expect(200).json();
    assert_eq!(looked["data"]["policies"], json!(["root"]));
}

#[test]
fn a_listener_can_ask_for_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let listener = "tls_disable = true\n disable_unauthed_generate_root_endpoints = true";
    let config = write_config(folder.path(), listener);
    let server = Server::start(&["-config", config.to_str().unwrap()], folder.path());
    let client = server.client();
    let (_, root) = open(&client);
    client.get(ATTEMPT).expect(405);
    client.put(ATTEMPT, json!({})).expect(405);
    client.put(UPDATE, json!({})).expect(405);
    let client = client.with_token(&root);
    client.put(ATTEMPT, json!({})).expect(405);
    client
        .put("sys/generate-root-token/attempt", json!({}))
        .expect(200);
}
