//! `operator init`.

use serde_json::{Map, Value, json};

use crate::cli::age_recipients::{AGE_RECIPIENTS, AgeHolders};
use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::made_keys::{MadeKeys, at_end_of_line};
use crate::cli::output::Order;
use crate::cli::pgp_keys::pgp_keys;
use crate::cli::sheet::{
    ClusterName, KeyCover, SHEET, SheetKind, Sheets, WantedKeys, WrittenSheets,
};
use crate::cli::verb::{Arity, Flag, FlagKind, SharedFlags, Verb, flag};

/// The exit code of `-status` when there is no cluster yet.
const NOT_INITIALIZED: u8 = 2;

/// The flags with keys to which shares are encrypted.
const PGP_KEYS: [&str; 2] = ["pgp-keys", "recovery-pgp-keys"];
const EMERGENCY_KEYS: &str = "emergency_keys_base64";
const FIRST_GENERATION: u64 = 1;

/// `operator init`.
pub static INIT: Verb = Verb {
    name: "init",
    about: "Initializes a server and prints its key shares and root token",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[
        AGE_RECIPIENTS,
        flag(
            "emergency-pgp-keys",
            FlagKind::Texts,
            "Files of public PGP keys to which the emergency shares are encrypted.",
        ),
        flag(
            "emergency-shares",
            FlagKind::Number,
            "Into how many emergency shares to split a seal key that a provider keeps: they open \
             where the provider is gone. The default is none.",
        ),
        flag(
            "emergency-threshold",
            FlagKind::Number,
            "How many emergency shares open.",
        ),
        Flag {
            name: "key-shares",
            alias: Some("n"),
            kind: FlagKind::Number,
            help: "Into how many shares to split the unseal key. The default is 5.",
        },
        Flag {
            name: "key-threshold",
            alias: Some("t"),
            kind: FlagKind::Number,
            help: "How many shares unseal. The default is 3.",
        },
        flag(
            "pgp-keys",
            FlagKind::Texts,
            "Files of public PGP keys, with commas between them: each unseal key is encrypted to \
             the one at its place.",
        ),
        flag(
            "recovery-pgp-keys",
            FlagKind::Texts,
            "The same for recovery keys.",
        ),
        flag(
            "recovery-shares",
            FlagKind::Number,
            "Into how many shares to split the recovery key, where a provider unseals. The default \
             is 5.",
        ),
        flag(
            "recovery-threshold",
            FlagKind::Number,
            "How many shares make up the recovery key. The default is 3.",
        ),
        flag(
            "root-token-pgp-key",
            FlagKind::Text,
            "File of a public PGP key to which the root token is encrypted.",
        ),
        SHEET,
        flag(
            "status",
            FlagKind::Switch,
            "Only print whether the server is initialized. The exit code is 0 when it is, 2 when \
             it is not, 1 on errors.",
        ),
    ],
    shared: SharedFlags::Format,
    run,
};

static ORDER: Order = Order::of(&[
    "unseal_keys_b64",
    "unseal_keys_hex",
    "unseal_keys_age",
    "unseal_shares",
    "unseal_threshold",
    "recovery_keys_b64",
    "recovery_keys_hex",
    "recovery_keys_age",
    "recovery_keys_shares",
    "recovery_keys_threshold",
    "emergency_keys_b64",
    "emergency_keys_hex",
    "root_token",
    "sheets",
]);

/// The numbers of shares to ask for.
struct Numbers {
    /// True where a provider unseals: then the shares are of a recovery key.
    recovery: bool,
    shares: i64,
    threshold: i64,
}

impl Numbers {
    fn of(call: &mut Call) -> Self {
        let recovery = has_recovery_seal(call);
        let [shares, threshold] = names(recovery).map(|name| call.flags.number(name));
        Self {
            recovery,
            shares: shares.unwrap_or(5),
            threshold: threshold.unwrap_or(3),
        }
    }

    /// Makes the files of sheets, if any are wanted: what is wrong with them is found before there
    /// are keys.
    fn sheets(&self, call: &mut Call, lines: usize) -> Result<Option<Sheets>, Failure> {
        let wanted = WantedKeys {
            kind: match self.recovery {
                true => SheetKind::Recovery,
                false => SheetKind::Unseal,
            },
            shares: u64::try_from(self.shares).unwrap_or_default(),
            threshold: u64::try_from(self.threshold).unwrap_or_default(),
            generation: Some(FIRST_GENERATION),
            lines,
        };
        Sheets::reserve(call, wanted)
    }

    /// Makes the files of the emergency shares' sheets, where both are wanted.
    fn emergency_sheets(call: &mut Call) -> Result<Option<Sheets>, Failure> {
        let number = |name| call.flags.number(name).unwrap_or_default();
        let [shares, threshold] = ["emergency-shares", "emergency-threshold"].map(number);
        if shares == 0 {
            return Ok(None);
        }
        let wanted = WantedKeys {
            kind: SheetKind::Emergency,
            shares: u64::try_from(shares).unwrap_or_default(),
            threshold: u64::try_from(threshold).unwrap_or_default(),
            // The server counts the recovery keys first.
            generation: Some(FIRST_GENERATION + 1),
            lines: 0,
        };
        Sheets::reserve(call, wanted)
    }

    /// Returns the holders of the keys, if some are named.
    fn holders(&self, call: &Call) -> Result<Option<AgeHolders>, Failure> {
        let name = AGE_RECIPIENTS.name;
        let holders = AgeHolders::of(&call.flags, name, &PGP_KEYS)?;
        if let Some(holders) = &holders {
            holders.check_count(name, u64::try_from(self.shares).unwrap_or_default())?;
        }
        Ok(holders)
    }

    /// Returns the name of the keys in an answer.
    const fn keys(&self) -> &'static str {
        match self.recovery {
            true => "recovery_keys_base64",
            false => "keys_base64",
        }
    }

    /// Returns the request. Numbers for the other kind of seal are sent where they were given: the
    /// server refuses them.
    fn body(&self, call: &Call) -> Result<Value, Failure> {
        let prefix = |recovery| if recovery { "recovery" } else { "secret" };
        let own = prefix(self.recovery);
        let mut body = Map::new();
        body.insert(format!("{own}_shares"), self.shares.into());
        body.insert(format!("{own}_threshold"), self.threshold.into());
        let other = prefix(!self.recovery);
        let given = names(!self.recovery).map(|name| call.flags.number(name));
        for (what, number) in ["shares", "threshold"].into_iter().zip(given) {
            if let Some(number) = number {
                body.insert(format!("{other}_{what}"), number.into());
            }
        }
        for (flag, field) in [
            ("emergency-shares", "emergency_shares"),
            ("emergency-threshold", "emergency_threshold"),
        ] {
            if let Some(number) = call.flags.number(flag) {
                body.insert(field.into(), number.into());
            }
        }
        for flag in PGP_KEYS.into_iter().chain(["emergency-pgp-keys"]) {
            let keys = pgp_keys(&call.flags, flag)?;
            if !keys.is_empty() {
                body.insert(flag.replace('-', "_"), keys.into());
            }
        }
        if let Some(key) = pgp_keys(&call.flags, "root-token-pgp-key")?.pop() {
            body.insert("root_token_pgp_key".into(), key.into());
        }
        Ok(Value::Object(body))
    }
}

const fn names(recovery: bool) -> [&'static str; 2] {
    match recovery {
        true => ["recovery-shares", "recovery-threshold"],
        false => ["key-shares", "key-threshold"],
    }
}

/// Asks whether a provider unseals. Where no answer comes, the request itself will tell why.
fn has_recovery_seal(call: &mut Call) -> bool {
    let client = call.client().ok();
    let asked = client.and_then(|client| client.exchange_now(&Ask::get("sys/seal-status")).ok());
    let status = asked.and_then(|reply| reply.json().ok());
    status.is_some_and(|status| status.get("recovery_seal") == Some(&Value::Bool(true)))
}

fn run(call: &mut Call) -> Outcome {
    if call.flags.switch("status") {
        return status(call);
    }
    let numbers = Numbers::of(call);
    let body = numbers.body(call)?;
    let holders = numbers.holders(call)?;
    let lines = holders.as_ref().map_or(0, AgeHolders::lines);
    let sheets = numbers.sheets(call, lines)?;
    let emergency_sheets = Numbers::emergency_sheets(call)?;
    let reply = call.send(&Ask::put("sys/init", body).unwrapped());
    let answer = reply.and_then(|reply| reply.json());
    let answer = answer.during(|| String::from("Error initializing"))?;
    let cover = |flags: &[&str]| match flags.iter().any(|flag| !call.flags.texts(flag).is_empty()) {
        true => KeyCover::Pgp,
        false => KeyCover::Bare,
    };
    let keys = texts(&answer, numbers.keys());
    let keys = MadeKeys::of(keys, cover(&PGP_KEYS), holders.as_ref());
    let emergency = texts(&answer, EMERGENCY_KEYS);
    let emergency = MadeKeys::of(emergency, cover(&["emergency-pgp-keys"]), None);
    let write = |sheets: Option<Sheets>, keys: &MadeKeys<'_>| {
        let written = sheets.map(|it| it.write(ClusterName::of(&answer), &keys.on_sheets()));
        written.unwrap_or_default()
    };
    let written = write(sheets, &keys);
    let emergency_written = write(emergency_sheets, &emergency);
    let made = [(&keys, &written), (&emergency, &emergency_written)];
    match call.is_table() {
        true => print(call, &answer, &numbers, made)?,
        false => print_value(call, &answer, &numbers, made)?,
    };
    keys.outcome()?;
    written.outcome()?;
    emergency_written.outcome()
}

/// Keys that were made with their sheets: the usual ones, and the emergency shares.
type MadeAndWritten<'a> = [(&'a MadeKeys<'a>, &'a WrittenSheets); 2];

/// Returns the keys that an answer has under `name`.
fn texts<'a>(answer: &'a Value, name: &str) -> Vec<&'a str> {
    let keys = answer.get(name).and_then(Value::as_array);
    keys.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn print_value(
    call: &Call,
    answer: &Value,
    numbers: &Numbers,
    [(keys, written), (_, emergency_written)]: MadeAndWritten<'_>,
) -> Outcome {
    let made = (numbers.shares, numbers.threshold);
    let (unseal, recovery) = match numbers.recovery {
        true => ((1, 1), made),
        false => (made, (0, 0)),
    };
    let or = |name: &str, default: Value| answer.get(name).cloned().unwrap_or(default);
    let is_age = keys.cover == KeyCover::Age;
    let key = |name: &str| match written.has_all() || is_age {
        true => json!([]),
        false => or(name, json!([])),
    };
    let mut value = json!({
        "unseal_keys_b64": key("keys_base64"),
        "unseal_keys_hex": key("keys"),
        "unseal_shares": unseal.0,
        "unseal_threshold": unseal.1,
        "recovery_keys_b64": key("recovery_keys_base64"),
        "recovery_keys_hex": key("recovery_keys"),
        "recovery_keys_shares": recovery.0,
        "recovery_keys_threshold": recovery.1,
        "root_token": or("root_token", json!("")),
    });
    if let (Some(_), Some(fields)) = (answer.get("emergency_keys"), value.as_object_mut()) {
        let key = |name: &str| match emergency_written.has_all() {
            true => json!([]),
            false => or(name, json!([])),
        };
        fields.insert("emergency_keys_b64".into(), key(EMERGENCY_KEYS));
        fields.insert("emergency_keys_hex".into(), key("emergency_keys"));
    }
    if let (true, Some(fields)) = (is_age && !written.has_all(), value.as_object_mut()) {
        let name = match numbers.recovery {
            true => "recovery_keys_age",
            false => "unseal_keys_age",
        };
        fields.insert(name.into(), keys.texts().into());
    }
    written.tell(&mut value);
    emergency_written.tell(&mut value);
    call.print_value(&value, &ORDER)
}

fn status(call: &mut Call) -> Outcome {
    let reply = call
        .send(&Ask::get("sys/init"))
        .and_then(|reply| reply.json());
    let answer = reply.during(|| String::from("Error checking init status"))?;
    let initialized = answer.get("initialized") == Some(&Value::Bool(true));
    if call.is_table() {
        let not = if initialized { "" } else { "not " };
        call.out(&format!("Vault is {not}initialized"));
    } else {
        call.print_value(&json!({"Initialized": initialized}), &Order::BY_NAME)?;
    }
    Ok(if initialized { 0 } else { NOT_INITIALIZED })
}

fn print(
    call: &Call,
    answer: &Value,
    numbers: &Numbers,
    [(keys, written), (emergency, emergency_written)]: MadeAndWritten<'_>,
) -> Outcome {
    let what = match numbers.recovery {
        true => "Recovery",
        false => "Unseal",
    };
    let keys = keys.texts();
    if keys.is_empty() {
        return Err(Failure::Answer("keys"));
    }
    for (at, key) in keys.iter().enumerate() {
        let shown = written.shown(at, key);
        call.out(&format!(
            "{what} Key {}: {}",
            at + 1,
            at_end_of_line(&shown)
        ));
    }
    for (at, key) in emergency.texts().into_iter().enumerate() {
        let shown = emergency_written.shown(at, key);
        call.out(&format!("Emergency Key {}: {shown}", at + 1));
    }
    let token = answer.get("root_token").and_then(Value::as_str);
    let token = token.ok_or(Failure::Answer("root token"))?;
    call.out(&format!("\nInitial Root Token: {token}\n"));
    let (shares, threshold) = (numbers.shares, numbers.threshold);
    let text = match numbers.recovery {
        true => format!(
            "\
Success! Vault is initialized

Recovery key initialized with {shares} key shares and a key threshold of {threshold}. Please
securely distribute the key shares printed above."
        ),
        false => format!(
            "\
Vault initialized with {shares} key shares and a key threshold of {threshold}. Please securely
distribute the key shares printed above. When the Vault is re-sealed,
restarted, or stopped, you must supply at least {threshold} of these keys to unseal it
before it can start servicing requests.

Vault does not store the generated root key. Without at least {threshold} keys to
reconstruct the root key, Vault will remain permanently sealed!

It is possible to generate new unseal keys, provided you have a quorum of
existing unseal keys shares. See \"{} operator rekey\" for more information.",
            call.program
        ),
    };
    call.out(&written.named(&text));
    Ok(0)
}
