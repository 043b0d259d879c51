//! `kv enable-versioning`.

use serde_json::json;

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Outcome};
use crate::cli::verb::{Arity, SharedFlags, Verb};

use super::super::mount_path;

/// `kv enable-versioning`.
pub static ENABLE_VERSIONING: Verb = Verb {
    name: "enable-versioning",
    about: "Turns on versioning for a KV store",
    usage: "PATH",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Http,
    run,
};

fn run(call: &mut Call) -> Outcome {
    let mount = mount_path(call.word(0));
    let body = json!({"options": {"version": "2"}});
    let reply = call.send(&Ask::post(&format!("sys/mounts/{mount}tune"), body));
    reply.during(|| format!("Error tuning secrets engine {mount}"))?;
    call.succeed(&format!("Tuned the secrets engine at: {mount}"))
}
