//! `operator`: the verbs for operators of a cluster.

mod generate_root;
mod init;
mod keyring;
mod members;
mod raft;
mod seal;

use crate::cli::verb::{Group, Node};

/// `operator`.
pub static OPERATOR: Group = Group {
    name: "operator",
    about: "Perform operator-specific tasks",
    nodes: &[
        Node::Verb(&generate_root::GENERATE_ROOT),
        Node::Verb(&init::INIT),
        Node::Verb(&keyring::KEY_STATUS),
        Node::Verb(&members::MEMBERS),
        Node::Group(&raft::RAFT),
        Node::Verb(&keyring::ROTATE),
        Node::Verb(&seal::SEAL),
        Node::Verb(&seal::STEP_DOWN),
        Node::Verb(&seal::UNSEAL),
    ],
};
