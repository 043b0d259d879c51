//! Emergency shares open a node whose provider is gone; new ones shut the old ones out.

use crate::recovery_keys::{PATIENCE, give, is_open, node, status, texts};
use crate::support::{Server, wait};
use serde_json::{Value, json};

/// Gives shares to a sealed node, and returns whether they opened it.
fn open(server: &Server, shares: &[String]) -> bool {
    wait(PATIENCE, "it knows its seal", || {
        status(server)["initialized"] == true
    });
    for share in shares {
        server.client().put("sys/unseal", json!({"key": share}));
    }
    status(server)["sealed"] == false
}

fn numbers(server: &Server) -> (Value, Value) {
    let told = status(server);
    let [shares, threshold] = ["emergency_shares", "emergency_threshold"];
    (told[threshold].clone(), told[shares].clone())
}

/// Begins a rekey of the seal key; returns the status code and the answer.
fn begin(server: &Server, wish: Value) -> (u16, Value) {
    let answer = server.client().put("sys/rekey/init", wish);
    (answer.status, answer.json())
}

#[test]
fn wrong_numbers_of_emergency_shares_are_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let one = node(folder.path(), "one", None, &[]);
    for (wish, why) in [
        (
            json!({"emergency_shares": 2, "emergency_threshold": 3}),
            "invalid emergency configuration: threshold cannot be larger than shares",
        ),
        (
            json!({"emergency_shares": 2, "emergency_threshold": 1}),
            "invalid emergency configuration: threshold must be greater than one",
        ),
    ] {
        let refused = one.client().put("sys/init", wish).expect(400).json();
        let told = refused["errors"][0].as_str().unwrap();
        assert!(told.starts_with(why), "{told}");
    }
    assert_eq!(status(&one)["initialized"], false);
}

#[test]
fn emergency_shares_open_without_the_provider_until_they_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("seal.key");
    // The provider is gone: its key is another one.
    let leaves = || std::fs::write(&key, [8; 32]).unwrap();
    let returns = || std::fs::write(&key, [7; 32]).unwrap();
    let one = node(folder.path(), "one", None, &[]);
    let wish = json!({"emergency_shares": 3, "emergency_threshold": 2,
        "recovery_shares": 2, "recovery_threshold": 2});
    let made = one.client().put("sys/init", wish).expect(200).json();
    let recovery = texts(&made, "recovery_keys");
    let old = texts(&made, "emergency_keys_base64");
    assert_eq!((old.len(), &made["keys"]), (3, &json!([])));
    is_open(&one);
    assert_eq!(numbers(&one), (json!(2), json!(3)));
    one.stop();

    leaves();
    let one = node(folder.path(), "one", None, &[]);
    assert!(!open(&one, &recovery), "recovery keys open nothing");
    assert!(open(&one, &old[1..]));

    let (code, refused) = begin(&one, json!({"secret_shares": 5, "secret_threshold": 3}));
    let told = refused["errors"][0].as_str().unwrap();
    assert!(code == 400 && told.contains("emergency_shares=0"), "{told}");
    returns();
    let (code, begun) = begin(
        &one,
        json!({"emergency_shares": 2, "emergency_threshold": 2}),
    );
    assert_eq!((code, &begun["n"]), (200, &json!(2)));
    let (_, done) = give(
        &one.client(),
        "sys/rekey/update",
        &begun["nonce"],
        &recovery,
    );
    let new = texts(&done, "keys");
    assert_eq!((new.len(), &done["complete"]), (2, &json!(true)));
    wait(PATIENCE, "it tells the new numbers", || {
        numbers(&one) == (json!(2), json!(2))
    });
    one.stop();

    leaves();
    let one = node(folder.path(), "one", None, &[]);
    assert!(!open(&one, &old), "whoever left is shut out");
    let reset = json!({"reset": true});
    one.client().put("sys/unseal", reset).expect(200);
    assert!(open(&one, &new));
    returns();
    let (_, begun) = begin(&one, json!({"emergency_shares": 0}));
    let (_, done) = give(
        &one.client(),
        "sys/rekey/update",
        &begun["nonce"],
        &recovery,
    );
    assert_eq!(
        (&done["keys"], &done["complete"]),
        (&json!([]), &json!(true))
    );
    wait(PATIENCE, "there are none", || {
        numbers(&one) == (Value::Null, Value::Null)
    });
    one.stop();
    let one = node(folder.path(), "one", None, &[]);
    is_open(&one);
}
