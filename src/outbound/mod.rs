//! The one client of other servers that speak HTTP: for the verbs of the command line, for a node
//! that joins, and for seals, auth methods and engines that ask another server.
//!
//! Owns the way to a server (TCP, TLS, a unix socket, a proxy in between) and one exchange over it.
//!
//! Invariants
//! - Every exchange has [`Limits`]; no answer is read beyond them.
//! - TLS trusts the authorities that the caller names, and those of the system only where it names
//!   none. A server at `https://` is never spoken to in the clear, nor left for one that is.
//! - No redirect is followed unless the caller asks for it.
//! - A proxy stands in between only where the caller says so, and no message repeats its
//!   credentials.
//!
//! It keeps no connection and tries nothing twice. It does not know the meaning of a request:
//! paths, tokens and JSON are the caller's.

mod address;
mod client;
mod connect;
mod environment;
mod error;
mod proxy;
mod redirect;
mod stream;
mod tls;
mod tunnel;

#[cfg(test)]
mod tests;

pub use address::{Address, Route};
pub use client::{Answer, Client, Limits, Opened, Options};
pub use connect::{RequestBody, whole};
pub use environment::VariableError;
pub use error::{ExchangeError, SetupError};
pub use proxy::{Exceptions, Proxies, Proxy, ProxyError};
pub use stream::{AnyStream, Stream};
pub use tls::{Pem, TlsOptions};
