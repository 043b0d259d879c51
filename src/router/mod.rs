//! The way every logical request takes: token, policy, audit, mount, engine, barrier, audit.
//!
//! Owns the mount match, the authorization gate, response wrapping and the use of limited tokens.
//!
//! Invariants
//! - An engine is called only with a request that `policy` authorized.
//! - A request is audited before an engine sees it, and its response before the client does.
//! - Whatever a request changes (engine, token use, login, lease, wrapping) is one batch, one log
//!   entry.
//! - A lease is revoked by one task of the active node at a time, and again only where nobody knows
//!   how that ended.
//! - A request without a good token learns nothing, not even whether its path exists.
//!
//! A conflict (a record changed between read and commit) has the whole request answered anew;
//! it is audited once.

mod audited;
mod call;
mod contention;
mod envelope;
mod flights;
mod grants;
mod incoming;
mod readings;
mod revoker;
mod revoking;
mod role;
#[expect(
    clippy::module_inception,
    reason = "the room's main type names its file"
)]
mod router;
mod routes;
mod standby;
mod steps;
mod sweeper;
mod wrapping;

pub use flights::{Flights, InFlight};
pub use incoming::{Incoming, OnStandby, Reply};
pub use readings::Counts;
pub use revoker::{AT_ONCE_MAX, Closed, Revoker};
pub use role::{Leader, Phase, Role};
pub use router::{Acquaintance, Parts, Router};
pub use routes::Lifetimes;
