//! `operator raft snapshot`: the whole state as a file.

mod inspect;
mod restore;
mod save;

use crate::cli::verb::{Group, VerbNode};

/// `operator raft snapshot`.
pub static SNAPSHOT: Group = Group {
    name: "snapshot",
    about: "Saves, inspects and restores snapshots of the whole cluster",
    nodes: &[
        VerbNode::Verb(&inspect::INSPECT),
        VerbNode::Verb(&restore::RESTORE),
        VerbNode::Verb(&save::SAVE),
    ],
};
