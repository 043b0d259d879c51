//! Requests that travel between nodes: a standby sends them, the active node takes them.
//!
//! A standby sends the request as its client sent it (method, target, headers, body) together with
//! the client's address and certificates. The active node puts it through the same steps as a
//! request from its own sockets, so tokens, policies, limits and audit see the client and not the
//! standby. The call that hands a request in marks it as forwarded, never a header: no header of a
//! client can make its request pass for a forwarded one or send it in circles.

mod entry;
mod forwarder;
mod message;

pub use entry::{ForwardEntry, Wrap};
pub use forwarder::{ForwardError, Forwarder};
pub use message::{ForwardAnswer, ForwardRequest, HEAD_BYTES_MAX, MessageError};
