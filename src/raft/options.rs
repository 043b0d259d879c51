//! How the storage is opened.

use crate::store::state::Limits;
use std::path::PathBuf;

/// Where it is and who this node is; the rest has defaults.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory; made when it is absent.
    pub path: PathBuf,
    /// The operator's name for this node.
    pub node_id: String,
    /// Where peers reach this node.
    pub cluster_address: String,
    /// Size of a segment of the log.
    pub segment_bytes: usize,
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
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            limits: Limits::default(),
        }
    }
}
