//! `operator raft`: the members of the cluster and their store.

mod join;

use crate::cli::verb::{Group, Node};

/// `operator raft`.
pub static RAFT: Group = Group {
    name: "raft",
    about: "Interact with the cluster's raft storage",
    nodes: &[Node::Verb(&join::JOIN)],
};
