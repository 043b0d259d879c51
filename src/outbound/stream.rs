//! The byte streams of connections, over any transport.

use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes in and out: of TCP, of a unix socket, or of TLS over one of them.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Any stream, as one type: the code that speaks HTTP is large, and would be compiled for each.
pub type AnyStream = Box<dyn Stream>;
