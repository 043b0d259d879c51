//! Recovery keys on nodes whose seal is a provider that can be unplugged: their making, what they
//! allow, and their replacement.

use super::*;
use crate::node::seals::tests::{api, call, config, eventually, is, recovery, start, status};
use crate::node::start::Node;
use crate::seal::Provider;
use crate::seal::testing::TestProvider;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

/// Calls a path of a node, and returns the status code and the object that it answers.
async fn ask(url: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let answer = call(url, method, path, "", &body.to_string()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, serde_json::from_str(body).unwrap_or_default())
}

fn texts(answer: &Value, name: &str) -> Vec<String> {
    serde_json::from_value(answer[name].clone()).unwrap()
}

/// Gives shares to what was begun at `path`; returns the last answer.
async fn give(url: &str, path: &str, nonce: &Value, shares: &[String]) -> (u16, Value) {
    let mut last = (0, Value::Null);
    for share in shares {
        let body = json!({"key": share, "nonce": nonce});
        last = ask(url, "PUT", path, body).await;
    }
    last
}

fn decoded(answer: &Value, begun: &Value) -> String {
    let encoded = STANDARD_NO_PAD.decode(answer["encoded_token"].as_str().unwrap());
    let otp = begun["otp"].as_str().unwrap().bytes();
    let token = encoded.unwrap().into_iter().zip(otp);
    String::from_utf8(token.map(|(one, other)| one ^ other).collect()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn init_makes_recovery_keys_or_refuses_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let provider = TestProvider::new("");
    let node = start(&folder.path().join("n1"), None, &provider).await;
    let url = api(&node);
    for (body, why) in [
        (
            json!({"recovery_shares": 3}),
            "invalid recovery configuration: threshold must be at least one",
        ),
        (
            json!({"recovery_shares": 3, "recovery_threshold": 1}),
            "invalid recovery configuration: threshold must be greater than one",
        ),
        (
            json!({"recovery_shares": 2, "recovery_threshold": 3}),
            "invalid recovery configuration: threshold cannot be larger than shares",
        ),
        (
            json!({"recovery_shares": 300, "recovery_threshold": 3}),
            "invalid recovery configuration: shares must be less than 256",
        ),
        (
            json!({"secret_shares": 1, "secret_threshold": 1}),
            "parameters secret_shares,secret_threshold not applicable to seal type test",
        ),
    ] {
        let (code, refused) = ask(&url, "PUT", "sys/init", body).await;
        let told = refused["errors"][0].as_str().unwrap();
        assert!(code == 400 && told.starts_with(why), "{told}");
        assert!(!status(&node).initialized);
    }
    let (code, made) = ask(&url, "PUT", "sys/init", json!({})).await;
    assert_eq!((code, &made["keys"]), (200, &json!([])));
    let shares = texts(&made, "recovery_keys");
    assert_eq!(
        (shares.len(), texts(&made, "recovery_keys_base64").len()),
        (5, 5)
    );
    is(&node, "active").await;
    let (_, told) = ask(&url, "GET", "sys/seal-status", json!({})).await;
    let numbers = (&told["t"], &told["n"], &told["recovery_seal_type"]);
    assert_eq!(numbers, (&json!(3), &json!(5), &json!("shamir")));

    let (_, begun) = ask(&url, "PUT", "sys/generate-root/attempt", json!({})).await;
    assert_eq!(begun["required"], json!(3));
    let path = "sys/generate-root/update";
    let (_, last) = give(&url, path, &begun["nonce"], &shares[2..]).await;
    let token = decoded(&last, &begun);
    let looked = call(&url, "GET", "auth/token/lookup-self", &token, "").await;
    assert!(looked.contains("\"policies\":[\"root\"]"), "{looked}");
    node.shutdown().await;
}

async fn standbys(
    homes: &[std::path::PathBuf],
    first: &Node,
    key: &Arc<TestProvider>,
) -> Vec<Node> {
    let mut nodes = Vec::new();
    for home in homes {
        let node = start(home, Some(&api(first)), key).await;
        is(&node, "standby").await;
        nodes.push(node);
    }
    nodes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_keys_are_replaced_and_every_node_follows() {
    let folder = tempfile::tempdir().unwrap();
    let homes = ["n1", "n2", "n3", "n4"].map(|name| folder.path().join(name));
    let provider = TestProvider::new("a");
    let first = start(&homes[0], None, &provider).await;
    let made = first.shared().initialize_with(recovery(3, 2), None).await;
    let made = made.unwrap().recovery_shares.unwrap();
    let old: Vec<String> = made
        .iter()
        .map(|share| hex::encode(share.expose()))
        .collect();
    is(&first, "active").await;
    let others = standbys(&homes[1..3], &first, &provider).await;
    let url = api(&first);

    let (_, refused) = ask(
        &url,
        "PUT",
        "sys/rekey/init",
        json!({"require_verification": true}),
    )
    .await;
    let why =
        "requiring verification not supported when rekeying the barrier key with recovery keys";
    assert_eq!(refused["errors"][0], json!(why));
    let before = first.shared().sealed.seal_record().unwrap().unwrap();
    let (_, begun) = ask(&url, "PUT", "sys/rekey/init", json!({})).await;
    let path = "sys/rekey/update";
    let (_, done) = give(&url, path, &begun["nonce"], &old[..2]).await;
    assert_eq!(
        (&done["complete"], &done["keys"]),
        (&json!(true), &json!([]))
    );
    let after = first.shared().sealed.seal_record().unwrap().unwrap();
    assert_ne!(after.wrapped, before.wrapped);
    assert_eq!(after.recovery, before.recovery);

    let wish = json!({"secret_shares": 5, "secret_threshold": 4});
    let (_, begun) = ask(&url, "PUT", "sys/rekey-recovery-key/init", wish).await;
    let path = "sys/rekey-recovery-key/update";
    let (code, done) = give(&url, path, &begun["nonce"], &old[1..]).await;
    assert_eq!((code, &done["complete"]), (200, &json!(true)));
    for node in others.iter().chain([&first]) {
        let told = || (status(node).t, status(node).n);
        eventually("it tells the new numbers", || told() == (4, 5)).await;
    }
    let (_, begun) = ask(&url, "PUT", "sys/generate-root/attempt", json!({})).await;
    let four = [&old[..], &old[..1]].concat();
    let path = "sys/generate-root/update";
    let (code, _) = give(&url, path, &begun["nonce"], &four).await;
    assert_eq!(code, 400, "old shares make no token");
    let (code, _) = give(&url, path, &begun["nonce"], &texts(&done, "keys")[1..]).await;
    assert_eq!(code, 200);

    // The provider opens what it was given last, on all nodes and for one that joins.
    let fourth = start(&homes[3], Some(&url), &provider).await;
    is(&fourth, "standby").await;
    for node in others.into_iter().chain([fourth, first]) {
        node.shutdown().await;
    }
    let mut again = Vec::new();
    for home in &homes {
        again.push(start(home, None, &provider).await);
    }
    for node in &again {
        eventually("it opens", || !status(node).sealed).await;
    }
    for node in again {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_recovery_mode_the_provider_opens_and_the_recovery_keys_allow() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("n1");
    let provider = TestProvider::new("");
    let node = start(&home, None, &provider).await;
    let made = node.shared().initialize_with(recovery(3, 2), None).await;
    let made = made.unwrap().recovery_shares.unwrap();
    let shares: Vec<String> = made
        .iter()
        .map(|share| hex::encode(share.expose()))
        .collect();
    is(&node, "active").await;
    node.shutdown().await;

    let without = Recovery::start_with(config(&home, None), Providers::default()).await;
    let why = without.err().unwrap().to_string();
    assert!(why.contains("give its seal stanza, seal \"test\""), "{why}");
    let providers = Providers::new(vec![Arc::clone(&provider) as Arc<dyn Provider>]);
    let node = Recovery::start_with(config(&home, None), providers)
        .await
        .unwrap();
    let url = match &node.bound()[0] {
        Bound::Tcp(address) => format!("http://{address}"),
        other => panic!("{other:?}"),
    };
    let (attempt, update) = (
        "sys/generate-recovery-token/attempt",
        "sys/generate-recovery-token/update",
    );
    let (_, begun) = ask(&url, "PUT", attempt, json!({})).await;
    assert_eq!(begun["required"], json!(2));
    let nonce = &begun["nonce"];
    provider.set_away(true);
    let (code, refused) = give(&url, update, nonce, &shares[..2]).await;
    let why = refused["errors"][0].as_str().unwrap();
    assert!(
        code == 503 && why.contains("it is away: unplugged"),
        "{why}"
    );
    provider.set_away(false);
    let wrong = [shares[0].clone(), "ab".repeat(33)];
    let (code, refused) = give(&url, update, nonce, &wrong).await;
    let why = refused["errors"][0].as_str().unwrap();
    assert!(
        code == 400 && why.contains("recovery key does not match"),
        "{why}"
    );
    let (code, last) = give(&url, update, nonce, &shares[1..]).await;
    assert_eq!((code, &last["complete"]), (200, &json!(true)));
    let token = decoded(&last, &begun);
    let raw = "sys/raw/core/mounts?encoding=base64";
    let read = call(&url, "GET", raw, &token, "").await;
    assert!(read.starts_with("HTTP/1.1 200"), "{read}");
    let denied = call(&url, "GET", raw, "r.wrong", "").await;
    assert!(denied.starts_with("HTTP/1.1 403"), "{denied}");
    node.shutdown().await;
}
