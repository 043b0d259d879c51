//! The type of a body in pieces: from a client, to a client, or between members.
//!
//! Every room that passes a body on names this type, so that none of them has to know the room of
//! its origin.

use bytes::Bytes;
use futures_util::Stream;
use std::io;
use std::pin::Pin;

/// The pieces in the order in which they come. An error ends them: the body was cut short.
pub type Chunks = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;
