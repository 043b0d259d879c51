//! A node goes from uninitialised to sealed to active and back, and shows its state.

use crate::support::Server;
use serde_json::json;

#[test]
fn init_unseal_seal_unseal() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let client = server.client();
    assert_eq!(client.get("sys/health").status, 501);
    let status = client.get("sys/seal-status").expect(200).json();
    assert_eq!(status["initialized"], false);
    assert_eq!(status["storage_type"], "raft");
    client
        .put("sys/unseal", json!({"key": "00".repeat(33)}))
        .expect(400);

    let request = json!({"secret_shares": 5, "secret_threshold": 3});
    let made = client.put("sys/init", request.clone()).expect(200).json();
    assert_eq!(client.get("sys/health").status, 503);
    client.put("sys/init", request).expect(400);

    let keys: Vec<&str> = made["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|k| k.as_str().unwrap())
        .collect();
    let first = client
        .put("sys/unseal", json!({"key": keys[0]}))
        .expect(200)
        .json();
    assert_eq!(
        (&first["progress"], &first["sealed"]),
        (&json!(1), &json!(true))
    );
    let again = client
        .put("sys/unseal", json!({"key": keys[0]}))
        .expect(200)
        .json();
    assert_eq!(again["progress"], 1, "a share given twice counts once");
    assert_eq!(again["nonce"], first["nonce"]);
    let reset = client
        .put("sys/unseal", json!({"reset": true}))
        .expect(200)
        .json();
    assert_eq!(
        (&reset["progress"], &reset["nonce"]),
        (&json!(0), &json!(""))
    );

    for key in &keys[2..] {
        client.put("sys/unseal", json!({"key": key})).expect(200);
    }
    let status = client.get("sys/seal-status").expect(200).json();
    assert_eq!(status["sealed"], false);
    assert!(
        status["cluster_name"]
            .as_str()
            .unwrap()
            .starts_with("vault-cluster-")
    );
    assert_eq!(client.get("sys/health").status, 200);
    let leader = client.get("sys/leader").expect(200).json();
    assert_eq!(leader["is_self"], true);

    let root = client.with_token(made["root_token"].as_str().unwrap());
    client.put("sys/seal", json!({})).expect(403);
    root.put("sys/seal", json!({})).expect(204);
    assert_eq!(client.get("sys/health").status, 503);
    root.get("sys/mounts").expect(503);
    for key in &keys[..3] {
        client.put("sys/unseal", json!({"key": key})).expect(200);
    }
    root.get("sys/mounts").expect(200);
}

#[test]
fn wrong_shares_start_over_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let client = server.client();
    let request = json!({"secret_shares": 3, "secret_threshold": 2});
    let made = client.put("sys/init", request).expect(200).json();
    let key = |at: usize| made["keys_base64"][at].as_str().unwrap();
    let forged = "5a".repeat(33);
    client.put("sys/unseal", json!({"key": key(0)})).expect(200);
    client.put("sys/unseal", json!({"key": forged})).expect(400);
    let status = client.get("sys/seal-status").expect(200).json();
    assert_eq!(
        (&status["progress"], &status["sealed"]),
        (&json!(0), &json!(true))
    );
    for wrong in ["", "nonsense!", "00"] {
        client.put("sys/unseal", json!({"key": wrong})).expect(400);
    }
    client.put("sys/unseal", json!({"key": key(0)})).expect(200);
    client.put("sys/unseal", json!({"key": key(2)})).expect(200);
    assert_eq!(client.get("sys/health").status, 200);
}

#[test]
fn shares_and_threshold_must_make_sense() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let client = server.client();
    for (shares, threshold) in [(0, 0), (3, 4), (3, 1), (1, 2), (256, 2), (-1, 1)] {
        let request = json!({"secret_shares": shares, "secret_threshold": threshold});
        let answer = client.put("sys/init", request);
        assert_eq!(answer.status, 400, "{shares}/{threshold}: {}", answer.body);
    }
    assert_eq!(client.get("sys/health").status, 501, "nothing was made");
}

#[test]
fn a_step_down_alone_leaves_the_node_active() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let (_, token) = server.initialize();
    let root = server.client().with_token(&token);
    root.put("sys/step-down", json!({})).expect(204);
    assert_eq!(root.get("sys/leader").expect(200).json()["is_self"], true);
    root.get("sys/mounts").expect(200);
}
