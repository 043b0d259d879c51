//! `kv`: secrets in mounts with and without versions.

mod delete;
mod get;
mod metadata;
mod mount;
mod patch;
mod put;
mod rollback;
mod versioning;

use crate::cli::verb::{Group, Node};

/// `kv`.
pub static KV: Group = Group {
    name: "kv",
    about: "Interact with the key-value storage",
    nodes: &[
        Node::Verb(&delete::DELETE),
        Node::Verb(&delete::DESTROY),
        Node::Verb(&versioning::ENABLE_VERSIONING),
        Node::Verb(&get::GET),
        Node::Verb(&get::LIST),
        Node::Group(&metadata::METADATA),
        Node::Verb(&patch::PATCH),
        Node::Verb(&put::PUT),
        Node::Verb(&rollback::ROLLBACK),
        Node::Verb(&delete::UNDELETE),
    ],
};
