//! Finds other servers of a cluster without a list of them, by multicast DNS.
//!
//! Owns the meaning of `auto_join` ([`AutoJoin`]), the search, and the announcement of this node
//! ([`Announcer`]): its API's port and scheme, and the id of its cluster.
//!
//! Invariants
//! - A server that is found is a hint: an address to ask, of a sender that may be anyone. The
//!   joiner finds out whether that is the cluster, and trusts no server that does not hold its
//!   unseal keys.
//! - Nothing runs between searches. An announcer only answers.
//!
//! It never connects to the servers that it finds, and knows neither tokens nor keys.

mod announce;
mod auto_join;
mod mdns;

pub use announce::{Announcement, Announcer};
pub use auto_join::{AutoJoin, Mdns};
pub use mdns::Found;

/// The reason for which nothing can be searched for or announced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The operator's fault: the text names the remedy.
    #[error("{0}")]
    Invalid(String),
    /// Not now: this machine's network refuses multicast DNS. Check its interfaces.
    #[error("multicast DNS: {0}")]
    Mdns(String),
}
