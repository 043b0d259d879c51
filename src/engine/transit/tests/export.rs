//! Tests: keys that leave, and come back.

use super::{data, mount, refusal};
use crate::engine::Operation;
use serde_json::{Value, json};

const TYPES: [&str; 7] = [
    "aes128-gcm96",
    "xchacha20-poly1305",
    "ed25519",
    "ecdsa-p256",
    "ecdsa-p521",
    "rsa-2048",
    "hmac",
];

/// Returns what a key of this type proves itself by, and the requests that take it back.
fn proof(kind: &str) -> (&'static str, Value, &'static str) {
    match kind {
        "aes128-gcm96" | "xchacha20-poly1305" => {
            ("encrypt/k", json!({"plaintext": "aGk="}), "decrypt/new")
        }
        "hmac" => ("hmac/k", json!({"input": "aGk="}), "verify/new"),
        _ => ("sign/k", json!({"input": "aGk="}), "verify/new"),
    }
}

#[test]
fn a_backup_makes_the_same_key_elsewhere() {
    for kind in TYPES {
        let (here, there) = (mount(), mount());
        let settings = json!({
            "type": kind, "exportable": true, "allow_plaintext_backup": true});
        data(&here, "keys/k", settings);
        let (path, ask, back) = proof(kind);
        let mut made = data(&here, path, ask.clone());
        made["input"] = json!("aGk=");
        data(&here, "keys/k/rotate", json!({}));
        let backup = here.read("backup/k", Value::Null)["backup"].clone();
        let restore = json!({"backup": backup});
        there.put("restore/new", restore.clone()).expect("restores");
        let answer = data(&there, back, made);
        match back {
            "decrypt/new" => assert_eq!(answer["plaintext"], "aGk="),
            _ => assert_eq!(answer["valid"], true, "{kind}"),
        }
        let shown = there.read("keys/new", Value::Null);
        assert_eq!(shown["latest_version"], 2);
        assert_eq!(shown["restore_info"]["version"], 2);
        assert_eq!(shown["keys"], here.read("keys/k", Value::Null)["keys"]);
        assert_eq!(
            refusal(&there, "restore/new", restore.clone()),
            "key \"new\" already exists"
        );
        for _ in 0..3 {
            data(&there, "keys/new/rotate", json!({}));
        }
        let mut forced = restore;
        forced["force"] = json!(true);
        there.put("restore/new", forced).expect("replaces");
        assert_eq!(there.records(), 3, "{kind}: the newer versions are gone");
    }
}

#[test]
fn what_is_no_backup_is_refused_and_changes_nothing() {
    let mount = mount();
    let settings = json!({"type": "ed25519", "exportable": true, "allow_plaintext_backup": true});
    data(&mount, "keys/k", settings);
    let backup = mount.read("backup/k", Value::Null)["backup"].clone();
    let good = backup.as_str().expect("a text");
    let bytes = super::super::base::decode(good).expect("base64");
    let before = mount.records();
    let encode = |bytes: &[u8]| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed.truncate(at);
        let body = json!({"backup": encode(&changed)});
        assert!(mount.put("restore/cut", body).is_err(), "cut at {at}");
    }
    // The seed, the public key and its text belong together.
    let mut changed = bytes.clone();
    let last = changed.len() - 10;
    changed[last] ^= 1;
    assert!(
        mount
            .put("restore/other", json!({"backup": encode(&changed)}))
            .is_err()
    );
    for (text, why) in [
        ("", "'backup' must be supplied"),
        ("!", "'backup' is none that this server can read"),
        ("e30=", "'backup' is none that this server can read"),
    ] {
        let refused = refusal(&mount, "restore", json!({"backup": text}));
        assert!(refused.starts_with(why), "{refused}");
    }
    assert_eq!(mount.records(), before);
    mount
        .put("restore/whole", json!({"backup": good}))
        .expect("the whole one is good");
}

#[test]
fn a_key_leaves_only_when_it_may() {
    let mount = mount();
    data(&mount, "keys/k", json!({"type": "ed25519"}));
    let ask = |path: &str| mount.refusal(Operation::Read, path, Value::Null);
    assert_eq!(
        ask("export/signing-key/k"),
        "private key material is not exportable"
    );
    assert_eq!(ask("backup/k"), "exporting is disallowed on the policy");
    let public = mount.read("export/public-key/k", Value::Null);
    let shown = mount.read("keys/k", Value::Null);
    assert_eq!(public["keys"]["1"], shown["keys"]["1"]["public_key"]);
    data(&mount, "keys/k/config", json!({"exportable": true}));
    assert_eq!(
        ask("backup/k"),
        "plaintext backup is disallowed on the policy"
    );
    let signing = mount.read("export/signing-key/k/latest", Value::Null);
    assert_eq!(signing["keys"]["1"].as_str().expect("a text").len(), 88);
    let encoded = mount.read("export/signing-key/k", json!({"format": "pem"}));
    let encoded = encoded["keys"]["1"].as_str().expect("a text");
    assert!(encoded.starts_with("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI"));
    for (path, why) in [
        ("export/nonsense/k", "invalid export type: nonsense"),
        (
            "export/encryption-key/k",
            "encryption not supported for the key",
        ),
        ("export/signing-key/k/x", "invalid key version"),
        (
            "export/signing-key/k/2",
            "version does not exist or cannot be found",
        ),
        (
            "export/signing-key/k/0",
            "version for export is below minimum decryption version",
        ),
    ] {
        assert_eq!(ask(path), why);
    }
}
