//! `operator`: the verbs for operators of a cluster.

mod diagnose;
mod generate_root;
mod init;
mod keyring;
mod members;
mod raft;
mod seal;
mod wear;

use crate::cli::verb::{Group, VerbNode};

/// `operator`.
pub static OPERATOR: Group = Group {
    name: "operator",
    about: "Perform operator-specific tasks",
    nodes: &[
        VerbNode::Verb(&diagnose::DIAGNOSE),
        VerbNode::Verb(&generate_root::GENERATE_ROOT),
        VerbNode::Verb(&init::INIT),
        VerbNode::Verb(&keyring::KEY_STATUS),
        VerbNode::Verb(&members::MEMBERS),
        VerbNode::Group(&raft::RAFT),
        VerbNode::Verb(&keyring::ROTATE),
        VerbNode::Verb(&seal::SEAL),
        VerbNode::Verb(&seal::STEP_DOWN),
        VerbNode::Verb(&seal::UNSEAL),
        VerbNode::Verb(&wear::WEAR),
    ],
};
