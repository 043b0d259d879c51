//! `operator raft snapshot`: the whole state as a file.

mod inspect;
mod restore;
mod save;

use crate::cli::verb::{Group, Node};

/// `operator raft snapshot`.
pub static SNAPSHOT: Group = Group {
    name: "snapshot",
    about: "Saves, inspects and restores snapshots of the whole cluster",
    nodes: &[
        Node::Verb(&inspect::INSPECT),
        Node::Verb(&restore::RESTORE),
        Node::Verb(&save::SAVE),
    ],
};
