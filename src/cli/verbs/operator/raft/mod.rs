//! `operator raft`: the members of the cluster and their store.

mod autopilot;
mod join;
mod peers;
mod snapshot;

use crate::cli::verb::{Group, Node};

/// `operator raft`.
pub static RAFT: Group = Group {
    name: "raft",
    about: "Interact with the cluster's raft storage",
    nodes: &[
        Node::Group(&autopilot::AUTOPILOT),
        Node::Verb(&peers::DEMOTE),
        Node::Verb(&join::JOIN),
        Node::Verb(&peers::LIST_PEERS),
        Node::Verb(&peers::PROMOTE),
        Node::Verb(&peers::REMOVE_PEER),
        Node::Group(&snapshot::SNAPSHOT),
    ],
};
