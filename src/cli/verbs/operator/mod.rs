//! `operator`: the verbs for operators of a cluster.

mod diagnose;
mod drill;
mod generate_root;
mod init;
mod keyring;
mod members;
mod new_keys;
mod raft;
mod rekey;
mod seal;
mod seal_key;
mod wear;

use crate::cli::verb::{Group, VerbNode};

/// `operator`.
pub static OPERATOR: Group = Group {
    name: "operator",
    about: "Perform operator-specific tasks",
    nodes: &[
        VerbNode::Verb(&diagnose::DIAGNOSE),
        VerbNode::Verb(&drill::DRILL),
        VerbNode::Verb(&generate_root::GENERATE_ROOT),
        VerbNode::Verb(&init::INIT),
        VerbNode::Verb(&keyring::KEY_STATUS),
        VerbNode::Verb(&members::MEMBERS),
        VerbNode::Group(&raft::RAFT),
        VerbNode::Verb(&rekey::REKEY),
        VerbNode::Verb(&keyring::ROTATE),
        VerbNode::Verb(&seal::SEAL),
        VerbNode::Verb(&seal_key::SEAL_KEY),
        VerbNode::Verb(&seal::STEP_DOWN),
        VerbNode::Verb(&seal::UNSEAL),
        VerbNode::Verb(&wear::WEAR),
    ],
};
