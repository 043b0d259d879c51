//! The verbs, one file per family. Each file holds its part of the table and the functions of its
//! verbs.

mod audit;
mod auth;
mod indicator;
mod kv;
mod lease;
mod logical;
mod login;
mod mount_flags;
mod operator;
mod path_help;
mod policy;
mod policy_format;
mod print;
mod secrets;
mod server_flags;
mod status;
mod token;
mod unwrap;
mod version;

use super::completion::COMPLETION;
use super::verb::VerbNode;

pub use version::VERSION;

/// Every word that can be typed behind the program's name.
pub static NODES: &[VerbNode] = &[
    VerbNode::Group(&audit::AUDIT),
    VerbNode::Group(&auth::AUTH),
    VerbNode::Verb(&COMPLETION),
    VerbNode::Verb(&logical::DELETE),
    VerbNode::Group(&indicator::INDICATOR),
    VerbNode::Group(&kv::KV),
    VerbNode::Group(&lease::LEASE),
    VerbNode::Verb(&logical::LIST),
    VerbNode::Verb(&login::LOGIN),
    VerbNode::Group(&operator::OPERATOR),
    VerbNode::Verb(&logical::PATCH),
    VerbNode::Verb(&path_help::PATH_HELP),
    VerbNode::Group(&policy::POLICY),
    VerbNode::Group(&print::PRINT),
    VerbNode::Verb(&logical::READ),
    VerbNode::Group(&secrets::SECRETS),
    VerbNode::Verb(&server_flags::SERVER),
    VerbNode::Verb(&status::STATUS),
    VerbNode::Group(&token::TOKEN),
    VerbNode::Verb(&unwrap::UNWRAP),
    VerbNode::Verb(&VERSION),
    VerbNode::Verb(&version::VERSION_HISTORY),
    VerbNode::Verb(&logical::WRITE),
];

/// Removes slashes at both ends of a path. A blank there is part of a name: without it the path is
/// a neighbour's.
fn trimmed(path: &str) -> String {
    path.trim_matches('/').to_owned()
}

/// Returns a mount's path with one slash, at the end.
fn mount_path(path: &str) -> String {
    format!("{}/", trimmed(path))
}
