//! The whole state as a stream, for raft's snapshots.

use super::StateError;
use crate::store::{Key, Record};

/// One record of an [`Image`].
pub type ImageItem = Result<(Key, Record), StateError>;

/// Records in key order. Holds a read view of fjall, or the stream of a peer.
pub struct Image(Box<dyn Iterator<Item = ImageItem> + Send>);

impl Image {
    /// Makes an image of records that come in key order.
    pub fn new(items: impl Iterator<Item = ImageItem> + Send + 'static) -> Self {
        Self(Box::new(items))
    }
}

impl Iterator for Image {
    type Item = ImageItem;

    fn next(&mut self) -> Option<ImageItem> {
        self.0.next()
    }
}
