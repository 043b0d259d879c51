//! Shares and tokens are encrypted to the PGP keys of those who are to have them, at init, at a rekey
//! and for a new root token; and a key that cannot be encrypted to makes nothing.

use crate::support::{Client, Server};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

fn fixture(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pgp");
    std::fs::read_to_string(format!("{folder}/{name}.asc")).unwrap()
}

/// GnuPG with the private keys of both holders.
struct Gpg(tempfile::TempDir);

impl Gpg {
    fn start() -> Option<Self> {
        let gpg = Self(tempfile::tempdir().unwrap());
        if Command::new("gpg").arg("--version").output().is_err() {
            eprintln!("skipped: gpg is not installed");
            return None;
        }
        for name in ["rsa2048.private", "curve25519.private"] {
            gpg.run(&["--import"], fixture(name).as_bytes());
        }
        Some(gpg)
    }

    fn run(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut gpg = Command::new("gpg")
            .arg("--homedir")
            .arg(self.0.path())
            .args(["--batch", "--quiet", "--pinentry-mode", "loopback"])
            .args(["--passphrase", ""])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        gpg.stdin.take().unwrap().write_all(input).unwrap();
        let output = gpg.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }

    fn decrypt(&self, base64: &Value) -> String {
        let message = STANDARD.decode(base64.as_str().unwrap()).unwrap();
        String::from_utf8(self.run(&["--decrypt"], &message)).unwrap()
    }

    fn all(&self, answer: &Value) -> Vec<String> {
        let keys = answer["keys_base64"].as_array().unwrap();
        keys.iter().map(|key| self.decrypt(key)).collect()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let mut end = Command::new("gpgconf");
        end.arg("--homedir").arg(self.0.path());
        let _ = end.args(["--kill", "gpg-agent"]).output();
    }
}

fn give(client: &Client, path: &str, nonce: &Value, shares: &[String]) -> Value {
    let mut last = Value::Null;
    for share in shares {
        let body = json!({"key": share, "nonce": nonce});
        last = client.put(path, body).expect(200).json();
    }
    last
}

#[test]
fn shares_and_tokens_are_encrypted_to_their_holders() {
    let Some(gpg) = Gpg::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let client = server.client();
    let holders = [fixture("rsa2048"), fixture("curve25519")];
    let init = json!({
        "secret_shares": 2,
        "secret_threshold": 2,
        "pgp_keys": holders,
        "root_token_pgp_key": holders[1],
    });
    let made = client.put("sys/init", init).expect(200).json();
    let shares = gpg.all(&made);
    for share in &shares {
        client.put("sys/unseal", json!({"key": share})).expect(200);
    }
    let root = client.with_token(&gpg.decrypt(&made["root_token"]));
    root.get("auth/token/lookup-self").expect(200);

    let wish = json!({
        "secret_shares": 2,
        "secret_threshold": 2,
        "pgp_keys": holders,
        "backup": true,
    });
    let begun = client.put("sys/rekey/init", wish).expect(200).json();
    let fingerprints = begun["pgp_fingerprints"].as_array().unwrap();
    assert_eq!((fingerprints.len(), &begun["backup"]), (2, &json!(true)));
    let done = give(&client, "sys/rekey/update", &begun["nonce"], &shares);
    assert_eq!(done["pgp_fingerprints"], begun["pgp_fingerprints"]);
    client.get("sys/rekey/backup").expect(403);
    let backup = root.get("sys/rekey/backup").expect(200).json();
    assert_eq!(backup["data"]["nonce"], begun["nonce"]);
    for (at, fingerprint) in fingerprints.iter().enumerate() {
        let fingerprint = fingerprint.as_str().unwrap();
        let kept = &backup["keys_base64"][fingerprint];
        assert_eq!(*kept, json!([done["keys_base64"][at]]));
    }
    let other = root.get("sys/rekey/recovery-key-backup").expect(400).json();
    assert_eq!(other["errors"], json!(["no backed-up keys found"]));
    root.delete("sys/rotate/root/backup").expect(204);
    root.get("sys/rekey/backup").expect(400);

    let shares = gpg.all(&done);
    let wish = json!({"pgp_key": holders[0]});
    let begun = client.put("sys/generate-root/attempt", wish).expect(200);
    let begun = begun.json();
    assert_eq!(begun["pgp_fingerprint"], fingerprints[0]);
    assert_eq!(begun["otp"], json!(""));
    let path = "sys/generate-root/update";
    let last = give(&client, path, &begun["nonce"], &shares);
    let token = gpg.decrypt(&last["encoded_token"]);
    let looked = client.with_token(&token).get("auth/token/lookup-self");
    assert_eq!(
        looked.expect(200).json()["data"]["policies"],
        json!(["root"])
    );
}

#[test]
fn keys_that_cannot_be_encrypted_to_make_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let client = server.client();
    let good = fixture("rsa2048");
    let refused = |body: Value| -> String {
        let answer = client.put("sys/init", body).expect(400).json();
        let status = client.get("sys/init").expect(200).json();
        assert_eq!(status["initialized"], json!(false));
        answer["errors"][0].as_str().unwrap().to_owned()
    };
    let init = |keys: Value, root: Value| {
        json!({
            "secret_shares": 1,
            "secret_threshold": 1,
            "pgp_keys": keys,
            "root_token_pgp_key": root,
        })
    };
    for (body, why) in [
        (
            init(json!([good, good]), json!(null)),
            "count mismatch between",
        ),
        (
            init(json!(["?"]), json!(null)),
            "error decoding given PGP key",
        ),
        (
            init(json!([good]), json!("junk")),
            "invalid root_token_pgp_key: ",
        ),
        (init(json!([good]), json!(fixture("revoked"))), "is revoked"),
        (init(json!([fixture("expired")]), json!("")), "has expired"),
        (
            init(json!([fixture("signs-only")]), json!("")),
            "cannot be encrypted to",
        ),
        (
            init(json!([fixture("rsa2048.private")]), json!("")),
            "it is a private key",
        ),
        (
            json!({"secret_shares": 1, "secret_threshold": 1, "recovery_pgp_keys": [good]}),
            "parameters recovery_pgp_keys not applicable to seal type shamir",
        ),
    ] {
        let told = refused(body);
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn keys_that_cannot_be_encrypted_to_begin_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let client = server.client();
    server.initialize();
    let begin = |path: &str, body: Value| -> String {
        let answer = client.put(path, body).expect(400).json();
        answer["errors"][0].as_str().unwrap().to_owned()
    };
    let told = begin(
        "sys/generate-root/attempt",
        json!({"pgp_key": fixture("expired")}),
    );
    assert_eq!(told, "error parsing PGP key: the given PGP key has expired");
    let wish = json!({
        "secret_shares": 1,
        "secret_threshold": 1,
        "pgp_keys": [fixture("revoked")],
    });
    let told = begin("sys/rekey/init", wish);
    assert_eq!(
        told,
        "invalid rekey seal configuration: the given PGP key is revoked"
    );
    let status = client.get("sys/rekey/init").expect(200).json();
    assert_eq!(status["started"], json!(false));
}
