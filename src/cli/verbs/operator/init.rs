//! `operator init`.

use serde_json::{Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::Order;
use crate::cli::verb::{Arity, Flag, FlagKind, SharedFlags, Verb, flag};

/// The exit code of `-status` when there is no cluster yet.
const NOT_INITIALIZED: u8 = 2;

/// `operator init`.
pub static INIT: Verb = Verb {
    name: "init",
    about: "Initializes a server and prints its key shares and root token",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[
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
    "unseal_shares",
    "unseal_threshold",
    "recovery_keys_b64",
    "recovery_keys_hex",
    "recovery_keys_shares",
    "recovery_keys_threshold",
    "root_token",
]);

fn run(call: &mut Call) -> Outcome {
    if call.flags.switch("status") {
        return status(call);
    }
    let shares = call.flags.number("key-shares").unwrap_or(5);
    let threshold = call.flags.number("key-threshold").unwrap_or(3);
    let body = json!({"secret_shares": shares, "secret_threshold": threshold});
    let reply = call.send(&Ask::put("sys/init", body).unwrapped());
    let answer = reply.and_then(|reply| reply.json());
    let answer = answer.during(|| String::from("Error initializing"))?;
    if call.is_table() {
        return print(call, &answer, shares, threshold);
    }
    let or = |name: &str, default: Value| answer.get(name).cloned().unwrap_or(default);
    let value = json!({
        "unseal_keys_b64": or("keys_base64", json!([])),
        "unseal_keys_hex": or("keys", json!([])),
        "unseal_shares": shares,
        "unseal_threshold": threshold,
        "recovery_keys_b64": or("recovery_keys_base64", json!([])),
        "recovery_keys_hex": or("recovery_keys", json!([])),
        "recovery_keys_shares": 0,
        "recovery_keys_threshold": 0,
        "root_token": or("root_token", json!("")),
    });
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

fn print(call: &Call, answer: &Value, shares: i64, threshold: i64) -> Outcome {
    let keys = answer.get("keys_base64").and_then(Value::as_array);
    let keys = keys.ok_or(Failure::Answer("unseal keys"))?;
    for (at, key) in keys.iter().filter_map(Value::as_str).enumerate() {
        call.out(&format!("Unseal Key {}: {key}", at + 1));
    }
    let token = answer.get("root_token").and_then(Value::as_str);
    let token = token.ok_or(Failure::Answer("root token"))?;
    call.out(&format!(
        "\nInitial Root Token: {token}

Vault initialized with {shares} key shares and a key threshold of {threshold}. Please securely
distribute the key shares printed above. When the Vault is re-sealed,
restarted, or stopped, you must supply at least {threshold} of these keys to unseal it
before it can start servicing requests.

Vault does not store the generated root key. Without at least {threshold} keys to
reconstruct the root key, Vault will remain permanently sealed!"
    ));
    Ok(0)
}
