//! The type of a body in pieces: from a client, to a client, or between members.
//!
//! Every room that passes a body on names this type, so that none of them has to know the room of
//! its origin.

use bytes::Bytes;
use futures_util::Stream;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

/// The pieces in the order in which they come. An error ends them: the body was cut short.
pub type Chunks = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A body that is taken once, by whatever the request is for; empty where none came.
/// Clones share it.
#[derive(Clone, Default)]
pub struct Upload(Option<Arc<Mutex<Option<Chunks>>>>);

impl Upload {
    /// Holds `chunks` until they are taken.
    pub fn new(chunks: Option<Chunks>) -> Self {
        Self(chunks.map(|chunks| Arc::new(Mutex::new(Some(chunks)))))
    }

    /// Takes the body out; `None` where none came or it was taken before.
    pub fn take(&self) -> Option<Chunks> {
        let held = self.0.as_ref()?.lock();
        held.unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Upload")
    }
}
