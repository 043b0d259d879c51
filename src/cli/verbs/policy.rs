//! `policy read|write|list|delete|fmt`.

use serde_json::{Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::data::read_file;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::Order;
use crate::cli::verb::{Arity, Group, SharedFlags, Verb, VerbNode};

use super::policy_format::format_policy;

/// `policy`.
pub static POLICY: Group = Group {
    name: "policy",
    about: "Interact with policies",
    nodes: &[
        VerbNode::Verb(&DELETE),
        VerbNode::Verb(&FMT),
        VerbNode::Verb(&LIST),
        VerbNode::Verb(&READ),
        VerbNode::Verb(&WRITE),
    ],
};

static READ: Verb = Verb {
    name: "read",
    about: "Prints the contents of a policy",
    usage: "NAME",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Format,
    run: read,
};

static WRITE: Verb = Verb {
    name: "write",
    about: "Uploads a named policy from a file, or with - from standard input",
    usage: "NAME PATH",
    arity: Arity::exactly(2),
    flags: &[],
    shared: SharedFlags::Http,
    run: write,
};

static LIST: Verb = Verb {
    name: "list",
    about: "Lists the installed policies",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[],
    shared: SharedFlags::Format,
    run: list,
};

static DELETE: Verb = Verb {
    name: "delete",
    about: "Deletes a policy by name",
    usage: "NAME",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Http,
    run: delete,
};

static FMT: Verb = Verb {
    name: "fmt",
    about: "Formats a policy on disk",
    usage: "PATH",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Nothing,
    run: fmt,
};

fn name(call: &Call) -> String {
    call.word(0).trim().to_lowercase()
}

fn path(name: &str) -> String {
    format!("sys/policies/acl/{name}")
}

fn read(call: &mut Call) -> Outcome {
    let name = name(call);
    let answer = call.read(&Ask::get(&path(&name)));
    let answer = answer.during(|| format!("Error reading policy named {name}"))?;
    let text = answer
        .as_ref()
        .and_then(|answer| answer.data.get("policy")?.as_str());
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Err(Failure::Local(format!("No policy named: {name}")));
    };
    if !call.is_table() {
        return call.print_value(&json!({"policy": text}), &Order::BY_NAME);
    }
    call.out(text.trim());
    Ok(0)
}

fn write(call: &mut Call) -> Outcome {
    let (name, typed) = (name(call), call.word(0).trim().to_owned());
    let text = match call.word(1) {
        "-" => std::io::read_to_string(std::io::stdin()).map_err(|e| e.to_string()),
        file => match read_file(file) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| format!("{file} is not text")),
            Err(error) => Err(error.to_string()),
        },
    };
    let text = text.map_err(|e| Failure::Local(format!("Error opening policy file: {e}")))?;
    if name != typed {
        call.err(&format!(
            "Policy name was converted from {typed:?} to {name:?}"
        ));
    }
    let reply = call.send(&Ask::put(&path(&name), json!({"policy": text})));
    reply.during(|| String::from("Error uploading policy"))?;
    call.succeed(&format!("Uploaded policy: {name}"))
}

fn list(call: &mut Call) -> Outcome {
    let answer = call.read(&Ask::list("sys/policies/acl"));
    let answer = answer.during(|| String::from("Error listing policies"))?;
    let keys = answer.as_ref().and_then(|answer| answer.data.get("keys"));
    let keys = keys.ok_or(Failure::Answer("policies"))?;
    if !call.is_table() {
        return call.print_value(keys, &Order::BY_NAME);
    }
    for name in keys
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        call.out(name);
    }
    Ok(0)
}

fn delete(call: &mut Call) -> Outcome {
    let name = name(call);
    let reply = call.send(&Ask::delete(&path(&name)));
    reply.during(|| format!("Error deleting {name}"))?;
    call.succeed(&format!("Deleted policy: {name}"))
}

fn fmt(call: &mut Call) -> Outcome {
    let file = call.word(0).to_owned();
    let text = read_file(&file).map_err(|error| error.to_string());
    let text = text.and_then(|bytes| String::from_utf8(bytes).map_err(|e| e.to_string()));
    let text = text.map_err(|e| Failure::usage(format!("Error reading source file: {e}")))?;
    // Editors of other systems leave these at both ends.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n");
    let formatted = format_policy(text.trim_end_matches('\r'));
    let formatted =
        formatted.map_err(|e| Failure::usage(format!("Error formatting source: {e}")))?;
    let written = std::fs::write(&file, formatted);
    written.map_err(|e| Failure::usage(format!("Error writing result: {e}")))?;
    call.succeed(&format!("Formatted policy: {file}"))
}
