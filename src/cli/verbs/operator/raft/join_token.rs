//! `operator raft join-token`.

use serde_json::json;

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{pairs, plain};
use crate::cli::verb::{Arity, FlagKind, SharedFlags, Verb, flag};

/// `operator raft join-token`.
pub static JOIN_TOKEN: Verb = Verb {
    name: "join-token",
    about: "Makes a token with which one node joins that is never unsealed",
    usage: "-non-secret",
    arity: Arity::exactly(0),
    flags: &[
        flag(
            "non-secret",
            FlagKind::Switch,
            "For a voter that keeps ciphertext and never has the keys. Must be given: a node that \
             is to have the keys joins with them.",
        ),
        flag(
            "ttl",
            FlagKind::Text,
            "The token's life, such as 5m; at most an hour. The default is ten minutes.",
        ),
    ],
    shared: SharedFlags::Format,
    run,
};

fn run(call: &mut Call) -> Outcome {
    if !call.flags.switch("non-secret") {
        return Err(Failure::usage(String::from(
            "-non-secret is needed: a node that is to have the keys joins with them, without a \
             token",
        )));
    }
    let mut body = json!({"non_secret": true});
    if let Some(ttl) = call.flags.text("ttl") {
        body = json!({"non_secret": true, "ttl": ttl});
    }
    let made = call.read(&Ask::put("sys/storage/raft/join-token", body));
    let made = made.during(|| String::from("Error making the join token"))?;
    let made = made.ok_or(Failure::Answer("join token"))?;
    if !call.is_table() || made.wrap_info.is_some() {
        return call.print_secret(&made);
    }
    let text = |name: &str| made.data.get(name).map(plain).unwrap_or_default();
    call.warn(&made.warnings);
    call.out(&pairs(vec![
        (String::from("Join Token"), text("join_token")),
        (String::from("Expires At"), text("expires_at")),
    ]));
    Ok(0)
}
