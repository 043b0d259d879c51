//! The client's side of HTTP, for whoever asks another server: the verbs of the command line, and a
//! node that wants to join. One exchange over a fresh connection: TCP, TLS or a unix socket.
//!
//! It bounds what it reads. It goes through a proxy only where the caller names one, and repeats no
//! proxy's credentials. It keeps no connection, follows no redirect and tries nothing twice: that
//! is the caller's.

mod address;
mod connect;
mod error;
mod proxy;
mod stream;
mod tls;
mod tunnel;

#[cfg(test)]
mod tests;

pub use address::{Address, Route};
pub use connect::{Answer, Dialer, RequestBody, collect, whole};
pub use error::SetupError;
pub use proxy::{Exceptions, Proxies, Proxy, ProxyError};
pub use stream::{AnyStream, Stream};
pub use tls::{Pem, TlsOptions, config as tls_config};
