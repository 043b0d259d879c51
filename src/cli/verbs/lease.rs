//! `lease lookup|renew|revoke`.

use serde_json::json;

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::verb::{Arity, Flag, FlagKind, Group, SharedFlags, Verb, VerbNode, flag};

/// `lease`.
pub static LEASE: Group = Group {
    name: "lease",
    about: "Interact with leases",
    nodes: &[
        VerbNode::Verb(&LOOKUP),
        VerbNode::Verb(&RENEW),
        VerbNode::Verb(&REVOKE),
    ],
};

static LOOKUP: Verb = Verb {
    name: "lookup",
    about: "Lookup the lease of a secret",
    usage: "ID",
    arity: Arity::between(0, 1),
    flags: &[],
    shared: SharedFlags::Format,
    run: lookup,
};

static RENEW: Verb = Verb {
    name: "renew",
    about: "Renews the lease of a secret",
    usage: "ID",
    arity: Arity::between(0, 1),
    flags: &[Flag {
        name: "increment",
        alias: Some("i"),
        kind: FlagKind::Time,
        help: "How much time to ask for; the server may give less.",
    }],
    shared: SharedFlags::Format,
    run: renew,
};

static REVOKE: Verb = Verb {
    name: "revoke",
    about: "Revokes leases and secrets",
    usage: "ID",
    arity: Arity::exactly(1),
    flags: &[
        Flag {
            name: "force",
            alias: Some("f"),
            kind: FlagKind::Switch,
            help: "Forget the leases even when revoking fails. Needs -prefix.",
        },
        flag(
            "prefix",
            FlagKind::Switch,
            "Revoke every lease whose ID starts so.",
        ),
        flag("sync", FlagKind::Switch, "Wait until it is done."),
    ],
    shared: SharedFlags::Http,
    run: revoke,
};

fn id(call: &Call) -> Result<String, Failure> {
    match call.word(0) {
        "" => Err(Failure::usage("Missing ID!")),
        id => Ok(id.to_owned()),
    }
}

fn lookup(call: &mut Call) -> Outcome {
    let id = id(call)?;
    let answer = call.write(&Ask::put("sys/leases/lookup", json!({"lease_id": id})));
    let answer = answer.during(|| format!("error looking up lease id {id}"))?;
    call.print_secret(&answer.ok_or(Failure::Answer("lease"))?)
}

fn renew(call: &mut Call) -> Outcome {
    let id = id(call)?;
    let increment = call.flags.time("increment").unwrap_or_default().as_secs();
    let body = json!({"lease_id": id, "increment": increment});
    let answer = call.write(&Ask::put("sys/leases/renew", body));
    let answer = answer.during(|| format!("Error renewing {id}"))?;
    call.print_secret(&answer.ok_or(Failure::Answer("lease"))?)
}

fn revoke(call: &mut Call) -> Outcome {
    let id = call.word(0).trim_start_matches('/').to_owned();
    let (force, prefix) = (call.flags.switch("force"), call.flags.switch("prefix"));
    let sync = call.flags.switch("sync");
    if force && !prefix {
        let message = "Specifying -force requires also specifying -prefix";
        return Err(Failure::usage(message));
    }
    let kind = match (force, prefix) {
        (true, _) => "revoke-force",
        (false, true) => "revoke-prefix",
        (false, false) => "revoke",
    };
    if force {
        call.err(
            "Warning! Force-removing leases can cause Vault to become out of sync with\nsecret \
             engines!",
        );
    }
    let ask = Ask::put(&format!("sys/leases/{kind}/{id}"), json!({"sync": sync}));
    let during = match (force, prefix) {
        (true, _) => format!("Error force revoking leases with prefix {id}"),
        (false, true) => format!("Error revoking leases with prefix {id}"),
        (false, false) => format!("Error revoking lease {id}"),
    };
    call.send(&ask).during(|| during)?;
    match (force, prefix, sync) {
        (true, _, _) => call.succeed(&format!("Force revoked any leases with prefix: {id}")),
        (false, true, true) => call.succeed(&format!("Revoked any leases with prefix: {id}")),
        (false, false, true) => call.succeed(&format!("Revoked lease: {id}")),
        (false, _, false) => {
            call.out("All revocation operations queued successfully!");
            Ok(0)
        }
    }
}
