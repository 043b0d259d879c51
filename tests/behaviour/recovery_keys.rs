//! Where a seal needs no people, recovery keys make root tokens and recovery tokens, and are
//! replaced; they never unseal.

use crate::support::{Client, Server, wait};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Longest wait for work in the background.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a node whose seal is a key in a file; it joins the one at `leader`.
pub(crate) fn node(folder: &Path, name: &str, leader: Option<&Server>, first: &[&str]) -> Server {
    let home = folder.join(name);
    std::fs::create_dir_all(&home).unwrap();
    let key = folder.join("seal.key");
    if leader.is_none() && !key.exists() {
        std::fs::write(&key, [7; 32]).unwrap();
    }
    let join = leader.map_or_else(String::new, |leader| {
        format!(
            "retry_join {{ leader_api_addr = \"http://{}\" }}",
            leader.address
        )
    });
    let text = format!(
        "storage \"raft\" {{\n  path = \"{}\"\n  node_id = \"{name}\"\n  {join}\n}}\n\
         seal \"static\" {{\n  current_key_id = \"k\"\n  current_key = \"file://{}\"\n}}\n\
         listener \"tcp\" {{\n  address = \"127.0.0.1:0\"\n  tls_disable = true\n}}\n\
         cluster_addr = \"https://127.0.0.1:0\"\ndisable_mlock = true\n",
        home.join("data").display(),
        key.display()
    );
    let path = home.join("coffer.hcl");
    std::fs::write(&path, text).unwrap();
    let config = ["-config", path.to_str().unwrap()];
    Server::start(&[first, &config].concat(), &home)
}

pub(crate) fn status(server: &Server) -> Value {
    server.client().get("sys/seal-status").json()
}

#[track_caller]
pub(crate) fn is_open(server: &Server) {
    wait(PATIENCE, "unsealed", || status(server)["sealed"] == false);
}

pub(crate) fn texts(answer: &Value, name: &str) -> Vec<String> {
    serde_json::from_value(answer[name].clone()).unwrap()
}

/// Gives shares; returns the last answer's status code and its object.
pub(crate) fn give(client: &Client, path: &str, nonce: &Value, shares: &[String]) -> (u16, Value) {
    let mut last = (0, Value::Null);
    for share in shares {
        let answer = client.put(path, json!({"key": share, "nonce": nonce}));
        last = (answer.status, answer.json());
    }
    last
}

/// Makes a token with shares at `base`: a root token or a recovery token.
fn token(client: &Client, base: &str, shares: &[String]) -> Result<String, Value> {
    let attempt = format!("{base}/attempt");
    let begun = client.put(&attempt, json!({})).expect(200).json();
    let path = format!("{base}/update");
    let (code, last) = give(client, &path, &begun["nonce"], shares);
    if code != 200 {
        client.delete(&attempt).expect(204);
        return Err(last["errors"][0].clone());
    }
    let encoded = STANDARD_NO_PAD.decode(last["encoded_token"].as_str().unwrap());
    let otp = begun["otp"].as_str().unwrap().bytes();
    let token = encoded.unwrap().into_iter().zip(otp);
    Ok(String::from_utf8(token.map(|(one, other)| one ^ other).collect()).unwrap())
}

const ROOT: &str = "sys/generate-root";

#[test]
fn recovery_keys_make_a_root_token_are_replaced_on_every_node_and_unseal_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let one = node(folder.path(), "one", None, &[]);
    let made = one.client().put("sys/init", json!({})).expect(200).json();
    assert_eq!(
        (&made["keys"], &made["keys_base64"]),
        (&json!([]), &json!([]))
    );
    let old = texts(&made, "recovery_keys_base64");
    assert_eq!(old.len(), 5);
    is_open(&one);
    let two = node(folder.path(), "two", Some(&one), &[]);
    is_open(&two);
    let told = |server: &Server| {
        let told = status(server);
        (told["t"].clone(), told["n"].clone(), told["type"].clone())
    };
    for server in [&one, &two] {
        assert_eq!(told(server), (json!(3), json!(5), json!("static")));
    }
    let root = token(&one.client(), ROOT, &old[1..4]).unwrap();
    let keeper = two.client().with_token(&root);
    keeper.get("auth/token/lookup-self").expect(200);

    let wish = json!({"secret_shares": 3, "secret_threshold": 2, "require_verification": true});
    let begun = keeper.put("sys/rotate/recovery/init", wish).expect(200);
    let begun = begun.json()["data"].clone();
    let path = "sys/rotate/recovery/update";
    let (_, done) = give(&keeper, path, &begun["nonce"], &old[..3]);
    let new = texts(&done["data"], "keys_base64");
    assert!(
        token(&one.client(), ROOT, &old[2..]).is_ok(),
        "not in force"
    );
    let path = "sys/rotate/recovery/verify";
    let nonce = &done["data"]["verification_nonce"];
    let (_, last) = give(&keeper, path, nonce, &new[1..]);
    assert_eq!(last["data"]["complete"], json!(true));
    for server in [&one, &two] {
        wait(PATIENCE, "it tells the new numbers", || {
            (told(server).0, told(server).1) == (json!(2), json!(3))
        });
    }
    let refused = token(&one.client(), ROOT, &old[..2]).unwrap_err();
    let refused = refused.as_str().unwrap();
    assert!(refused.contains("recovery key does not match"), "{refused}");
    assert!(token(&two.client(), ROOT, &new[..2]).is_ok());

    two.client()
        .with_token(&root)
        .put("sys/seal", json!({}))
        .expect(204);
    for share in &new {
        two.client().put("sys/unseal", json!({"key": share}));
    }
    assert_eq!(status(&two)["sealed"], json!(true));
    assert_eq!(told(&two).1, json!(3), "a sealed node tells them, too");
}

#[test]
fn in_recovery_mode_the_seal_opens_and_recovery_keys_allow() {
    let folder = tempfile::tempdir().unwrap();
    let server = node(folder.path(), "one", None, &[]);
    let init = json!({"recovery_shares": 2, "recovery_threshold": 2});
    let made = server.client().put("sys/init", init).expect(200).json();
    let shares = texts(&made, "recovery_keys");
    is_open(&server);
    server.stop();
    let server = node(folder.path(), "one", None, &["-recovery"]);
    let client = server.client();
    let base = "sys/generate-recovery-token";
    let wrong = [shares[0].clone(), "ab".repeat(33)];
    let refused = token(&client, base, &wrong).unwrap_err();
    let refused = refused.as_str().unwrap();
    assert!(refused.contains("recovery key does not match"), "{refused}");
    client.get("sys/raw/core/mounts").expect(403);
    let token = token(&client, base, &shares).unwrap();
    client
        .with_token(&token)
        .get("sys/raw/core/mounts")
        .expect(200);
}
