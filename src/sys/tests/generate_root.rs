//! A root token from the unseal shares, through both doors.

use super::{Harness, ROOT};
use crate::engine::{Error, ErrorKind, Operation, Response};
use crate::secret::SecretBytes;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Value, json};

const OPEN: &str = "sys/generate-root";
const TWIN: &str = "sys/generate-root-token";

/// One door, as its callers use it.
struct Door<'a> {
    harness: &'a Harness,
    base: &'static str,
    token: &'a str,
}

impl Door<'_> {
    async fn ask(&self, operation: Operation, what: &str, body: Value) -> Result<Value, Error> {
        let path = format!("{}/{what}", self.base);
        let asked = self.harness.call(self.token, operation, &path, body);
        Ok(fields(&asked.await?))
    }

    async fn start(&self, body: Value) -> Result<Value, Error> {
        self.ask(Operation::Update, "attempt", body).await
    }

    async fn status(&self) -> Value {
        let asked = self.ask(Operation::Read, "attempt", json!({}));
        asked.await.unwrap()
    }

    async fn cancel(&self) {
        let asked = self.ask(Operation::Delete, "attempt", json!({}));
        assert_eq!(asked.await.unwrap(), Value::Null);
    }

    async fn give(&self, nonce: &Value, share: &SecretBytes) -> Result<Value, Error> {
        let body = json!({"key": STANDARD.encode(share.expose()), "nonce": nonce});
        self.ask(Operation::Update, "update", body).await
    }
}

/// Returns the fields of an answer, with or without an envelope.
fn fields(response: &Response) -> Value {
    match (&response.data, &response.body) {
        (Some(data), None) => Value::Object(data.clone()),
        (None, Some(body)) => serde_json::from_slice(&body.bytes).unwrap(),
        (None, None) => Value::Null,
        (Some(_), Some(_)) => panic!("two answers"),
    }
}

fn decoded(answer: &Value, otp: &Value) -> String {
    let encoded = answer["encoded_token"].as_str().unwrap();
    let bytes = STANDARD_NO_PAD.decode(encoded).unwrap();
    let pairs = bytes.iter().zip(otp.as_str().unwrap().bytes());
    String::from_utf8(pairs.map(|(one, other)| one ^ other).collect()).unwrap()
}

fn said(error: Error) -> String {
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    error.messages.join("; ")
}

#[tokio::test]
async fn both_doors_make_a_token_that_is_root() {
    let (harness, shares) = Harness::sealed_by(2).await;
    for (base, token) in [(OPEN, ""), (TWIN, ROOT)] {
        let door = Door {
            harness: &harness,
            base,
            token,
        };
        assert_eq!(door.status().await["started"], json!(false));
        assert_eq!(door.status().await["otp_length"], json!(28));
        let started = door.start(json!({})).await.unwrap();
        let (nonce, otp) = (&started["nonce"], &started["otp"]);
        assert_eq!(otp.as_str().unwrap().len(), 28);
        assert_eq!(door.status().await["otp"], json!(""));
        let first = door.give(nonce, &shares[0]).await.unwrap();
        assert_eq!(first["progress"], json!(1));
        assert_eq!(first["complete"], json!(false));
        let last = door.give(nonce, &shares[1]).await.unwrap();
        assert_eq!(
            (&last["progress"], &last["required"]),
            (&json!(2), &json!(2))
        );
        assert_eq!(last["complete"], json!(true));
        let made = decoded(&last, otp);
        assert!(made.starts_with("hvs."), "{made}");
        let looked = harness.read(&made, "auth/token/lookup-self").await.unwrap();
        assert_eq!(fields(&looked)["policies"], json!(["root"]));
        assert_eq!(door.status().await["started"], json!(false));
    }
}

#[tokio::test]
async fn refusals_are_in_vaults_words() {
    let (harness, shares) = Harness::sealed_by(2).await;
    let door = Door {
        harness: &harness,
        base: OPEN,
        token: "",
    };
    let give = |body| door.ask(Operation::Update, "update", body);
    let whole = STANDARD.encode(shares[0].expose());
    let early = give(json!({"key": whole, "nonce": "x"})).await.unwrap_err();
    assert_eq!(said(early), "no root generation in progress");
    let short = door.start(json!({"otp": "short"})).await.unwrap_err();
    assert_eq!(said(short), "OTP string has incorrect length");
    let pgp = door.start(json!({"pgp_key": "mQEN"})).await.unwrap_err();
    assert!(said(pgp).starts_with("error parsing PGP key: "));
    let started = door.start(json!({"otp": "o".repeat(28)})).await.unwrap();
    assert_eq!(started["otp"], json!(""), "the caller has it already");
    let again = door.start(json!({})).await.unwrap_err();
    assert_eq!(said(again), "root generation already in progress");
    let nonce = started["nonce"].as_str().unwrap();
    for (body, message) in [
        (
            json!({"nonce": nonce}),
            "'key' must be specified in request body as JSON".to_owned(),
        ),
        (
            json!({"key": "?", "nonce": nonce}),
            "'key' must be a valid hex or base64 string".to_owned(),
        ),
        (
            json!({"key": "abcd", "nonce": nonce}),
            "invalid key: key is shorter than minimum 16 bytes".to_owned(),
        ),
        (
            json!({"key": whole, "nonce": "x"}),
            format!(
                "incorrect nonce supplied; nonce for this root generation operation is {nonce:?}"
            ),
        ),
    ] {
        assert_eq!(said(give(body).await.unwrap_err()), message);
    }
    assert_eq!(door.status().await["progress"], json!(0));
    door.cancel().await;
    door.cancel().await;
    assert_eq!(door.status().await["nonce"], json!(""));
    for (operation, what) in [
        (Operation::Read, "update"),
        (Operation::Delete, "update"),
        (Operation::List, "attempt"),
    ] {
        let refused = door.ask(operation, what, json!({})).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::UnsupportedOperation);
    }
}

#[tokio::test]
async fn wrong_shares_start_over_and_make_nothing() {
    let (harness, shares) = Harness::sealed_by(2).await;
    let door = Door {
        harness: &harness,
        base: OPEN,
        token: "",
    };
    let started = door.start(json!({})).await.unwrap();
    let nonce = &started["nonce"];
    let (_, others) = Harness::sealed_by(2).await;
    door.give(nonce, &shares[0]).await.unwrap();
    let twice = door.give(nonce, &shares[0]).await.unwrap_err();
    assert_eq!(
        said(twice),
        "given key has already been provided during this generation operation"
    );
    let applied = harness.applied();
    let wrong = door.give(nonce, &others[1]).await.unwrap_err();
    assert!(said(wrong).starts_with("root generation aborted: unable to authenticate: "));
    assert_eq!(harness.applied(), applied);
    let status = door.status().await;
    assert_eq!((&status["nonce"], &status["progress"]), (nonce, &json!(0)));
    door.give(nonce, &shares[1]).await.unwrap();
    let last = door.give(nonce, &shares[0]).await.unwrap();
    assert_eq!(last["complete"], json!(true));
}

#[tokio::test]
async fn who_has_no_token_cannot_touch_what_was_started_with_one() {
    let (harness, shares) = Harness::sealed_by(2).await;
    let [anyone, keeper] = [(OPEN, ""), (TWIN, ROOT)].map(|(base, token)| Door {
        harness: &harness,
        base,
        token,
    });
    anyone.start(json!({})).await.unwrap();
    let started = keeper.start(json!({})).await.unwrap();
    let nonce = &started["nonce"];
    keeper.give(nonce, &shares[0]).await.unwrap();
    assert_ne!(&anyone.status().await["nonce"], nonce);
    anyone.give(nonce, &shares[1]).await.unwrap_err();
    anyone.cancel().await;
    let stranger = Door {
        token: "",
        ..keeper
    };
    for operation in [Operation::Read, Operation::Delete, Operation::Update] {
        let refused = stranger.ask(operation, "attempt", json!({})).await;
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Denied);
    }
    let keeper = Door {
        token: ROOT,
        ..stranger
    };
    let last = keeper.give(nonce, &shares[1]).await.unwrap();
    assert_eq!(last["complete"], json!(true));
}

#[tokio::test]
async fn an_attempt_ends_with_the_router() {
    let (mut harness, _) = Harness::sealed_by(2).await;
    let body = json!({});
    let path = "sys/generate-root/attempt";
    harness
        .call("", Operation::Update, path, body.clone())
        .await
        .unwrap();
    harness.restart();
    let status = harness.call("", Operation::Read, path, body).await.unwrap();
    assert_eq!(fields(&status)["started"], json!(false));
}
