//! `kv`: secrets in mounts with and without versions.

mod delete;
mod get;
mod metadata;
mod mount;
mod patch;
mod put;
mod rollback;
mod versioning;

use crate::cli::verb::{Group, VerbNode};

/// `kv`.
pub static KV: Group = Group {
    name: "kv",
    about: "Interact with the key-value storage",
    nodes: &[
        VerbNode::Verb(&delete::DELETE),
        VerbNode::Verb(&delete::DESTROY),
        VerbNode::Verb(&versioning::ENABLE_VERSIONING),
        VerbNode::Verb(&get::GET),
        VerbNode::Verb(&get::LIST),
        VerbNode::Group(&metadata::METADATA),
        VerbNode::Verb(&patch::PATCH),
        VerbNode::Verb(&put::PUT),
        VerbNode::Verb(&rollback::ROLLBACK),
        VerbNode::Verb(&delete::UNDELETE),
    ],
};
