//! The HTTP client of the verbs: one request at a time over TCP, TLS or a unix socket.
//!
//! It follows one redirect, retries when told to, bounds what it reads, and can print a request
//! instead of sending it. It never uses a proxy, keeps no connection, and does not know verbs.

mod address;
mod ask;
mod connect;
mod error;
mod options;
mod preview;
mod reply;
mod send;
mod tls;

pub use ask::Ask;
pub use error::ClientError;
pub use options::{Options, Preview};
pub use reply::Reply;
pub use send::Client;
