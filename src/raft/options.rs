//! How the storage is opened.

use super::device::Device;
use crate::store::state::Limits;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where it is and who this node is; the rest has defaults.
#[derive(Clone)]
pub struct Options {
    /// The data directory; made when it is absent.
    pub path: PathBuf,
    /// The operator's name for this node.
    pub node_id: String,
    /// Where peers reach this node.
    pub cluster_address: String,
    /// Size of a segment of the log.
    pub segment_bytes: usize,
    /// A test's device in place of the sound one.
    pub device: Option<Arc<dyn Device>>,
    /// When a checkpoint is due.
    pub limits: Limits,
}

/// Holds a group with the largest entry and stays small on a card.
const SEGMENT_BYTES_DEFAULT: usize = 1280 << 10;

impl Options {
    /// The defaults for a directory.
    pub fn new(path: impl Into<PathBuf>, node_id: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            node_id: node_id.into(),
            cluster_address: String::new(),
            device: None,
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            limits: Limits::default(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("path", &self.path)
            .field("node_id", &self.node_id)
            .finish_non_exhaustive()
    }
}
