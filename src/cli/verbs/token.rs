//! `token create|lookup|renew|revoke|capabilities`.

use serde_json::{Map, Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::Order;
use crate::cli::verb::{Arity, Flag, FlagKind, Group, SharedFlags, Verb, VerbNode, flag};
use crate::clock::format_duration;

const ACCESSOR: Flag = flag(
    "accessor",
    FlagKind::Switch,
    "The argument is an accessor, not a token.",
);

/// `token`.
pub static TOKEN: Group = Group {
    name: "token",
    about: "Interact with tokens",
    nodes: &[
        VerbNode::Verb(&CAPABILITIES),
        VerbNode::Verb(&CREATE),
        VerbNode::Verb(&LOOKUP),
        VerbNode::Verb(&RENEW),
        VerbNode::Verb(&REVOKE),
    ],
};

static CREATE: Verb = Verb {
    name: "create",
    about: "Create a new token, a child of the token in use",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[
        flag(
            "display-name",
            FlagKind::Text,
            "A name for logs and lookups.",
        ),
        flag(
            "entity-alias",
            FlagKind::Text,
            "An alias that the role allows.",
        ),
        flag(
            "explicit-max-ttl",
            FlagKind::Time,
            "A lifetime that no renewal extends.",
        ),
        flag("id", FlagKind::Text, "The token itself; needs sudo."),
        flag(
            "metadata",
            FlagKind::Pairs,
            "A key=value for the audit log. May be repeated.",
        ),
        flag(
            "no-default-policy",
            FlagKind::Switch,
            "Leave the default policy out.",
        ),
        flag(
            "orphan",
            FlagKind::Switch,
            "Create it without a parent; needs sudo.",
        ),
        flag(
            "period",
            FlagKind::Time,
            "Every renewal gives this lifetime; needs sudo.",
        ),
        flag(
            "policy",
            FlagKind::Texts,
            "A policy by name. May be repeated.",
        ),
        flag(
            "renewable",
            FlagKind::Switch,
            "Whether it can be renewed. The default is true.",
        ),
        flag("role", FlagKind::Text, "The token role to create it with."),
        flag("ttl", FlagKind::Time, "The first lifetime."),
        flag(
            "type",
            FlagKind::Text,
            "service or batch. The default is service.",
        ),
        flag(
            "use-limit",
            FlagKind::Number,
            "How many requests it can make.",
        ),
    ],
    shared: SharedFlags::Field,
    run: create,
};

static LOOKUP: Verb = Verb {
    name: "lookup",
    about: "Display information about a token, or the token in use",
    usage: "[TOKEN | ACCESSOR]",
    arity: Arity::between(0, 1),
    flags: &[ACCESSOR],
    shared: SharedFlags::Field,
    run: lookup,
};

static RENEW: Verb = Verb {
    name: "renew",
    about: "Renew a token lease, or that of the token in use",
    usage: "[TOKEN | ACCESSOR]",
    arity: Arity::between(0, 1),
    flags: &[
        ACCESSOR,
        Flag {
            name: "increment",
            alias: Some("i"),
            kind: FlagKind::Time,
            help: "How much lifetime to ask for; the server may give less.",
        },
    ],
    shared: SharedFlags::Format,
    run: renew,
};

static REVOKE: Verb = Verb {
    name: "revoke",
    about: "Revoke a token and its children",
    usage: "[TOKEN | ACCESSOR]",
    arity: Arity::between(0, 1),
    flags: &[
        ACCESSOR,
        flag(
            "mode",
            FlagKind::Text,
            "orphan leaves the children; path takes all from a path.",
        ),
        flag("self", FlagKind::Switch, "Revoke the token in use."),
    ],
    shared: SharedFlags::Http,
    run: revoke,
};

static CAPABILITIES: Verb = Verb {
    name: "capabilities",
    about: "Print capabilities of a token on a path",
    usage: "[TOKEN] PATH",
    arity: Arity::between(1, 2),
    flags: &[],
    shared: SharedFlags::Format,
    run: capabilities,
};

fn create(call: &mut Call) -> Outcome {
    let flags = &call.flags;
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(String::from(name), value);
    for (flag, name) in [
        ("id", "id"),
        ("display-name", "display_name"),
        ("type", "type"),
        ("entity-alias", "entity_alias"),
    ] {
        if let Some(text) = flags.text(flag) {
            set(name, json!(text));
        }
    }
    for (flag, name) in [
        ("ttl", "ttl"),
        ("explicit-max-ttl", "explicit_max_ttl"),
        ("period", "period"),
    ] {
        if let Some(time) = flags.time(flag) {
            set(name, json!(format_duration(time)));
        }
    }
    for (flag, name) in [
        ("no-default-policy", "no_default_policy"),
        ("orphan", "no_parent"),
    ] {
        if flags.switch(flag) {
            set(name, json!(true));
        }
    }
    set(
        "renewable",
        json!(flags.choice("renewable").unwrap_or(true)),
    );
    if let Some(uses) = flags.number("use-limit") {
        set("num_uses", json!(uses));
    }
    if flags.given("policy") {
        set("policies", json!(flags.texts("policy")));
    }
    if flags.given("metadata") {
        set("meta", json!(flags.pairs("metadata")));
    }
    let path = match flags.text("role") {
        Some(role) => format!("auth/token/create/{role}"),
        None => String::from("auth/token/create"),
    };
    let answer = call.write(&Ask::post(&path, Value::Object(body)));
    let answer = answer.during(|| String::from("Error creating token"))?;
    call.print_secret(&answer.ok_or(Failure::Answer("token"))?)
}

fn lookup(call: &mut Call) -> Outcome {
    let word = call.word(0);
    let ask = match (call.flags.switch("accessor"), word) {
        (true, "") => {
            let message = "Not enough arguments with -accessor (expected 1, got 0)";
            return Err(Failure::usage(message));
        }
        (true, word) => Ask::post("auth/token/lookup-accessor", json!({"accessor": word})),
        (false, "") => Ask::get("auth/token/lookup-self"),
        (false, word) => Ask::post("auth/token/lookup", json!({"token": word})),
    };
    let answer = call
        .write(&ask)
        .during(|| String::from("Error looking up token"))?;
    call.print_secret(&answer.ok_or(Failure::Answer("token"))?)
}

fn renew(call: &mut Call) -> Outcome {
    let increment = call.flags.time("increment").unwrap_or_default().as_secs();
    let ask = match (call.flags.switch("accessor"), call.word(0)) {
        (true, "") => {
            let message = "Not enough arguments with -accessor (expected 1, got 0)";
            return Err(Failure::usage(message));
        }
        (true, word) => {
            let body = json!({"accessor": word, "increment": increment});
            Ask::post("auth/token/renew-accessor", body)
        }
        (false, "") => Ask::put("auth/token/renew-self", json!({"increment": increment})),
        (false, word) => {
            let body = json!({"token": word, "increment": increment});
            Ask::put("auth/token/renew", body)
        }
    };
    let answer = call
        .write(&ask)
        .during(|| String::from("Error renewing token"))?;
    call.print_secret(&answer.ok_or(Failure::Answer("token"))?)
}

fn revoke(call: &mut Call) -> Outcome {
    let word = call.word(0);
    let accessor = call.flags.switch("accessor");
    let mode = call.flags.text("mode").unwrap_or_default();
    if call.flags.switch("self") {
        if !word.is_empty() {
            let message = "Too many arguments with -self (expected 0, got 1)";
            return Err(Failure::usage(message));
        }
        if accessor || !mode.is_empty() {
            return Err(Failure::usage("Cannot use -self with -accessor or -mode"));
        }
        return revoke_with(call, &Ask::new("PUT", "auth/token/revoke-self"));
    }
    if word.is_empty() {
        return Err(Failure::usage(
            "Not enough arguments (expected 1 or -self, got 0)",
        ));
    }
    let ask = match (accessor, mode) {
        (true, "") => Ask::post("auth/token/revoke-accessor", json!({"accessor": word})),
        (true, mode) => {
            return Err(Failure::usage(format!(
                "Cannot use -accessor with -mode={mode}"
            )));
        }
        (false, "") => Ask::put("auth/token/revoke", json!({"token": word})),
        (false, "orphan") => Ask::put("auth/token/revoke-orphan", json!({"token": word})),
        (false, "path") => Ask::new("PUT", &format!("sys/leases/revoke-prefix/{word}")),
        (false, mode) => return Err(Failure::usage(format!("Invalid mode: {mode}"))),
    };
    revoke_with(call, &ask)
}

fn revoke_with(call: &mut Call, ask: &Ask) -> Outcome {
    call.send(ask)
        .during(|| String::from("Error revoking token"))?;
    call.succeed("Revoked token (if it existed)")
}

fn capabilities(call: &mut Call) -> Outcome {
    let (first, second) = (call.word(0), call.word(1));
    let ask = match second {
        "" => Ask::post("sys/capabilities-self", json!({"path": first})),
        path => Ask::post("sys/capabilities", json!({"token": first, "path": path})),
    };
    let answer = call.write(&ask);
    let answer = answer.during(|| String::from("Error listing capabilities"))?;
    let answer = answer.ok_or(Failure::Answer("capabilities"))?;
    let found = answer.data.get("capabilities").and_then(Value::as_array);
    let found = found.ok_or(Failure::Answer("capabilities"))?;
    let mut names: Vec<&str> = found.iter().filter_map(Value::as_str).collect();
    names.sort_unstable();
    if !call.is_table() {
        return call.print_value(&json!(names), &Order::BY_NAME);
    }
    call.out(&names.join(", "));
    Ok(0)
}
