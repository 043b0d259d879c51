//! A body in pieces: what comes in from a client, goes out to one, or travels between members.
//!
//! Every room that passes a body on names this type, so that none of them has to know the room
//! that the body comes from.

use bytes::Bytes;
use futures_util::Stream;
use std::io;
use std::pin::Pin;

/// The pieces as they come. An error ends them: the body was cut short.
pub type Chunks = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;
