//! The kinds of records and the places where they are kept, for `sys/raw`.

use super::rekey;
use crate::barrier::Codec;
use crate::engine::kv;
use crate::{audit, auth, lease, mount, policy, token};

/// Returns the kind of the record at `path`; `None` where only its owner knows.
pub(in crate::sys) fn kind(path: &str) -> Option<Codec> {
    let (top, rest) = path.split_once('/')?;
    let (room, below) = rest.split_once('/').unwrap_or((rest, ""));
    match (top, room) {
        ("sys", "policy") => Some(policy::CODEC),
        ("sys", "token") => token::codec(below),
        ("sys", "lease") => lease::codec(below),
        ("core", name) if below.is_empty() => {
            let other = || audit::codec(name).or_else(|| rekey::codec(name));
            mount::codec(name).or_else(other)
        }
        // The name below these is a mount's, and its engine is not asked: both that there are
        // keep their data in one way.
        ("logical", _) => Some(kv::codec(below)),
        ("auth", _) => auth::token::codec(below),
        _ => None,
    }
}
