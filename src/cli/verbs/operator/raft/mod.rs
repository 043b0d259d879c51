//! `operator raft`: the members of the cluster and their store.

mod autopilot;
mod join;
mod join_token;
mod peers;
mod snapshot;

use crate::cli::verb::{Group, VerbNode};

/// `operator raft`.
pub static RAFT: Group = Group {
    name: "raft",
    about: "Interact with the cluster's raft storage",
    nodes: &[
        VerbNode::Group(&autopilot::AUTOPILOT),
        VerbNode::Verb(&peers::DEMOTE),
        VerbNode::Verb(&join::JOIN),
        VerbNode::Verb(&join_token::JOIN_TOKEN),
        VerbNode::Verb(&peers::LIST_PEERS),
        VerbNode::Verb(&peers::PROMOTE),
        VerbNode::Verb(&peers::REMOVE_PEER),
        VerbNode::Group(&snapshot::SNAPSHOT),
    ],
};
