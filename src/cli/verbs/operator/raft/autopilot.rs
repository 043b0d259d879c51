//! `operator raft autopilot state`, `get-config`, `set-config`.

use serde_json::{Map, Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{Order, pairs, plain};
use crate::cli::verb::{Arity, FlagKind, Group, SharedFlags, Verb, VerbNode, flag};
use crate::clock::format_duration;

/// `operator raft autopilot`.
pub static AUTOPILOT: Group = Group {
    name: "autopilot",
    about: "Shows and sets how members become voters and when the dead are removed",
    nodes: &[
        VerbNode::Verb(&GET_CONFIG),
        VerbNode::Verb(&SET_CONFIG),
        VerbNode::Verb(&STATE),
    ],
};

static STATE: Verb = Verb {
    name: "state",
    about: "Shows how the members are",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[],
    shared: SharedFlags::Format,
    run: state,
};

static GET_CONFIG: Verb = Verb {
    name: "get-config",
    about: "Shows how members are judged",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[],
    shared: SharedFlags::Format,
    run: get_config,
};

static SET_CONFIG: Verb = Verb {
    name: "set-config",
    about: "Changes how members are judged",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[
        flag(
            "cleanup-dead-servers",
            FlagKind::Switch,
            "Remove members that are dead. Needs -min-quorum.",
        ),
        flag(
            "dead-server-last-contact-threshold",
            FlagKind::Time,
            "Out of contact for as long, a member is dead. At least 1m.",
        ),
        flag(
            "disable-upgrade-migration",
            FlagKind::Switch,
            "Kept and shown; there are no such migrations.",
        ),
        flag(
            "last-contact-threshold",
            FlagKind::Time,
            "Out of contact for longer, a member is unhealthy.",
        ),
        flag(
            "max-trailing-logs",
            FlagKind::Number,
            "More entries behind the leader, a member is unhealthy.",
        ),
        flag(
            "min-quorum",
            FlagKind::Number,
            "Removing the dead leaves at least so many voters. At least 3.",
        ),
        flag(
            "server-stabilization-time",
            FlagKind::Time,
            "How long a new member must be healthy before it has a vote.",
        ),
    ],
    shared: SharedFlags::Http,
    run: set_config,
};

const CONFIG: &str = "sys/storage/raft/autopilot/configuration";

/// The state's fields in JSON and YAML, in their order.
static STATE_FIELDS: [&str; 8] = [
    "Healthy",
    "FailureTolerance",
    "Servers",
    "Leader",
    "Voters",
    "NonVoters",
    "Upgrade",
    "OptimisticFailureTolerance",
];

/// Each server's fields in JSON and YAML, in their order.
static SERVER_FIELDS: [&str; 13] = [
    "ID",
    "Name",
    "Address",
    "NodeStatus",
    "LastContact",
    "LastTerm",
    "LastIndex",
    "Healthy",
    "StableSince",
    "Status",
    "Version",
    "UpgradeVersion",
    "NodeType",
];

/// A server's rows in the table.
const SERVER_ROWS: [(&str, &str); 10] = [
    ("Name", "name"),
    ("Address", "address"),
    ("Status", "status"),
    ("Node Status", "node_status"),
    ("Healthy", "healthy"),
    ("Last Contact", "last_contact"),
    ("Last Term", "last_term"),
    ("Last Index", "last_index"),
    ("Version", "version"),
    ("Node Type", "node_type"),
];

const CONFIG_ROWS: [(&str, &str); 7] = [
    ("Cleanup Dead Servers", "cleanup_dead_servers"),
    ("Last Contact Threshold", "last_contact_threshold"),
    (
        "Dead Server Last Contact Threshold",
        "dead_server_last_contact_threshold",
    ),
    ("Server Stabilization Time", "server_stabilization_time"),
    ("Min Quorum", "min_quorum"),
    ("Max Trailing Logs", "max_trailing_logs"),
    ("Disable Upgrade Migration", "disable_upgrade_migration"),
];

static STATE_ORDER: Order = Order {
    keys: &STATE_FIELDS,
    inner: &[("Servers", &SERVERS_ORDER)],
    others: None,
};

static SERVERS_ORDER: Order = Order {
    keys: &[],
    inner: &[],
    others: Some(&SERVER_ORDER),
};

static SERVER_ORDER: Order = Order::of(&SERVER_FIELDS);

fn state(call: &mut Call) -> Outcome {
    let answer = call.read(&Ask::get("sys/storage/raft/autopilot/state").unwrapped());
    let answer = answer.during(|| String::from("Error checking autopilot state"))?;
    // Without a cluster there is no state; Vault prints nothing either.
    let Some(answer) = answer else {
        return Ok(0);
    };
    let state = answer.fields().ok_or(Failure::Answer("state"))?;
    if !call.is_table() {
        return call.print_value(&exported(state), &STATE_ORDER);
    }
    call.out(&state_text(state));
    Ok(0)
}

/// Returns the state under the names that JSON and YAML print.
fn exported(state: &Map<String, Value>) -> Value {
    let mut all = renamed(state, &STATE_FIELDS);
    let servers = state.get("servers").and_then(Value::as_object);
    let servers = servers.into_iter().flatten();
    let servers = servers.filter_map(|(name, server)| {
        let fields = renamed(server.as_object()?, &SERVER_FIELDS);
        Some((name.clone(), Value::Object(fields)))
    });
    all.insert("Servers".into(), Value::Object(servers.collect()));
    Value::Object(all)
}

fn renamed(from: &Map<String, Value>, fields: &[&str]) -> Map<String, Value> {
    let fields = fields.iter().map(|printed| {
        let missing = || match *printed {
            "FailureTolerance" | "OptimisticFailureTolerance" => json!(0),
            "UpgradeVersion" => json!(""),
            _ => Value::Null,
        };
        let value = from.get(&snake(printed)).cloned();
        (String::from(*printed), value.unwrap_or_else(missing))
    });
    fields.collect()
}

/// Returns the API's name of a printed one: `node_status` for `NodeStatus`, `id` for `ID`.
fn snake(printed: &str) -> String {
    let mut name = String::new();
    let mut after_small = false;
    for letter in printed.chars() {
        if letter.is_ascii_uppercase() && after_small {
            name.push('_');
        }
        after_small = letter.is_ascii_lowercase();
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn state_text(state: &Map<String, Value>) -> String {
    let mut text = String::new();
    let mut line = |depth: usize, name: &str, value: &str, width: usize| {
        let name = match value {
            "" => String::from(name),
            _ => format!("{name}:"),
        };
        let line = format!("{:depth$}{name:width$}{value}", "");
        text.push_str(line.trim_end());
        text.push('\n');
    };
    let field = |from: &Map<String, Value>, name: &str| from.get(name).map(plain);
    for (label, name) in [
        ("Healthy", "healthy"),
        ("Failure Tolerance", "failure_tolerance"),
        ("Leader", "leader"),
    ] {
        line(0, label, &field(state, name).unwrap_or_default(), 33);
    }
    for (heading, name) in [("Voters:", "voters"), ("Non Voters:", "non_voters")] {
        let names = state.get(name).and_then(Value::as_array);
        let names = names.map(Vec::as_slice).unwrap_or_default();
        if heading == "Voters:" || !names.is_empty() {
            line(0, heading, "", 0);
        }
        for name in names {
            line(3, &plain(name), "", 0);
        }
    }
    line(0, "Servers:", "", 0);
    let servers = state.get("servers").and_then(Value::as_object);
    for (name, server) in servers.into_iter().flatten() {
        line(3, name, "", 0);
        let server = server.as_object();
        for (label, name) in SERVER_ROWS {
            let value = server.and_then(|server| field(server, name));
            line(6, label, &value.unwrap_or_default(), 19);
        }
    }
    text
}

fn get_config(call: &mut Call) -> Outcome {
    let answer = call.read(&Ask::get(CONFIG).unwrapped())?;
    let Some(answer) = answer else {
        return Ok(0);
    };
    let config = answer.fields().ok_or(Failure::Answer("configuration"))?;
    if !call.is_table() {
        return call.print_value(&answer.data, &Order::BY_NAME);
    }
    let rows = CONFIG_ROWS.iter().filter_map(|(label, name)| {
        let value = config.get(*name)?;
        Some((String::from(*label), plain(value)))
    });
    call.out(&pairs(rows.collect()));
    Ok(0)
}

fn set_config(call: &mut Call) -> Outcome {
    let flags = &call.flags;
    let fields = SET_CONFIG.flags.iter().filter_map(|flag| {
        let value = match flag.kind {
            FlagKind::Switch => json!(flags.choice(flag.name)?),
            FlagKind::Number => json!(flags.number(flag.name)?),
            _ => json!(format_duration(flags.time(flag.name)?)),
        };
        Some((flag.name.replace('-', "_"), value))
    });
    let body = Value::Object(fields.collect());
    call.send(&Ask::put(CONFIG, body).unwrapped())?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::to_json;

    const STATE: &str = r#"{"failure_tolerance":0,"healthy":false,"leader":"n2",
        "non_voters":["n4"],"servers":{
        "n2":{"id":"n2","name":"n2","address":"127.0.0.2:8201","node_status":"alive",
            "last_contact":"0s","last_term":3,"last_index":31,"healthy":true,
            "stable_since":"2026-11-22T08:24:10Z","status":"leader","version":"2.7.2",
            "node_type":"voter"},
        "n4":{"id":"n4","name":"n4","address":"127.0.0.4:8201","node_status":"alive",
            "last_contact":"1.666s","last_term":0,"last_index":0,"healthy":false,
            "stable_since":"2026-11-22T08:24:12Z","status":"non-voter","version":"2.7.2",
            "node_type":"non-voter"}},
        "voters":["n2"]}"#;

    fn example() -> Map<String, Value> {
        serde_json::from_str(STATE).expect("valid")
    }

    #[test]
    fn the_state_reads_as_vault_prints_it() {
        let expected = "\
Healthy:                         false
Failure Tolerance:               0
Leader:                          n2
Voters:
   n2
Non Voters:
   n4
Servers:
   n2
      Name:              n2
      Address:           127.0.0.2:8201
      Status:            leader
      Node Status:       alive
      Healthy:           true
      Last Contact:      0s
      Last Term:         3
      Last Index:        31
      Version:           2.7.2
      Node Type:         voter
   n4
      Name:              n4
      Address:           127.0.0.4:8201
      Status:            non-voter
      Node Status:       alive
      Healthy:           false
      Last Contact:      1.666s
      Last Term:         0
      Last Index:        0
      Version:           2.7.2
      Node Type:         non-voter
";
        assert_eq!(state_text(&example()), expected);
        let mut one = example();
        one.remove("non_voters");
        assert!(!state_text(&one).contains("Non Voters"));
    }

    #[test]
    fn the_state_in_json_has_the_names_that_scripts_read() {
        let mut state = example();
        if let Some(Value::Object(servers)) = state.get_mut("servers") {
            servers.remove("n4");
        }
        let expected = r#"{
  "Healthy": false,
  "FailureTolerance": 0,
  "Servers": {
    "n2": {
      "ID": "n2",
      "Name": "n2",
      "Address": "127.0.0.2:8201",
      "NodeStatus": "alive",
      "LastContact": "0s",
      "LastTerm": 3,
      "LastIndex": 31,
      "Healthy": true,
      "StableSince": "2026-11-22T08:24:10Z",
      "Status": "leader",
      "Version": "2.7.2",
      "UpgradeVersion": "",
      "NodeType": "voter"
    }
  },
  "Leader": "n2",
  "Voters": [
    "n2"
  ],
  "NonVoters": [
    "n4"
  ],
  "Upgrade": null,
  "OptimisticFailureTolerance": 0
}"#;
        assert_eq!(to_json(&exported(&state), &STATE_ORDER), expected);
    }
}
