//! `audit enable|disable|list`.

use serde_json::{Map, Value, json};

use crate::cli::call::Call;
use crate::cli::client::{Ask, ClientError};
use crate::cli::data::parse_texts;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{Order, plain, table};
use crate::cli::verb::{Arity, FlagKind, Group, SharedFlags, Verb, VerbNode, flag};

use super::{mount_path, trimmed};

/// The exit code when no device is enabled.
const NONE: u8 = 2;

/// `audit`.
pub static AUDIT: Group = Group {
    name: "audit",
    about: "Interact with audit devices",
    nodes: &[
        VerbNode::Verb(&DISABLE),
        VerbNode::Verb(&ENABLE),
        VerbNode::Verb(&LIST),
    ],
};

static ENABLE: Verb = Verb {
    name: "enable",
    about: "Enables an audit device",
    usage: "TYPE [K=V...]",
    arity: Arity::at_least(0),
    flags: &[
        flag("description", FlagKind::Text, "What it is for."),
        flag("local", FlagKind::Switch, "Only on this cluster."),
        flag(
            "path",
            FlagKind::Text,
            "Where to enable it; its type unless given.",
        ),
    ],
    shared: SharedFlags::Http,
    run: enable,
};

static DISABLE: Verb = Verb {
    name: "disable",
    about: "Disables an audit device",
    usage: "PATH",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Http,
    run: disable,
};

static LIST: Verb = Verb {
    name: "list",
    about: "Lists enabled audit devices",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[flag(
        "detailed",
        FlagKind::Switch,
        "Print options and replication as well.",
    )],
    shared: SharedFlags::Format,
    run: list,
};

fn enable(call: &mut Call) -> Outcome {
    let kind = call.word(0).trim().to_owned();
    if kind.is_empty() {
        return Err(Failure::usage(
            "Error enabling audit device: audit type missing. Valid types include 'file', \
             'socket' and 'syslog'.",
        ));
    }
    let path = trimmed(call.flags.text("path").unwrap_or(&kind));
    let options = parse_texts(call.words_from(1))?;
    let options: Map<String, Value> = options
        .into_iter()
        .map(|(key, value)| (key, json!(value)))
        .collect();
    let body = json!({
        "type": kind,
        "description": call.flags.text("description").unwrap_or_default(),
        "local": call.flags.switch("local"),
        "options": options,
    });
    let reply = call.send(&Ask::put(&format!("sys/audit/{path}"), body));
    reply.during(|| String::from("Error enabling audit device"))?;
    call.succeed(&format!("Enabled the {kind} audit device at: {path}/"))
}

fn disable(call: &mut Call) -> Outcome {
    let path = mount_path(call.word(0));
    let reply = call.send(&Ask::delete(&format!("sys/audit/{path}")));
    reply.during(|| String::from("Error disabling audit device"))?;
    call.succeed(&format!(
        "Disabled audit device (if it was enabled) at: {path}"
    ))
}

fn list(call: &mut Call) -> Outcome {
    let devices = devices(call).during(|| String::from("Error listing audits"))?;
    if !call.is_table() {
        return call.print_value(&Value::Object(devices), &Order::BY_NAME);
    }
    if devices.is_empty() {
        call.out("No audit devices are enabled.");
        return Ok(NONE);
    }
    let detailed = call.flags.switch("detailed");
    let row = |(path, device): (&String, &Value)| {
        let text = |name: &str| device.get(name).map(plain).unwrap_or_default();
        let mut row = vec![path.clone(), text("type"), text("description")];
        if detailed {
            let local = device.get("local") == Some(&Value::Bool(true));
            row.push(String::from(if local { "local" } else { "replicated" }));
            let options = device.get("options").and_then(Value::as_object);
            let options = options.into_iter().flatten();
            let options: Vec<String> = options.map(|(k, v)| format!("{k}={}", plain(v))).collect();
            row.push(options.join(" "));
        }
        row
    };
    let rows = devices.iter().map(row).collect();
    let heads = ["Path", "Type", "Description", "Replication", "Options"];
    let heads = heads.get(..if detailed { 5 } else { 3 }).unwrap_or(&heads);
    call.out(&table(heads, rows, "    "));
    Ok(0)
}

fn devices(call: &mut Call) -> Result<Map<String, Value>, ClientError> {
    let answer = call.send(&Ask::get("sys/audit"))?.json()?;
    let data = answer.get("data").and_then(Value::as_object);
    Ok(data.cloned().unwrap_or_default())
}
