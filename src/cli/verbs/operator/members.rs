//! `operator members`.

use serde_json::{Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::{Order, plain, table};
use crate::cli::verb::{Arity, SharedFlags, Verb};

/// `operator members`.
pub static MEMBERS: Verb = Verb {
    name: "members",
    about: "Lists the nodes of the cluster and which of them is active",
    usage: "",
    arity: Arity::at_least(0),
    flags: &[],
    shared: SharedFlags::Format,
    run,
};

static ORDER: Order = Order::of(&[
    "hostname",
    "api_address",
    "cluster_address",
    "active_node",
    "last_echo",
    "version",
    "upgrade_version",
]);

const HEADS: [&str; 7] = [
    "Host Name",
    "API Address",
    "Cluster Address",
    "Active Node",
    "Version",
    "Upgrade Version",
    "Last Echo",
];

fn run(call: &mut Call) -> Outcome {
    let answer = call.send(&Ask::get("sys/ha-status").unwrapped())?.json()?;
    let nodes = answer
        .pointer("/data/nodes")
        .or_else(|| answer.get("nodes"));
    let nodes = nodes.and_then(Value::as_array);
    let nodes = nodes.ok_or(Failure::Answer("list of nodes"))?;
    if !call.is_table() {
        return call.print_value(&json!({"Nodes": nodes}), &BELOW_NODES);
    }
    call.out(&table(&HEADS, nodes.iter().map(row).collect(), "    "));
    Ok(0)
}

static BELOW_NODES: Order = Order {
    keys: &[],
    inner: &[("Nodes", &ORDER)],
    others: None,
};

fn row(node: &Value) -> Vec<String> {
    let text = |name: &str| match node.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(value) => plain(value),
    };
    vec![
        text("hostname"),
        text("api_address"),
        text("cluster_address"),
        text("active_node"),
        text("version"),
        text("upgrade_version"),
        whole_seconds(&text("last_echo")),
    ]
}

/// Returns a time without its fraction of a second.
fn whole_seconds(time: &str) -> String {
    let Some((seconds, rest)) = time.split_once('.') else {
        return time.to_owned();
    };
    let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{seconds}{zone}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_read_as_vault_prints_them() {
        let active = json!({"hostname": "a", "api_address": "http://127.0.0.2:8200",
            "cluster_address": "https://127.0.0.2:8201", "active_node": true, "last_echo": null,
            "version": "1", "upgrade_version": "1"});
        let standby = json!({"hostname": "b", "api_address": "http://127.0.0.3:8200",
            "cluster_address": "https://127.0.0.3:8201", "active_node": false,
            "last_echo": "2026-11-22T08:25:34.171290716Z", "version": "1"});
        let expected = "\
Host Name    API Address              Cluster Address           Active Node    Version    \
Upgrade Version    Last Echo
---------    -----------              ---------------           -----------    -------    \
---------------    ---------
a            http://127.0.0.2:8200    https://127.0.0.2:8201    true           1          \
1                  n/a
b            http://127.0.0.3:8200    https://127.0.0.3:8201    false          1          \
n/a                2026-11-22T08:25:34Z";
        let rows = vec![row(&active), row(&standby)];
        assert_eq!(table(&HEADS, rows, "    "), expected);
    }
}
