//! Tests: the answers of transit, and published vectors of its ciphers.

mod export;
mod sign;

use super::Transit;
use super::cipher::Cipher;
use super::kind::KeyType;
use super::record::VERSIONS_MAX;
use crate::engine::kv::harness::Mount;
use crate::engine::{Engine, ErrorKind, Existing, Operation};
use crate::secret::Secret;
use serde_json::{Value, json};

const TYPES: [&str; 4] = [
    "aes128-gcm96",
    "aes256-gcm96",
    "chacha20-poly1305",
    "xchacha20-poly1305",
];

/// A derived, convergent key of OpenBao 2.7.2, and "hi" in the context "a".
const OPENBAO_KEY: &str = "26852eefe684a331ed42f2133ac05437157896a00f958ab5d8161aa63dff2195";
const OPENBAO_TEXT: &str = "vault:v1:efdTODIeVRFqXXBUZbtsb2QoYWGXGlaPBJDqoUj9";

fn mount() -> Mount<Transit> {
    Mount::new(Transit, &[])
}

fn data(mount: &Mount<Transit>, path: &str, body: Value) -> Value {
    let response = mount.put(path, body).expect("answers");
    Value::Object(response.data.expect("data"))
}

fn refusal(mount: &Mount<Transit>, path: &str, body: Value) -> String {
    mount.refusal(Operation::Update, path, body)
}

fn sealed(mount: &Mount<Transit>, body: Value) -> String {
    let answer = data(mount, "encrypt/k", body);
    answer["ciphertext"].as_str().expect("a text").to_owned()
}

#[test]
fn each_type_gives_back_what_it_was_given() {
    for kind in TYPES {
        for derived in [false, true] {
            let mount = mount();
            data(&mount, "keys/k", json!({"type": kind, "derived": derived}));
            for plaintext in [
                "",
                "aGk=",
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
            ] {
                let ask =
                    json!({"plaintext": plaintext, "context": "Yw==", "associated_data": "YQ=="});
                let text = sealed(&mount, ask.clone());
                assert!(text.starts_with("vault:v1:"), "{text}");
                assert_ne!(text, sealed(&mount, ask), "{kind}: a nonce is used once");
                let open = |context: &str, associated: &str| {
                    let body = json!({
                        "ciphertext": text, "context": context, "associated_data": associated});
                    mount.put("decrypt/k", body)
                };
                let opened = open("Yw==", "YQ==").expect("opens").data.expect("data");
                assert_eq!(opened["plaintext"], plaintext);
                assert!(
                    open("Yw==", "YWE=").is_err(),
                    "{kind}: other associated data"
                );
                assert_eq!(
                    open("YWE=", "YQ==").is_err(),
                    derived,
                    "{kind}: another context"
                );
            }
        }
    }
}

/// RFC 8439 (2.8.2), draft-irtf-cfrg-xchacha-03 (A.3.1), the GCM specification (cases 4 and 16).
#[test]
fn ciphers_agree_with_published_vectors() {
    let bytes = |text: &str| hex::decode(text).expect("hex");
    let sunscreen = "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739\
                     393a204966204920636f756c64206f6666657220796f75206f6e6c79206f6e6520746970206\
                     66f7220746865206675747572652c2073756e73637265656e20776f756c642062652069742e";
    let gcm = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532\
               fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    let gcm_associated = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    for (kind, key, sealed, associated, plaintext) in [
        (
            "chacha20-poly1305",
            "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
            "070000004041424344454647\
             d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fa\
             fb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4\
             fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116\
             1ae10b594f09e26a7e902ecbd0600691",
            "50515253c0c1c2c3c4c5c6c7",
            sunscreen,
        ),
        (
            "xchacha20-poly1305",
            "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
            "404142434445464748494a4b4c4d4e4f5051525354555657\
             bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3\
             a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2b\
             c369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e\
             c0875924c1c7987947deafd8780acf49",
            "50515253c0c1c2c3c4c5c6c7",
            sunscreen,
        ),
        (
            "aes128-gcm96",
            "feffe9928665731c6d6a8f9467308308",
            "cafebabefacedbaddecaf888\
             42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6\
             a5aac84aa051ba30b396a0aac973d58e091\
             5bc94fbc3221a5db94fae95ae7121a47",
            gcm_associated,
            gcm,
        ),
        (
            "aes256-gcm96",
            "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            "cafebabefacedbaddecaf888\
             522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08\
             b1056828838c5f61e6393ba7a0abcc9f662\
             76fc6ece0f4e1768cddf8853bb2d551b",
            gcm_associated,
            gcm,
        ),
    ] {
        let kind_of = KeyType::named(kind).expect("known");
        let cipher = Cipher::plain(kind_of, Secret::new(bytes(key)));
        let opened = cipher.open(bytes(sealed), &bytes(associated));
        assert_eq!(opened.expect(kind).expose(), &bytes(plaintext), "{kind}");
        let mut changed = bytes(sealed);
        *changed.last_mut().expect("a tag") ^= 1;
        assert!(cipher.open(changed, &bytes(associated)).is_err(), "{kind}");
    }
}

/// A text that OpenBao encrypted under a key that was exported from it: derived keys are derived
/// alike, and so are convergent nonces.
#[test]
fn derived_keys_are_those_of_openbao() {
    let key = Secret::new(hex::decode(OPENBAO_KEY).expect("hex"));
    let cipher = Cipher::derived(KeyType::Aes256Gcm96, &key, b"a", true).expect("derives");
    let (_, sealed) = super::ciphertext::read(OPENBAO_TEXT).expect("a ciphertext");
    let opened = cipher.open(sealed.clone(), b"").expect("opens");
    assert_eq!(opened.expose(), b"hi");
    assert_eq!(cipher.seal(b"hi", b"").expect("seals"), sealed);
}

#[test]
fn convergent_texts_are_alike_only_when_all_is() {
    let mount = mount();
    data(
        &mount,
        "keys/k",
        json!({"derived": true, "convergent_encryption": true}),
    );
    let ask = |plaintext: &str, context: &str, associated: &str| {
        let body = json!({
            "plaintext": plaintext, "context": context, "associated_data": associated});
        sealed(&mount, body)
    };
    let usual = ask("aGk=", "Yw==", "");
    assert_eq!(usual, ask("aGk=", "Yw==", ""));
    let nonce = |text: &str| text["vault:v1:".len()..][..16].to_owned();
    for other in [
        ask("aGg=", "Yw==", ""),
        ask("aGk=", "Yg==", ""),
        ask("aGk=", "Yw==", "YQ=="),
        ask("aGk=", "Yw==", "Yg=="),
    ] {
        assert_ne!(nonce(&usual), nonce(&other));
    }
    let refused = refusal(&mount, "encrypt/k", json!({"plaintext": "aGk="}));
    assert!(
        refused.starts_with("missing 'context' for key derivation"),
        "{refused}"
    );
}

#[test]
fn versions_follow_each_other_until_they_are_shut_out() {
    let mount = mount();
    data(&mount, "keys/k", json!({}));
    let first = sealed(&mount, json!({"plaintext": "aGk="}));
    let rotated = data(&mount, "keys/k/rotate", json!({}));
    assert_eq!(rotated["latest_version"], 2);
    let second = sealed(&mount, json!({"plaintext": "aGk="}));
    assert!(second.starts_with("vault:v2:"));
    let again = data(&mount, "rewrap/k", json!({"ciphertext": first}));
    assert_eq!(again["key_version"], 2);
    let old = sealed(&mount, json!({"plaintext": "aGk=", "key_version": 1}));
    for text in [
        &first,
        &second,
        &old,
        &again["ciphertext"].as_str().expect("a text").into(),
    ] {
        let opened = data(&mount, "decrypt/k", json!({"ciphertext": text}));
        assert_eq!(opened["plaintext"], "aGk=");
    }
    let settings = json!({"min_decryption_version": 2, "min_encryption_version": 2});
    let shown = data(&mount, "keys/k/config", settings);
    assert_eq!(shown["keys"].as_object().expect("a map").len(), 1);
    let refused = refusal(&mount, "decrypt/k", json!({"ciphertext": first}));
    assert_eq!(
        refused,
        "ciphertext or signature version is disallowed by policy (too old)"
    );
    let refused = refusal(
        &mount,
        "encrypt/k",
        json!({"plaintext": "aGk=", "key_version": 1}),
    );
    assert!(
        refused.ends_with("less than the minimum encryption key version"),
        "{refused}"
    );
    data(
        &mount,
        "keys/k/config",
        json!({"min_decryption_version": 1, "min_encryption_version": 1}),
    );
    data(&mount, "decrypt/k", json!({"ciphertext": first}));
}

#[test]
fn trimmed_versions_are_gone_and_so_is_a_deleted_key() {
    let mount = mount();
    data(&mount, "keys/k", json!({}));
    for _ in 0..3 {
        data(&mount, "keys/k/rotate", json!({}));
    }
    assert_eq!(mount.records(), 5);
    data(
        &mount,
        "keys/k/config",
        json!({"min_decryption_version": 3, "min_encryption_version": 3}),
    );
    let shown = data(&mount, "keys/k/trim", json!({"min_available_version": 3}));
    assert_eq!(shown["min_available_version"], 3);
    assert_eq!(mount.records(), 3);
    assert_eq!(
        refusal(
            &mount,
            "keys/k/config",
            json!({"min_encryption_version": 0})
        ),
        "min encryption version should not be less than min available version"
    );
    let lower = json!({"min_decryption_version": 2, "min_encryption_version": 3});
    assert_eq!(
        refusal(&mount, "keys/k/config", lower),
        "min decryption version should not be less then min available version"
    );
    let text = sealed(&mount, json!({"plaintext": "aGk="}));
    assert!(text.starts_with("vault:v4:"), "{text}");
    assert_eq!(
        mount.refusal(Operation::Delete, "keys/k", Value::Null),
        "error deleting policy k: deletion is not allowed for this key"
    );
    data(&mount, "keys/k/config", json!({"deletion_allowed": true}));
    mount
        .ask(Operation::Delete, "keys/k", Value::Null)
        .expect("deletes");
    assert_eq!(mount.records(), 0);
    assert_eq!(
        refusal(&mount, "decrypt/k", json!({"ciphertext": text})),
        "encryption key not found"
    );
    // A new key of that name is another one.
    data(&mount, "keys/k", json!({}));
    for _ in 0..3 {
        data(&mount, "keys/k/rotate", json!({}));
    }
    let refused = refusal(&mount, "decrypt/k", json!({"ciphertext": text}));
    assert_eq!(refused, "cipher: message authentication failed");
}

#[test]
fn a_key_comes_with_the_first_text_unless_it_shall_not() {
    let mount = mount();
    let request = mount.request(Operation::Update, "encrypt/k", json!({"plaintext": "aGk="}));
    let existing = |mount: &Mount<Transit>| match mount.engine.existing(&request, &mount.view) {
        Ok(Existing::Slot(slot)) => slot.is_taken(),
        other => panic!("{other:?}"),
    };
    assert!(!existing(&mount), "it takes `create`");
    sealed(&mount, json!({"plaintext": "aGk=", "type": "aes128-gcm96"}));
    assert!(existing(&mount), "it takes `update`");
    assert_eq!(mount.read("keys/k", Value::Null)["type"], "aes128-gcm96");
    data(
        &mount,
        "encrypt/derived",
        json!({"plaintext": "aGk=", "context": "Yw=="}),
    );
    assert_eq!(mount.read("keys/derived", Value::Null)["derived"], true);
    let before = mount.records();
    for (body, why) in [
        (
            json!({"plaintext": "!"}),
            "illegal base64 data at input byte 0",
        ),
        (
            json!({"plaintext": "aGkaG"}),
            "illegal base64 data at input byte 4",
        ),
        (json!({}), "missing plaintext to encrypt"),
        (
            json!({"plaintext": "aGk=", "type": "nonsense"}),
            "unknown key type nonsense",
        ),
        (
            json!({"plaintext": "aGk=", "key_version": 2}),
            "requested version for encryption is higher than the latest key version",
        ),
    ] {
        assert_eq!(refusal(&mount, "encrypt/new", body), why);
    }
    data(&mount, "config/keys", json!({"disable_upsert": true}));
    let refused = refusal(&mount, "encrypt/new", json!({"plaintext": "aGk="}));
    assert_eq!(refused, "encryption key not found");
    assert_eq!(mount.records(), before + 1, "the settings alone are new");
    assert_eq!(
        mount.keys(Operation::List, "keys", Value::Null),
        ["derived", "k"]
    );
}

#[test]
fn a_batch_tells_what_became_of_each_text() {
    let mount = mount();
    data(&mount, "keys/k", json!({}));
    let good = json!({"plaintext": "aGk=", "reference": "r"});
    let ask = |batch: Value, code: Option<u16>| {
        let body = json!({"batch_input": batch, "partial_failure_response_code": code});
        let response = mount.put("encrypt/k", body).expect("answers");
        (
            response.status,
            Value::Object(response.data.expect("data"))["batch_results"].clone(),
        )
    };
    let (status, results) = ask(json!([good]), None);
    assert_eq!((status, &results[0]["reference"]), (None, &json!("r")));
    let opened = data(&mount, "decrypt/k", json!({"batch_input": results}));
    assert_eq!(
        opened["batch_results"][0],
        json!({"plaintext": "aGk=", "reference": "r"})
    );
    let bad = json!({"plaintext": "!"});
    let failed = json!({"error": "illegal base64 data at input byte 0", "reference": ""});
    assert_eq!(ask(json!([bad]), Some(207)), (Some(400), json!([failed])));
    let (status, results) = ask(json!([good, bad]), Some(207));
    assert_eq!((status, &results[1]), (Some(207), &failed));
    assert_eq!(ask(json!([good, bad]), None).0, Some(400));
    assert_eq!(ask(json!([good, bad]), Some(9999)).0, Some(400));
    for (batch, why) in [
        (json!([]), "missing batch input to process"),
        (
            json!("x"),
            "failed to parse batch input: source data must be an array or slice, got string",
        ),
        (
            json!([good, {}]),
            "failed to parse batch input: '[1].plaintext' missing plaintext to encrypt",
        ),
        (
            json!([{"plaintext": 5}]),
            "failed to parse batch input: '[0].plaintext' expected type 'string', \
             got unconvertible type 'json.Number'",
        ),
        (
            json!([5]),
            "failed to parse batch input: [0] expected a map, got 'json.Number'",
        ),
    ] {
        assert_eq!(
            refusal(&mount, "encrypt/k", json!({"batch_input": batch})),
            why
        );
    }
    let rewrapped = mount
        .put("rewrap/k", json!({"batch_input": [{}]}))
        .expect("answers");
    assert_eq!(rewrapped.status, None);
}

#[test]
fn ciphertexts_that_are_none_are_refused_as_vault_words_it() {
    let mount = mount();
    data(&mount, "keys/k", json!({}));
    for (text, why) in [
        ("", "missing ciphertext to decrypt"),
        ("x", "invalid ciphertext: no prefix"),
        ("vault:v1", "invalid ciphertext: wrong number of fields"),
        (
            "vault:vx:aGk=",
            "invalid ciphertext: version number could not be decoded",
        ),
        ("vault:v1:!", "invalid ciphertext: could not decode base64"),
        ("vault:v1:aGk=", "invalid ciphertext length"),
        ("vault:v9:aGk=", "invalid ciphertext: version is too new"),
        (
            "vault:v-1:aGk=",
            "ciphertext or signature version is disallowed by policy (too old)",
        ),
    ] {
        assert_eq!(
            refusal(&mount, "decrypt/k", json!({"ciphertext": text})),
            why
        );
    }
    assert_eq!(
        refusal(&mount, "rewrap/no", json!({"ciphertext": ""})),
        "missing ciphertext to decrypt"
    );
    assert_eq!(
        refusal(&mount, "decrypt/no", json!({"ciphertext": "x"})),
        "encryption key not found"
    );
}

#[test]
fn a_soft_deleted_key_does_nothing_until_it_is_restored() {
    let mount = mount();
    data(&mount, "keys/k", json!({}));
    let text = sealed(&mount, json!({"plaintext": "aGk="}));
    mount
        .ask(Operation::Delete, "keys/k/soft-delete", Value::Null)
        .expect("marks");
    for (path, body) in [
        ("encrypt/k", json!({"plaintext": "aGk="})),
        ("decrypt/k", json!({"ciphertext": text})),
        ("rewrap/k", json!({"ciphertext": text})),
        ("datakey/wrapped/k", json!({})),
        ("keys/k/rotate", json!({})),
    ] {
        assert_eq!(
            refusal(&mount, path, body),
            "refusing to use soft-deleted key",
            "{path}"
        );
    }
    data(&mount, "keys/k/soft-delete-restore", json!({}));
    assert_eq!(
        data(&mount, "decrypt/k", json!({"ciphertext": text}))["plaintext"],
        "aGk="
    );
}

#[test]
fn settings_that_cannot_be_are_refused_by_name() {
    let mount = mount();
    data(&mount, "keys/k", json!({}));
    for (path, body, why) in [
        (
            "keys/n",
            json!({"type": "nonsense"}),
            "unknown key type nonsense",
        ),
        (
            "keys/n",
            json!({"convergent_encryption": true}),
            "convergent encryption requires derivation to be enabled",
        ),
        (
            "keys/n",
            json!({"type": "rsa-2048", "derived": true}),
            "key derivation and convergent encryption not supported for keys of type rsa-2048",
        ),
        (
            "keys/n",
            json!({"type": "hmac", "key_size": 8}),
            "invalid key_size 8",
        ),
        (
            "keys/k/config",
            json!({"min_decryption_version": 5}),
            "cannot set min decryption version of 5, latest key version is 1",
        ),
        (
            "keys/k/config",
            json!({"min_encryption_version": -1}),
            "min encryption version cannot be negative",
        ),
        (
            "keys/n/config",
            json!({}),
            "no existing key named n could be found",
        ),
        ("keys/n/rotate", json!({}), "key not found"),
        ("keys/k/trim", json!({}), "missing min_available_version"),
        (
            "keys/k/trim",
            json!({"min_available_version": 1}),
            "minimum available version cannot be set when minimum encryption version is not set",
        ),
        (
            "datakey/other/k",
            json!({}),
            "Invalid path, must be 'plaintext' or 'wrapped'",
        ),
        (
            "datakey/wrapped/k",
            json!({"bits": 100}),
            "invalid bit length",
        ),
    ] {
        assert_eq!(refusal(&mount, path, body), why);
    }
    for path in ["keys/n", "keys/k/config"] {
        let refused = refusal(&mount, path, json!({"auto_rotate_period": "2h"}));
        assert!(
            refused.starts_with("auto_rotate_period must be 0"),
            "{refused}"
        );
    }
    assert_eq!(
        mount.get("keys/n").expect_err("none").kind,
        ErrorKind::NotFound
    );
}

#[test]
fn a_data_key_opens_under_the_key_that_wrapped_it() {
    let mount = mount();
    data(&mount, "keys/k", json!({}));
    for (bits, length) in [(128, 24), (256, 44), (512, 88)] {
        let made = data(&mount, "datakey/plaintext/k", json!({"bits": bits}));
        assert_eq!(made["plaintext"].as_str().expect("a key").len(), length);
        let opened = data(
            &mount,
            "decrypt/k",
            json!({"ciphertext": made["ciphertext"]}),
        );
        assert_eq!(opened["plaintext"], made["plaintext"]);
    }
    let wrapped = data(&mount, "datakey/wrapped/k", json!({}));
    assert!(wrapped.get("plaintext").is_none());
}

#[test]
fn a_key_has_at_most_so_many_versions() {
    let mount = mount();
    data(&mount, "keys/k", json!({}));
    for _ in 1..VERSIONS_MAX {
        data(&mount, "keys/k/rotate", json!({}));
    }
    let refused = refusal(&mount, "keys/k/rotate", json!({}));
    assert_eq!(
        refused,
        format!("a key has at most {VERSIONS_MAX} versions: trim it first")
    );
    assert_eq!(
        mount.read("keys/k", Value::Null)["latest_version"],
        VERSIONS_MAX
    );
    let lowest = json!({"min_decryption_version": 2, "min_encryption_version": 2});
    data(&mount, "keys/k/config", lowest);
    data(&mount, "keys/k/trim", json!({"min_available_version": 2}));
    data(&mount, "keys/k/rotate", json!({}));
}

#[test]
fn of_two_that_rotate_or_make_a_key_at_once_one_comes_again() {
    let mount = mount();
    for path in ["keys/k", "keys/k/rotate"] {
        let ask = || mount.request(Operation::Update, path, json!({}));
        mount.race(&ask(), &ask());
    }
    let ask = || mount.request(Operation::Update, "encrypt/n", json!({"plaintext": "aGk="}));
    mount.race(&ask(), &ask());
}
