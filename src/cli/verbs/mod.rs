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
use super::verb::Node;

pub use version::VERSION;

/// Every word that can be typed behind the program's name.
pub static NODES: &[Node] = &[
    Node::Group(&audit::AUDIT),
    Node::Group(&auth::AUTH),
    Node::Verb(&COMPLETION),
    Node::Verb(&logical::DELETE),
    Node::Group(&indicator::INDICATOR),
    Node::Group(&kv::KV),
    Node::Group(&lease::LEASE),
    Node::Verb(&logical::LIST),
    Node::Verb(&login::LOGIN),
    Node::Group(&operator::OPERATOR),
    Node::Verb(&logical::PATCH),
    Node::Verb(&path_help::PATH_HELP),
    Node::Group(&policy::POLICY),
    Node::Group(&print::PRINT),
    Node::Verb(&logical::READ),
    Node::Group(&secrets::SECRETS),
    Node::Verb(&server_flags::SERVER),
    Node::Verb(&status::STATUS),
    Node::Group(&token::TOKEN),
    Node::Verb(&unwrap::UNWRAP),
    Node::Verb(&VERSION),
    Node::Verb(&version::VERSION_HISTORY),
    Node::Verb(&logical::WRITE),
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
