//! The edge over real sockets: raw bytes in, raw bytes out, with a pretended node.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod bounds;
mod fake;
mod forwarding;
mod gate;
mod overdue;
mod pair;
mod sockets;
mod tls;
#[path = "../support/wait.rs"]
mod wait;
