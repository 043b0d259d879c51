//! `operator raft list-peers`, `remove-peer`, `promote`, `demote`.

use serde_json::{Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{plain, table};
use crate::cli::verb::{Arity, FlagKind, SharedFlags, Verb, flag};

/// The exit code when the server has no members.
const NONE: u8 = 2;

/// `operator raft list-peers`.
pub static LIST_PEERS: Verb = Verb {
    name: "list-peers",
    about: "Lists the members of the cluster",
    usage: "",
    arity: Arity::at_least(0),
    flags: &[],
    shared: SharedFlags::Format,
    run: list,
};

/// `operator raft remove-peer`.
pub static REMOVE_PEER: Verb = Verb {
    name: "remove-peer",
    about: "Removes a member from the cluster",
    usage: "NODE_ID",
    arity: Arity::exactly(1),
    flags: &[flag(
        "force",
        FlagKind::Switch,
        "Remove it although too few voters would be left to go on without it. Only for members \
         that never come back.",
    )],
    shared: SharedFlags::Http,
    run: remove,
};

/// `operator raft promote`.
pub static PROMOTE: Verb = Verb {
    name: "promote",
    about: "Gives a member without a vote one",
    usage: "NODE_ID",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Http,
    run: promote,
};

/// `operator raft demote`.
pub static DEMOTE: Verb = Verb {
    name: "demote",
    about: "Takes a member's vote away until it is promoted",
    usage: "NODE_ID",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Http,
    run: demote,
};

fn list(call: &mut Call) -> Outcome {
    let answer = call.read(&Ask::get("sys/storage/raft/configuration"));
    let answer = answer.during(|| String::from("Error reading the raft cluster configuration"))?;
    let Some(answer) = answer else {
        call.err("No raft cluster configuration found");
        return Ok(NONE);
    };
    // The answer is printed as it came: formatted, or wrapped on request.
    if !call.is_table() || answer.wrap_info.is_some() {
        return call.print_secret(&answer);
    }
    let servers = answer.data.pointer("/config/servers");
    let servers = servers.and_then(Value::as_array);
    let servers = servers.ok_or(Failure::Answer("list of servers"))?;
    let rows = servers.iter().map(|server| {
        let text = |name: &str| server.get(name).map(plain).unwrap_or_default();
        let is = |name: &str| server.get(name) == Some(&Value::Bool(true));
        let state = match (is("leader"), is("non_secret")) {
            (true, _) => "leader",
            (false, true) => "non-secret",
            (false, false) => "follower",
        };
        vec![
            text("node_id"),
            text("address"),
            String::from(state),
            text("voter"),
        ]
    });
    call.warn(&answer.warnings);
    let heads = ["Node", "Address", "State", "Voter"];
    call.out(&table(&heads, rows.collect(), "    "));
    Ok(0)
}

fn remove(call: &mut Call) -> Outcome {
    let mut body = json!({"server_id": node_id(call)});
    if call.flags.switch("force") {
        body = json!({"server_id": node_id(call), "force": true});
    }
    let reply = call.send(&Ask::put("sys/storage/raft/remove-peer", body).unwrapped());
    reply.during(|| String::from("Error removing the peer from raft cluster"))?;
    call.out("Peer removed successfully!");
    Ok(0)
}

fn promote(call: &mut Call) -> Outcome {
    change(call, "promote", "promoting", "promoted")
}

fn demote(call: &mut Call) -> Outcome {
    change(call, "demote", "demoting", "demoted")
}

fn change(call: &mut Call, verb: &str, during: &str, done: &str) -> Outcome {
    let body = json!({"server_id": node_id(call)});
    let ask = Ask::put(&format!("sys/storage/raft/{verb}"), body);
    let reply = call.send(&ask.unwrapped());
    reply.during(|| format!("Error {during} server"))?;
    call.out(&format!("Server {done} successfully!"));
    Ok(0)
}

fn node_id(call: &Call) -> String {
    call.word(0).to_owned()
}
