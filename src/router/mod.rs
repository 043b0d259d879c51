//! The way every logical request takes: token, policy, audit, mount, engine, barrier, audit.
//!
//! Owns the mount match, the authorization gate, response wrapping and the use of limited tokens.
//!
//! Invariants
//! - An engine is called only with a request that `policy` authorized.
//! - A request is audited before an engine sees it, and its response before the client does.
//! - Whatever a request changes (engine, token use, lease, wrapping) is one batch, one log entry.

mod incoming;
mod role;

pub use incoming::{Incoming, Reply};
pub use role::{Leader, Role};

/// Routes requests while the node is unsealed.
pub struct Router {}

impl Router {
    /// Answers one request.
    pub async fn handle(&self, incoming: Incoming) -> Reply {
        Reply {
            request_id: incoming.id,
            mount_type: String::new(),
            result: Err(crate::engine::Error::not_found()),
        }
    }
}
