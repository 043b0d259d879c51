//! Tests: signatures and keyed hashes, and published vectors of key pairs.

use super::{data, mount, refusal};
use crate::engine::Operation;
use crate::engine::hash::Hash;
use crate::engine::kv::harness::Mount;
use crate::engine::transit::Transit;
use crate::engine::transit::kind::KeyType;
use crate::engine::transit::pair::Pair;
use crate::engine::transit::scheme::{Marshaling, Padding, Salt, Scheme};
use serde_json::{Value, json};

const PAIRS: [&str; 5] = [
    "ed25519",
    "ecdsa-p256",
    "ecdsa-p384",
    "ecdsa-p521",
    "rsa-2048",
];
const HASHES: [&str; 9] = [
    "sha1", "sha2-224", "sha2-256", "sha2-384", "sha2-512", "sha3-224", "sha3-256", "sha3-384",
    "sha3-512",
];

fn scheme(hash: &str) -> Scheme {
    Scheme {
        hash: Hash::named(hash),
        is_prehashed: false,
        marshaling: Marshaling::Jws,
        padding: Padding::Pss,
        salt: Salt::Any,
    }
}

fn valid(mount: &Mount<Transit>, body: &Value) -> Value {
    data(mount, "verify/k", body.clone())["valid"].clone()
}

/// Signs, and returns the body that verifies.
fn signed(mount: &Mount<Transit>, mut body: Value) -> Value {
    body["signature"] = data(mount, "sign/k", body.clone())["signature"].clone();
    body
}

/// RFC 6979 (A.2.5, A.2.6 and A.2.7, "sample") and RFC 8032 (7.1, test 2).
#[test]
fn signatures_are_the_published_ones() {
    let bytes = |text: &str| hex::decode(text).expect("hex");
    for (kind, hash, key, signature) in [
        (
            "ecdsa-p256",
            "sha2-256",
            "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
             f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        ),
        (
            "ecdsa-p384",
            "sha2-384",
            "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8\
             96d5724e4c70a825f872c9ea60d2edf5",
            "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c\
             81a648152e44acf96e36dd1e80fabe46\
             99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f\
             a329c145786e679e7b82c71a38628ac8",
        ),
        (
            "ecdsa-p521",
            "sha2-512",
            "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75\
             caa896eb32f1f47c70855836a6d16fcc1466f6d8fbec67db89ec0c08b0e996b83538",
            "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f\
             174e25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e377fa\
             00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af\
             282623eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4a67a",
        ),
    ] {
        let pair = Pair::read(KeyType::named(kind).expect("known"), &bytes(key)).expect("a key");
        let sum = Hash::named(hash).expect("known").sum(b"sample");
        let made = pair.sign(&scheme(hash), &sum).expect("signs");
        assert_eq!(hex::encode(made), signature, "{kind}");
    }
    let seed = bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let pair = Pair::read(KeyType::Ed25519, &seed).expect("a key");
    let made = pair.sign(&scheme("sha2-256"), b"r").expect("signs");
    let wanted = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                  085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    assert_eq!(hex::encode(made), wanted);
}

#[test]
fn each_pair_verifies_what_it_signed_and_nothing_else() {
    for kind in PAIRS {
        let mount = mount();
        data(&mount, "keys/k", json!({"type": kind}));
        for hash in HASHES {
            for way in [
                json!({}),
                json!({"marshaling_algorithm": "jws"}),
                json!({"signature_algorithm": "pkcs1v15"}),
                json!({"salt_length": "hash"}),
            ] {
                let mut body = json!({"input": "aGVsbG8=", "hash_algorithm": hash});
                for (name, value) in way.as_object().expect("a map") {
                    body[name] = value.clone();
                }
                let mut body = signed(&mount, body);
                assert_eq!(valid(&mount, &body), true, "{kind} {body}");
                body["input"] = json!("aGVsbG9v");
                assert_eq!(valid(&mount, &body), false, "{kind} {body}");
            }
        }
        let mut body = signed(&mount, json!({"input": "aGVsbG8="}));
        data(&mount, "keys/k/rotate", json!({}));
        assert_eq!(valid(&mount, &body), true, "{kind}");
        let text = body["signature"].as_str().expect("a text");
        body["signature"] = json!(text.replace("vault:v1:", "vault:v2:"));
        assert_eq!(valid(&mount, &body), false, "{kind}: another key");
    }
}

#[test]
fn a_hash_is_signed_as_the_input_that_it_is_of() {
    for kind in ["ecdsa-p256", "ecdsa-p521", "rsa-2048"] {
        let mount = mount();
        data(&mount, "keys/k", json!({"type": kind}));
        let sum = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
        for padding in ["pss", "pkcs1v15"] {
            let ask = json!({
                "input": sum, "prehashed": true, "signature_algorithm": padding});
            let mut body = signed(&mount, ask);
            body["prehashed"] = json!(false);
            assert_eq!(valid(&mount, &body), false, "{kind}");
            body["input"] = json!("aGVsbG8=");
            assert_eq!(valid(&mount, &body), true, "{kind}");
        }
    }
}

#[test]
fn a_derived_pair_is_one_of_its_context() {
    let mount = mount();
    data(
        &mount,
        "keys/k",
        json!({"type": "ed25519", "derived": true}),
    );
    let mut body = signed(&mount, json!({"input": "aGVsbG8=", "context": "YQ=="}));
    assert_eq!(valid(&mount, &body), true);
    body["context"] = json!("Yg==");
    assert_eq!(valid(&mount, &body), false);
    body["context"] = json!("");
    assert!(refusal(&mount, "verify/k", body).starts_with("missing 'context'"));
    let read = |context: &str| {
        let shown = mount.read("keys/k", json!({"context": context}));
        shown["keys"]["1"]["public_key"].clone()
    };
    assert_eq!(read(""), "");
    assert_ne!(read("YQ=="), read("Yg=="));
    let made = data(
        &mount,
        "sign/k",
        json!({"input": "aGVsbG8=", "context": "YQ=="}),
    );
    assert_eq!(made["public_key"], read("YQ=="));
}

#[test]
fn keyed_hashes_are_told_from_others() {
    for kind in ["hmac", "aes256-gcm96", "ed25519"] {
        let mount = mount();
        data(&mount, "keys/k", json!({"type": kind}));
        for hash in HASHES {
            let path = format!("hmac/k/{hash}");
            let made = data(&mount, &path, json!({"input": "aGVsbG8="}));
            let verify = |input: &str| {
                let body = json!({"input": input, "hmac": made["hmac"]});
                data(&mount, &format!("verify/k/{hash}"), body)["valid"].clone()
            };
            assert_eq!(verify("aGVsbG8="), true);
            assert_eq!(verify("aGVsbG9v"), false);
        }
        let short = json!({"input": "aGVsbG8=", "hmac": "vault:v1:"});
        assert_eq!(valid(&mount, &short), false);
    }
}

#[test]
fn rsa_encrypts_with_oaep_alone() {
    let mount = mount();
    data(&mount, "keys/k", json!({"type": "rsa-2048"}));
    let sealed = data(&mount, "encrypt/k", json!({"plaintext": "aGk="}));
    let ask = json!({"ciphertext": sealed["ciphertext"]});
    let opened = data(&mount, "decrypt/k", ask.clone());
    assert_eq!(opened["plaintext"], "aGk=");
    let mut other = ask;
    other["padding_scheme"] = json!("oaep");
    data(&mount, "decrypt/k", other.clone());
    other["padding_scheme"] = json!("pkcs1v15");
    for path in ["decrypt/k", "rewrap/k"] {
        let refused = refusal(&mount, path, other.clone());
        assert!(refused.starts_with("padding_scheme"), "{refused}");
    }
    let changed = json!({"ciphertext": "vault:v1:AAAA"});
    assert_eq!(
        refusal(&mount, "decrypt/k", changed),
        "failed to RSA decrypt the ciphertext: decryption error"
    );
}

#[test]
fn a_type_does_what_it_can_and_no_more() {
    let mount = mount();
    data(&mount, "keys/aes", json!({}));
    data(&mount, "keys/ed", json!({"type": "ed25519"}));
    data(&mount, "keys/ec", json!({"type": "ecdsa-p256"}));
    data(&mount, "keys/hm", json!({"type": "hmac", "key_size": 64}));
    let hello = json!({"input": "aGVsbG8="});
    for (path, body, why) in [
        (
            "sign/aes",
            hello.clone(),
            "key type aes256-gcm96 does not support signing",
        ),
        (
            "sign/hm",
            hello.clone(),
            "key type hmac does not support signing",
        ),
        (
            "verify/aes",
            json!({"signature": "x"}),
            "key type aes256-gcm96 does not support verification",
        ),
        (
            "encrypt/ed",
            json!({"plaintext": "aGk="}),
            "message encryption not supported for key type ed25519",
        ),
        (
            "encrypt/new",
            json!({"plaintext": "aGk=", "type": "ed25519"}),
            "key type ed25519 not supported for this operation",
        ),
        (
            "sign/ec",
            json!({"hash_algorithm": "none"}),
            "hash_algorithm=none requires both prehashed=true and signature_algorithm=pkcs1v15",
        ),
        ("sign/no", hello, "signing key not found"),
        (
            "verify/ed",
            json!({}),
            "neither a 'signature' nor an 'hmac' were given to verify",
        ),
    ] {
        assert_eq!(mount.refusal(Operation::Update, path, body), why);
    }
    assert_eq!(mount.read("keys/hm", Value::Null)["key_size"], 64);
}

#[test]
fn a_batch_tells_which_inputs_were_signed() {
    let mount = mount();
    data(&mount, "keys/k", json!({"type": "ed25519"}));
    let good = json!({"input": "aGVsbG8=", "reference": "r"});
    let batch = json!({"batch_input": [good, {"input": "!"}, {}]});
    let made = data(&mount, "sign/k", batch)["batch_results"].clone();
    assert_eq!(made[0]["reference"], "r");
    assert_eq!(made[2]["error"], "missing input");
    let ask = |input: &str| json!({"input": input, "signature": made[0]["signature"]});
    let batch = json!({"batch_input": [ask("aGVsbG8="), ask("aGVsbG9v")]});
    let told = data(&mount, "verify/k", batch)["batch_results"].clone();
    assert_eq!(
        (&told[0]["valid"], &told[1]["valid"]),
        (&json!(true), &json!(false))
    );
}
