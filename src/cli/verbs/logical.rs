//! `read`, `write`, `list`, `delete`, `patch`: the verbs for any path.

use serde_json::{Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::data::parse_texts;
use crate::cli::envelope::Envelope;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{Format, Order, plain};
use crate::cli::verb::{Arity, Flag, FlagKind, SharedFlags, Verb, flag};

use super::trimmed;

const FORCE: Flag = Flag {
    name: "force",
    alias: Some("f"),
    kind: FlagKind::Switch,
    help: "Go on without any data.",
};

/// `read`.
pub static READ: Verb = Verb {
    name: "read",
    about: "Read data and retrieves secrets",
    usage: "PATH [K=V...]",
    arity: Arity::at_least(1),
    flags: &[],
    shared: SharedFlags::Field,
    run: read,
};

/// `write`.
pub static WRITE: Verb = Verb {
    name: "write",
    about: "Write data, configuration, and secrets",
    usage: "PATH [K=V... | K=@FILE | K=- | @FILE | -]",
    arity: Arity::at_least(1),
    flags: &[FORCE],
    shared: SharedFlags::Field,
    run: write,
};

/// `patch`.
pub static PATCH: Verb = Verb {
    name: "patch",
    about: "Patch data, configuration, and secrets",
    usage: "PATH [K=V... | K=@FILE | K=- | @FILE | -]",
    arity: Arity::at_least(1),
    flags: &[FORCE],
    shared: SharedFlags::Field,
    run: patch,
};

/// `list`.
pub static LIST: Verb = Verb {
    name: "list",
    about: "List data or secrets",
    usage: "PATH",
    arity: Arity::exactly(1),
    flags: &[
        flag(
            "detailed",
            FlagKind::Switch,
            "Print what is known about each key as well.",
        ),
        flag("after", FlagKind::Text, "Start behind this key."),
        flag("limit", FlagKind::Number, "Print at most so many keys."),
    ],
    shared: SharedFlags::Format,
    run: list,
};

/// `delete`.
pub static DELETE: Verb = Verb {
    name: "delete",
    about: "Delete secrets and configuration",
    usage: "PATH [K=V...]",
    arity: Arity::at_least(1),
    flags: &[],
    shared: SharedFlags::Field,
    run: delete,
};

fn with_parameters(call: &Call, mut ask: Ask) -> Result<Ask, Failure> {
    for (name, value) in parse_texts(call.words_from(1))? {
        ask = ask.with_query(&name, &value);
    }
    Ok(ask)
}

fn read(call: &mut Call) -> Outcome {
    let path = trimmed(call.word(0));
    let ask = with_parameters(call, Ask::get(&path))?;
    let during = || format!("Error reading {path}");
    if call.format == Format::Raw {
        let reply = call.send(&ask).during(during)?;
        call.out_bytes(&reply.body);
        return Ok(0);
    }
    match call.read(&ask).during(during)? {
        Some(secret) => call.print_secret(&secret),
        None => Err(Failure::NotFound(path)),
    }
}

fn write(call: &mut Call) -> Outcome {
    send_data(call, Ask::put)
}

fn patch(call: &mut Call) -> Outcome {
    send_data(call, Ask::patch)
}

fn send_data(call: &mut Call, ask: fn(&str, Value) -> Ask) -> Outcome {
    let path = trimmed(call.word(0));
    if call.words_from(1).is_empty() && !call.flags.switch("force") {
        return Err(Failure::usage("Must supply data or use -force"));
    }
    let body = match call.data_from(1)? {
        data if data.is_empty() => Value::Null,
        data => Value::Object(data),
    };
    let answer = call.write(&ask(&path, body));
    let answer = answer.during(|| format!("Error writing data to {path}"))?;
    call.print_written(answer.as_ref(), &path)
}

fn delete(call: &mut Call) -> Outcome {
    let path = trimmed(call.word(0));
    let ask = with_parameters(call, Ask::delete(&path))?;
    match call
        .write(&ask)
        .during(|| format!("Error deleting {path}"))?
    {
        Some(secret) => call.print_secret(&secret),
        None => call.succeed(&format!("Data deleted (if it existed) at: {path}")),
    }
}

fn list(call: &mut Call) -> Outcome {
    let path = trimmed(call.word(0));
    let mut ask = Ask::list(&path);
    for name in ["after", "limit"] {
        if let Some(value) = call.flags.text(name) {
            ask = ask.with_query(name, value);
        }
    }
    let answer = call.read(&ask).during(|| format!("Error listing {path}"))?;
    print_keys(call, answer.as_ref(), &path)
}

/// Prints the keys of a list's answer.
pub fn print_keys(call: &Call, answer: Option<&Envelope>, path: &str) -> Outcome {
    if let Some(wrapped) = answer.filter(|answer| answer.wrap_info.is_some()) {
        return call.print_secret(wrapped);
    }
    let keys = answer.and_then(|answer| answer.data.get("keys"));
    let Some(keys) = keys.filter(|keys| keys.as_array().is_some_and(|keys| !keys.is_empty()))
    else {
        if call.is_table() {
            return Err(Failure::NotFound(path.to_owned()));
        }
        call.print_value(&json!({}), &Order::BY_NAME)?;
        return Ok(2);
    };
    if !call.is_table() {
        return call.print_value(keys, &Order::BY_NAME);
    }
    if let Some(answer) = answer {
        call.warn(&answer.warnings);
    }
    let info = answer.and_then(|answer| answer.data.get("key_info"));
    let info = info.filter(|_| call.flags.switch("detailed"));
    let keys: Vec<String> = keys.as_array().into_iter().flatten().map(plain).collect();
    let Some(info) = info else {
        call.out(&format!("Keys\n----\n{}", keys.join("\n")));
        return Ok(0);
    };
    print_detailed(call, &keys, info);
    Ok(0)
}

fn print_detailed(call: &Call, keys: &[String], info: &Value) {
    let fields = keys.iter().filter_map(|key| info.get(key)?.as_object());
    let mut heads: Vec<&str> = fields
        .flat_map(|fields| fields.keys().map(String::as_str))
        .collect();
    heads.sort_unstable();
    heads.dedup();
    let row = |key: &String| {
        let cell = |head: &&str| {
            let value = info.get(key).and_then(|fields| fields.get(*head));
            value.map(plain).unwrap_or_default()
        };
        std::iter::once(key.clone())
            .chain(heads.iter().map(cell))
            .collect()
    };
    let rows = keys.iter().map(row).collect();
    let heads: Vec<&str> = std::iter::once("Keys")
        .chain(heads.iter().copied())
        .collect();
    call.out(&crate::cli::output::table(&heads, rows, "    "));
}
