//! `operator raft snapshot restore`.

use std::fs::File;

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::verb::{Arity, FlagKind, SharedFlags, Verb, flag};

/// `operator raft snapshot restore`.
pub static RESTORE: Verb = Verb {
    name: "restore",
    about: "Returns the cluster to the state that a snapshot holds",
    usage: "SNAPSHOT_FILE",
    arity: Arity::exactly(1),
    flags: &[flag(
        "force",
        FlagKind::Switch,
        "Restore also what another cluster saved. All nodes seal themselves then; that cluster's \
         unseal keys unseal them.",
    )],
    shared: SharedFlags::Http,
    run,
};

fn run(call: &mut Call) -> Outcome {
    let name = call.word(0).to_owned();
    if name.is_empty() {
        return Err(Failure::usage("Snapshot file name can't be empty"));
    }
    let file = File::open(&name).map_err(|error| {
        let reason = error.kind();
        Failure::Local(format!(
            "Error opening snapshot file: open {name}: {reason}"
        ))
    })?;
    let path = match call.flags.switch("force") {
        true => "sys/storage/raft/snapshot-force",
        false => "sys/storage/raft/snapshot",
    };
    let ask = Ask::new("POST", path).unwrapped();
    let restored = call.client()?.upload(&ask, &file);
    restored.during(|| "Error installing the snapshot".into())?;
    Ok(0)
}
