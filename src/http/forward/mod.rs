//! Requests that travel between nodes: a standby sends them, the active node takes them.
//!
//! A standby sends the request as its client sent it (method, target, headers, body) together with
//! whom it came from (address, client certificates). The active node puts it through the same
//! steps as one from its own sockets, so tokens, policies, limits and audit see the client and not
//! the standby. How it came is a property of the way it was handed in, never of a header: what a
//! client writes into its headers can neither pass for a forwarded request nor send one in circles.

mod entry;
mod forwarder;
mod message;

pub use entry::{Entry, Wrap};
pub use forwarder::{ForwardError, Forwarder};
pub use message::{ForwardAnswer, ForwardRequest, HEAD_BYTES_MAX, MessageError};
