//! Finding other servers of a cluster without a list of them: multicast DNS.
//!
//! Owns what `auto_join` means ([`AutoJoin`]), the search, and the announcement of this node
//! ([`Announcer`]): its API's port and scheme, and the id of its cluster.
//!
//! Invariants
//! - What is found is a hint: an address to ask, by someone who might be anyone. Whether that is
//!   the cluster is for the joiner to find out, who trusts nobody that does not hold its unseal
//!   keys.
//! - Nothing runs between searches. An announcer only answers.
//!
//! It never connects to what it finds, and knows neither tokens nor keys.

mod announce;
mod auto_join;
mod mdns;

pub use announce::{Announcement, Announcer};
pub use auto_join::{AutoJoin, Mdns};
pub use mdns::Found;

/// Why nothing can be searched for or announced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The operator's: the text says what to write instead.
    #[error("{0}")]
    Invalid(String),
    /// Not now: the network of this machine does not let us. Look at its interfaces.
    #[error("multicast DNS: {0}")]
    Mdns(String),
}
