//! The edge over real sockets: raw bytes in, raw bytes out, with a node that is only pretended.

mod bounds;
mod fake;
mod gate;
mod sockets;
mod tls;
