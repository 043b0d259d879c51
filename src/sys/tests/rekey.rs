//! New unseal keys and new recovery keys, through both doors.

use super::front::{Fate, Front};
use super::{Harness, ROOT};
use crate::barrier::Sealed;
use crate::engine::{Error, ErrorKind, Operation, Response};
use crate::seal::{Collected, UnsealProgress};
use crate::secret::{Key256, Secret, SecretBytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

const OPEN: &str = "sys/rekey";
const TWIN: &str = "sys/rotate/root";
const RECOVERY: &str = "sys/rekey-recovery-key";
const RECOVERY_TWIN: &str = "sys/rotate/recovery";

/// One door, as its callers use it.
#[derive(Clone, Copy)]
struct Door<'a> {
    harness: &'a Harness,
    base: &'static str,
    token: &'a str,
}

impl<'a> Door<'a> {
    fn open(harness: &'a Harness, base: &'static str) -> Self {
        let token = match base {
            TWIN | RECOVERY_TWIN => ROOT,
            _ => "",
        };
        Self {
            harness,
            base,
            token,
        }
    }

    async fn ask(&self, operation: Operation, what: &str, body: Value) -> Result<Value, Error> {
        let path = format!("{}/{what}", self.base);
        let asked = self.harness.call(self.token, operation, &path, body);
        Ok(fields(&asked.await?))
    }

    async fn begin(&self, shares: u8, threshold: u8, verify: bool) -> Result<Value, Error> {
        let body = json!({
            "secret_shares": shares,
            "secret_threshold": threshold,
            "require_verification": verify,
        });
        self.ask(Operation::Update, "init", body).await
    }

    async fn status(&self) -> Value {
        let asked = self.ask(Operation::Read, "init", json!({}));
        asked.await.unwrap()
    }

    async fn cancel(&self, body: Value) -> Result<Value, Error> {
        self.ask(Operation::Delete, "init", body).await
    }

    async fn give(&self, nonce: &Value, share: &SecretBytes) -> Result<Value, Error> {
        self.send("update", nonce, share).await
    }

    async fn verify(&self, nonce: &Value, share: &SecretBytes) -> Result<Value, Error> {
        self.send("verify", nonce, share).await
    }

    async fn send(&self, what: &str, nonce: &Value, share: &SecretBytes) -> Result<Value, Error> {
        let body = json!({"key": STANDARD.encode(share.expose()), "nonce": nonce});
        self.ask(Operation::Update, what, body).await
    }

    /// Gives all shares; returns the last answer.
    async fn give_all(&self, nonce: &Value, shares: &[SecretBytes]) -> Result<Value, Error> {
        let mut last = Ok(Value::Null);
        for share in shares {
            last = Ok(self.give(nonce, share).await?);
        }
        last
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

fn said(error: Error) -> String {
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    error.messages.join("; ")
}

/// Returns the shares of an answer, which are the same in both forms.
fn shares_of(answer: &Value) -> Vec<SecretBytes> {
    let texts = |name: &str| -> Vec<String> {
        serde_json::from_value(answer[name].clone()).expect("a list of texts")
    };
    let decoded = texts("keys")
        .into_iter()
        .map(|text| hex::decode(text).unwrap());
    let decoded: Vec<Vec<u8>> = decoded.collect();
    let base64 = texts("keys_base64").into_iter();
    let base64: Vec<Vec<u8>> = base64.map(|text| STANDARD.decode(text).unwrap()).collect();
    assert_eq!(decoded, base64);
    decoded.into_iter().map(Secret::new).collect()
}

/// Returns the key that so many shares make up.
fn combined(shares: &[SecretBytes]) -> Key256 {
    let config = crate::seal::check_config(255, 255).unwrap();
    let config = crate::seal::SealConfig {
        threshold: u8::try_from(shares.len()).unwrap(),
        ..config
    };
    let mut progress = UnsealProgress::new();
    for share in shares {
        let share = Secret::new(share.expose().clone());
        if let Collected::Key(key) = progress.submit(config, share).unwrap() {
            return key;
        }
    }
    panic!("too few shares")
}

/// Returns true when the shares open the store.
fn opens(harness: &Harness, shares: &[SecretBytes]) -> bool {
    let sealed = Sealed::new(Arc::clone(&harness.storage) as _);
    sealed.unseal(&combined(shares)).is_ok()
}

#[tokio::test]
async fn new_shares_take_the_place_of_the_old_ones_through_both_doors() {
    let (harness, mut shares) = Harness::sealed_by(2).await;
    for base in [OPEN, TWIN] {
        let door = Door::open(&harness, base);
        let idle = door.status().await;
        assert_eq!((&idle["started"], &idle["n"]), (&json!(false), &json!(0)));
        let begun = door.begin(3, 2, false).await.unwrap();
        let nonce = &begun["nonce"];
        for (name, value) in [
            ("started", json!(true)),
            ("t", json!(2)),
            ("n", json!(3)),
            ("progress", json!(0)),
            ("required", json!(2)),
            ("verification_required", json!(false)),
        ] {
            assert_eq!(begun[name], value, "{name}");
        }
        let first = door.give(nonce, &shares[0]).await.unwrap();
        assert_eq!(
            (&first["progress"], &first["keys"]),
            (&json!(1), &Value::Null)
        );
        assert!(opens(&harness, &shares[..2]), "nothing has changed");
        let last = door.give(nonce, &shares[1]).await.unwrap();
        assert_eq!((&last["complete"], &last["nonce"]), (&json!(true), nonce));
        let new = shares_of(&last);
        assert_eq!(new.len(), 3);
        assert!(opens(&harness, &new[1..]));
        assert!(!opens(&harness, &shares[..2]));
        assert!(!opens(
            &harness,
            &[shares.remove(0), new.into_iter().next().unwrap()]
        ));
        assert_eq!(door.status().await["started"], json!(false));
        shares = shares_of(&last);
    }
    let seal = harness.barrier.current_seal().unwrap().record;
    assert_eq!((seal.config.shares, seal.config.threshold), (3, 2));
}

#[tokio::test]
async fn one_share_is_the_key_itself_and_makes_the_next_one() {
    let (harness, shares) = Harness::sealed_by(2).await;
    let door = Door::open(&harness, OPEN);
    let begun = door.begin(1, 1, false).await.unwrap();
    let made = door.give_all(&begun["nonce"], &shares).await.unwrap();
    let only = shares_of(&made);
    assert_eq!((only.len(), only[0].expose().len()), (1, 32));
    let begun = door.begin(5, 3, false).await.unwrap();
    assert_eq!(begun["required"], json!(1));
    let made = door.give(&begun["nonce"], &only[0]).await.unwrap();
    assert!(opens(&harness, &shares_of(&made)[2..]));
}

#[tokio::test]
async fn the_wish_is_checked_before_anything_is_begun() {
    let (harness, _) = Harness::sealed_by(2).await;
    let door = Door::open(&harness, OPEN);
    let begin = |body| door.ask(Operation::Update, "init", body);
    let numbers = |shares: i64, threshold: i64| {
        json!({
            "secret_shares": shares,
            "secret_threshold": threshold,
        })
    };
    let prefix = "invalid rekey seal configuration: ";
    for (body, message) in [
        (json!({}), format!("{prefix}shares must be at least one")),
        (
            numbers(-1, 1),
            format!("{prefix}shares must be at least one"),
        ),
        (
            numbers(3, 0),
            format!("{prefix}threshold must be at least one"),
        ),
        (
            numbers(3, 1),
            format!("{prefix}threshold must be greater than one for multiple shares"),
        ),
        (
            numbers(2, 3),
            format!("{prefix}threshold cannot be larger than shares"),
        ),
        (
            numbers(256, 3),
            format!("{prefix}shares must be less than 256"),
        ),
        (
            json!({"secret_shares": 3, "secret_threshold": 2, "pgp_keys": ["x"]}),
            "incorrect number of PGP keys for rekey".to_owned(),
        ),
        (
            json!({"secret_shares": 1, "secret_threshold": 1, "pgp_keys": "?"}),
            format!("{prefix}error decoding given PGP key: it is neither base64 nor ASCII armor"),
        ),
        (
            json!({"secret_shares": 3, "secret_threshold": 2, "backup": true}),
            "cannot request a backup of the new keys without providing PGP keys for encryption"
                .to_owned(),
        ),
    ] {
        let refused = begin(body.clone()).await.unwrap_err();
        assert_eq!(said(refused), message, "{body}");
    }
    let twin = Door::open(&harness, TWIN).begin(2, 3, false).await;
    let twin = said(twin.unwrap_err());
    assert!(
        twin.starts_with("invalid rotate seal configuration: "),
        "{twin}"
    );
    assert_eq!(door.status().await["started"], json!(false));
    let recovery = Door::open(&harness, RECOVERY).begin(3, 2, false).await;
    assert_eq!(
        said(recovery.unwrap_err()),
        "recovery rekeying not supported"
    );
    let recovery = Door::open(&harness, RECOVERY_TWIN).begin(3, 2, false).await;
    assert_eq!(said(recovery.unwrap_err()), "recovery keys not supported");
}

#[tokio::test]
async fn shares_are_refused_in_the_words_of_vault_and_openbao() {
    let (harness, shares) = Harness::sealed_by(2).await;
    let words = [
        (
            OPEN,
            "no barrier rekey in progress",
            "rekey already in progress",
            "incorrect nonce supplied; nonce for this rekey operation is ",
            "given key has already been provided during this generation operation",
        ),
        (
            TWIN,
            "no rotation in progress",
            "rotation already in progress",
            "incorrect nonce supplied; nonce for rotation is ",
            "given key has already been provided during this rotation",
        ),
    ];
    for (base, none, already, nonce_is, again) in words {
        let door = Door::open(&harness, base);
        let early = door.give(&json!("x"), &shares[0]).await.unwrap_err();
        assert_eq!(said(early), none);
        let begun = door.begin(3, 2, false).await.unwrap();
        let nonce = &begun["nonce"];
        let twice = door.begin(3, 2, false).await.unwrap_err();
        assert_eq!(said(twice), already);
        let wrong = door.give(&json!("x"), &shares[0]).await.unwrap_err();
        assert_eq!(said(wrong), format!("{nonce_is}{nonce}"));
        let give = |key: &str| {
            let body = json!({"key": key, "nonce": nonce});
            door.ask(Operation::Update, "update", body)
        };
        for (key, message) in [
            ("", "'key' must be specified in request body as JSON"),
            ("?", "'key' must be a valid hex or base64 string"),
            ("abcd", "key is shorter than minimum 16 bytes"),
        ] {
            assert_eq!(said(give(key).await.unwrap_err()), message);
        }
        door.give(nonce, &shares[0]).await.unwrap();
        let same = door.give(nonce, &shares[0]).await.unwrap_err();
        assert_eq!(said(same), again);
        assert_eq!(door.status().await["progress"], json!(1));
    }
}

#[tokio::test]
async fn wrong_shares_start_over_and_change_nothing() {
    let (harness, shares) = Harness::sealed_by(2).await;
    let (_, others) = Harness::sealed_by(2).await;
    let door = Door::open(&harness, OPEN);
    let begun = door.begin(3, 2, false).await.unwrap();
    let nonce = &begun["nonce"];
    let applied = harness.applied();
    door.give(nonce, &shares[0]).await.unwrap();
    let wrong = said(door.give(nonce, &others[1]).await.unwrap_err());
    assert!(wrong.contains("message authentication failed"), "{wrong}");
    let status = door.status().await;
    assert_eq!((&status["nonce"], &status["progress"]), (nonce, &json!(0)));
    assert_eq!(harness.applied(), applied);
    let made = door.give_all(nonce, &shares).await.unwrap();
    // Shares of two generations do not go together.
    let new = shares_of(&made);
    let begun = door.begin(3, 2, false).await.unwrap();
    let nonce = &begun["nonce"];
    door.give(nonce, &new[0]).await.unwrap();
    said(door.give(nonce, &shares[0]).await.unwrap_err());
    said(door.give_all(nonce, &shares).await.unwrap_err());
    assert!(opens(&harness, &new[..2]));
}

#[tokio::test]
async fn shares_that_were_not_verified_open_nothing_and_the_old_ones_do() {
    let (harness, shares) = Harness::sealed_by(2).await;
    for base in [OPEN, TWIN] {
        let door = Door::open(&harness, base);
        let look = || door.ask(Operation::Read, "verify", json!({}));
        let early = said(look().await.unwrap_err());
        assert!(early.ends_with("configuration found"), "{early}");
        let begun = door.begin(3, 2, true).await.unwrap();
        let nonce = &begun["nonce"];
        assert_eq!(look().await.unwrap()["started"], json!(false));
        let early = said(door.verify(&json!("x"), &shares[0]).await.unwrap_err());
        assert!(early.ends_with("verification in progress"), "{early}");
        let made = door.give_all(nonce, &shares).await.unwrap();
        assert_eq!(made["verification_required"], json!(true));
        let (new, first_nonce) = (shares_of(&made), &made["verification_nonce"]);
        assert_eq!(door.status().await["verification_nonce"], *first_nonce);
        let late = said(door.give(nonce, &shares[0]).await.unwrap_err());
        assert!(late.contains("verification must be performed"), "{late}");

        let wrong = said(door.verify(nonce, &new[0]).await.unwrap_err());
        assert!(wrong.starts_with("incorrect nonce supplied; nonce for this verify"));
        let one = door.verify(first_nonce, &new[0]).await.unwrap();
        assert_eq!((&one["progress"], &one["n"]), (&json!(1), &json!(3)));
        let again = said(door.verify(first_nonce, &new[0]).await.unwrap_err());
        assert_eq!(
            again,
            "given key has already been provided during this verify operation"
        );
        let wrong = said(door.verify(first_nonce, &shares[0]).await.unwrap_err());
        assert!(
            wrong.ends_with("verification failed; incorrect key shares supplied"),
            "{wrong}"
        );
        let after = look().await.unwrap();
        assert_eq!(after["progress"], json!(0));
        assert_ne!(after["nonce"], *first_nonce);
        assert!(opens(&harness, &shares) && !opens(&harness, &new[..2]));
        door.cancel(json!({"nonce": nonce})).await.unwrap();
        said(door.verify(&after["nonce"], &new[0]).await.unwrap_err());
        assert!(opens(&harness, &shares) && !opens(&harness, &new[..2]));
    }
}

#[tokio::test]
async fn verified_shares_are_in_force() {
    let (harness, shares) = Harness::sealed_by(2).await;
    let door = Door::open(&harness, TWIN);
    let begun = door.begin(4, 3, true).await.unwrap();
    let made = door.give_all(&begun["nonce"], &shares).await.unwrap();
    let new = shares_of(&made);
    let nonce = &made["verification_nonce"];
    door.verify(nonce, &new[0]).await.unwrap();
    let over = door.ask(Operation::Delete, "verify", json!({"nonce": nonce}));
    let over = over.await.unwrap();
    assert_eq!(over["progress"], json!(0));
    let nonce = &over["nonce"];
    door.verify(nonce, &new[3]).await.unwrap();
    door.verify(nonce, &new[1]).await.unwrap();
    let last = door.verify(nonce, &new[0]).await.unwrap();
    assert_eq!(last, json!({"nonce": nonce, "complete": true}));
    assert!(!opens(&harness, &shares) && opens(&harness, &new[1..]));
    assert_eq!(door.status().await["started"], json!(false));
    assert_eq!(door.status().await["required"], json!(3));
}

#[tokio::test]
async fn one_is_canceled_with_its_nonce_or_a_token_or_when_it_is_old() {
    let (harness, _) = Harness::sealed_by(2).await;
    let door = Door::open(&harness, OPEN);
    door.cancel(json!({})).await.unwrap();
    let begun = door.begin(3, 2, false).await.unwrap();
    for (body, words) in [
        (json!({}), "a rekey is canceled with its nonce"),
        (json!({"nonce": ""}), "a rekey is canceled with its nonce"),
        (json!({"nonce": "x"}), "incorrect nonce supplied"),
    ] {
        let refused = said(door.cancel(body).await.unwrap_err());
        assert!(refused.starts_with(words), "{refused}");
    }
    assert_eq!(door.status().await["nonce"], begun["nonce"]);
    door.cancel(json!({"nonce": begun["nonce"]})).await.unwrap();
    assert_eq!(door.status().await["started"], json!(false));
    door.begin(3, 2, false).await.unwrap();
    harness.clock.advance(Duration::from_secs(601));
    door.cancel(json!({})).await.unwrap();
    assert_eq!(door.status().await["started"], json!(false));
    let keeper = Door::open(&harness, TWIN);
    keeper.begin(3, 2, false).await.unwrap();
    let wrong = keeper.cancel(json!({"nonce": "x"})).await.unwrap_err();
    assert_eq!(said(wrong), "incorrect nonce supplied");
    keeper.cancel(json!({})).await.unwrap();
    assert_eq!(keeper.status().await["started"], json!(false));
}

#[tokio::test]
async fn who_has_no_token_cannot_touch_a_rekey_that_was_begun_with_one() {
    let (harness, shares) = Harness::sealed_by(2).await;
    let anyone = Door::open(&harness, OPEN);
    let keeper = Door::open(&harness, TWIN);
    anyone.begin(3, 2, false).await.unwrap();
    let begun = keeper.begin(3, 2, false).await.unwrap();
    keeper.give(&begun["nonce"], &shares[0]).await.unwrap();
    said(anyone.give(&begun["nonce"], &shares[1]).await.unwrap_err());
    said(
        anyone
            .cancel(json!({"nonce": begun["nonce"]}))
            .await
            .unwrap_err(),
    );
    let stranger = Door {
        token: "",
        ..keeper
    };
    for operation in [Operation::Read, Operation::Delete, Operation::Update] {
        for what in ["init", "verify"] {
            let refused = stranger.ask(operation, what, json!({})).await;
            assert_eq!(refused.unwrap_err().kind, ErrorKind::Denied);
        }
    }
    let last = keeper.give(&begun["nonce"], &shares[1]).await.unwrap();
    assert_eq!(last["complete"], json!(true));
}

#[tokio::test]
async fn what_the_old_shares_allowed_is_void_once_they_are_replaced() {
    let (harness, shares) = Harness::sealed_by(2).await;
    let (slow, quick) = (Door::open(&harness, OPEN), Door::open(&harness, TWIN));
    let begun = slow.begin(3, 2, true).await.unwrap();
    let kept = slow.give_all(&begun["nonce"], &shares).await.unwrap();
    let (kept, nonce) = (shares_of(&kept), kept["verification_nonce"].clone());
    slow.verify(&nonce, &kept[0]).await.unwrap();
    let begun = quick.begin(5, 3, false).await.unwrap();
    let made = quick.give_all(&begun["nonce"], &shares).await.unwrap();
    let new = shares_of(&made);
    let refused = said(slow.verify(&nonce, &kept[1]).await.unwrap_err());
    assert_eq!(refused, "no rekey in progress");
    assert_eq!(slow.status().await["started"], json!(false));
    assert!(opens(&harness, &new[..3]) && !opens(&harness, &kept[..2]));
}

#[tokio::test]
async fn recovery_keys_are_replaced_and_make_a_root_token() {
    let (harness, shares) = Harness::recoverable(2).await;
    let mut shares = shares;
    for (base, verify) in [(RECOVERY, true), (RECOVERY_TWIN, false)] {
        let before = harness.barrier.current_seal().unwrap();
        let door = Door::open(&harness, base);
        let begun = door.begin(4, 2, verify).await.unwrap();
        let nonce = &begun["nonce"];
        door.give(nonce, &shares[0]).await.unwrap();
        let mut foreign = Secret::new(shares[1].expose().clone());
        foreign.expose_mut()[0] ^= 1;
        let wrong = said(door.give(nonce, &foreign).await.unwrap_err());
        assert_eq!(
            wrong,
            "recovery key verification failed: recovery key does not match submitted values"
        );
        let made = door.give_all(nonce, &shares[..2]).await.unwrap();
        let new = shares_of(&made);
        if verify {
            assert!(
                harness
                    .barrier
                    .check_recovery_key(&combined(&shares[..2]))
                    .is_ok()
            );
            let nonce = &made["verification_nonce"];
            door.verify(nonce, &new[0]).await.unwrap();
            door.verify(nonce, &new[2]).await.unwrap();
        }
        assert!(
            harness
                .barrier
                .check_recovery_key(&combined(&shares[..2]))
                .is_err()
        );
        assert!(
            harness
                .barrier
                .check_recovery_key(&combined(&new[1..3]))
                .is_ok()
        );
        let after = harness.barrier.current_seal().unwrap();
        assert!(after.has_seal_key_of(&before), "the seal is as it was");
        assert_eq!(after.record.ceremony().shares, 4);
        shares = new;
    }
    let asks = &harness;
    let ask = |path: &'static str, body: Value| async move {
        let path = format!("sys/generate-root/{path}");
        let asked = asks.call("", Operation::Update, &path, body).await;
        asked.map(|response| fields(&response))
    };
    let begun = ask("attempt", json!({})).await.unwrap();
    assert_eq!(begun["required"], json!(2));
    let mut last = Value::Null;
    for share in &shares[2..] {
        let key = STANDARD.encode(share.expose());
        let body = json!({"key": key, "nonce": begun["nonce"]});
        last = ask("update", body).await.unwrap();
    }
    assert_eq!(last["complete"], json!(true));
}

#[tokio::test]
async fn recovery_shares_that_are_wrong_make_no_root_token() {
    let (harness, shares) = Harness::recoverable(2).await;
    let path = "sys/generate-root/attempt";
    let begun = harness.call("", Operation::Update, path, json!({})).await;
    let begun = fields(&begun.unwrap());
    let give = |share: &SecretBytes| {
        let key = STANDARD.encode(share.expose());
        let body = json!({"key": key, "nonce": begun["nonce"]});
        harness.call("", Operation::Update, "sys/generate-root/update", body)
    };
    let (_, others) = Harness::recoverable(2).await;
    give(&shares[0]).await.unwrap();
    let refused = said(give(&others[1]).await.unwrap_err());
    assert_eq!(
        refused,
        "root generation aborted: unable to authenticate: recovery key verification failed: \
         recovery key does not match submitted values"
    );
    give(&shares[0]).await.unwrap();
    give(&shares[1]).await.unwrap();
}

/// New shares that nobody has seen must not be the only ones that open the store.
#[tokio::test(start_paused = true)]
async fn new_shares_are_shown_although_their_commit_goes_unanswered() {
    let (harness, front, shares) = Front::sealed_by(2).await;
    let door = Door::open(&harness, OPEN);
    let begun = door.begin(3, 2, false).await.unwrap();
    front.set_fate(|| Fate::LostInSilence);
    let lost = door.give_all(&begun["nonce"], &shares).await.unwrap_err();
    assert_eq!(lost.kind, ErrorKind::Unavailable);
    assert!(lost.to_string().contains("the old keys stay in force"));
    assert!(opens(&harness, &shares));
    front.set_fate(|| Fate::MadeInSilence);
    let made = door.give_all(&begun["nonce"], &shares).await.unwrap();
    let new = shares_of(&made);
    assert!(opens(&harness, &new[1..]));
    assert_eq!(made["warnings"], Value::Null, "it was found out");
    let begun = door.begin(3, 2, false).await.unwrap();
    let deaf = Arc::clone(&front);
    front.set_rule(move || {
        deaf.set_deaf(true);
        Box::pin(std::future::ready(Fate::MadeInSilence))
    });
    let made = door.give_all(&begun["nonce"], &new[..2]).await.unwrap();
    let warned = made["warnings"][0].as_str().unwrap();
    assert!(warned.contains("may or may not be in force"), "{warned}");
    assert!(opens(&harness, &shares_of(&made)[..2]));
}

#[tokio::test]
async fn a_rekey_ends_with_the_router() {
    let (mut harness, _) = Harness::sealed_by(2).await;
    let begun = Door::open(&harness, OPEN).begin(3, 2, false).await;
    begun.unwrap();
    harness.restart();
    let status = Door::open(&harness, OPEN).status().await;
    assert_eq!(status["started"], json!(false));
}

#[tokio::test]
async fn answers_have_the_fields_of_vault_and_of_openbao() {
    let (harness, shares) = Harness::sealed_by(2).await;
    let names = |value: &Value| -> Vec<String> {
        let fields: &Map<String, Value> = value.as_object().unwrap();
        let mut names: Vec<String> = fields.keys().cloned().collect();
        names.sort();
        names
    };
    let usual = [
        "backup",
        "n",
        "nonce",
        "pgp_fingerprints",
        "progress",
        "required",
        "started",
        "t",
        "verification_required",
    ];
    let open = Door::open(&harness, OPEN);
    assert_eq!(names(&open.status().await), usual);
    let begun = open.begin(3, 2, false).await.unwrap();
    assert_eq!(names(&begun), usual);
    let made = open.give_all(&begun["nonce"], &shares).await.unwrap();
    let complete = [
        "backup",
        "complete",
        "keys",
        "keys_base64",
        "nonce",
        "pgp_fingerprints",
        "verification_required",
    ];
    assert_eq!(names(&made), complete);
    let twin = Door::open(&harness, TWIN);
    assert_eq!(
        names(&twin.status().await),
        ["n", "required", "started", "t"]
    );
    let begun = twin.begin(3, 2, false).await.unwrap();
    let expected = [
        "n",
        "nonce",
        "progress",
        "required",
        "started",
        "t",
        "verification_nonce",
        "verification_required",
    ];
    assert_eq!(names(&begun), expected);
}

#[tokio::test]
async fn no_share_old_or_new_stands_in_the_audit_log() {
    let (harness, mut shares) = Harness::sealed_by(2).await;
    let file = harness.directory.path().join("log");
    let device = json!({"type": "file", "options": {"file_path": file}});
    let enabled = harness.root(Operation::Update, "sys/audit/file", device);
    enabled.await.unwrap();
    let mut secrets = Vec::new();
    for base in [OPEN, TWIN] {
        let door = Door::open(&harness, base);
        let begun = door.begin(3, 2, true).await.unwrap();
        let made = door.give_all(&begun["nonce"], &shares[..2]).await.unwrap();
        let new = shares_of(&made);
        let nonce = &made["verification_nonce"];
        door.verify(nonce, &new[0]).await.unwrap();
        door.verify(nonce, &new[1]).await.unwrap();
        secrets.append(&mut shares);
        shares = new;
    }
    secrets.extend(shares);
    let log = std::fs::read_to_string(file).unwrap();
    assert!(log.contains("sys/rotate/root/update"), "the control");
    for secret in &secrets {
        let texts = [
            hex::encode(secret.expose()),
            STANDARD.encode(secret.expose()),
        ];
        assert!(!texts.iter().any(|text| log.contains(text)));
    }
}
