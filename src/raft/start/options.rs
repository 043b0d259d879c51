//! Options of opening the storage.

use crate::memory::{self, Sizes};
use crate::peer::{Network, PublicKey};
use crate::raft::disk::device::Device;
use crate::raft::timing::Timing;
use crate::raft::wire::types::Peer;
use crate::store::space::Volume;
use crate::store::state::Limits;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Options of opening the storage. [`Options::new`] takes the directory and the node's name, and
/// sets the rest to defaults.
#[derive(Clone)]
pub struct Options {
    /// The data directory; made when it is absent.
    pub path: PathBuf,
    /// The operator's name for this node.
    pub node_id: String,
    /// The address at which peers reach this node.
    pub cluster_address: String,
    /// The address at which clients reach this node.
    pub api_address: String,
    /// This node's identity.
    pub public_key: PublicKey,
    /// The network to the peers; without one the node stays alone.
    pub network: Option<Arc<dyn Network>>,
    /// The times that set how fast a lost leader is noticed.
    pub timing: Timing,
    /// This host's name, for lists.
    pub hostname: String,
    /// The size of a segment of the log, in bytes.
    pub segment_bytes: usize,
    /// Bytes of the log that are kept after a checkpoint for followers that were away; none while
    /// the disk is full, or where there is no follower.
    pub log_bytes_kept: usize,
    /// A test's device in place of the sound one.
    pub device: Option<Arc<dyn Device>>,
    /// A test's account of the space in place of the system's.
    pub volume: Option<Arc<dyn Volume>>,
    /// The limits from which a checkpoint is due.
    pub limits: Limits,
    /// The sizes of caches.
    pub memory: &'static Sizes,
}

/// The default size of a segment, which holds a group with the largest entry and stays small on a
/// card.
const SEGMENT_BYTES_DEFAULT: usize = 1280 << 10;
/// The default of [`Options::log_bytes_kept`]: with the entries until the next checkpoint, 10 MiB,
/// which is eight segments.
const LOG_BYTES_KEPT_DEFAULT: usize = 6 << 20;

impl Options {
    /// Returns the default options for a directory.
    pub fn new(path: impl Into<PathBuf>, node_id: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            node_id: node_id.into(),
            cluster_address: String::new(),
            device: None,
            volume: None,
            api_address: String::new(),
            public_key: PublicKey::default(),
            network: None,
            timing: Timing::default(),
            hostname: String::new(),
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            log_bytes_kept: LOG_BYTES_KEPT_DEFAULT,
            limits: Limits::default(),
            memory: &memory::DEFAULT,
        }
    }

    /// Returns this node's record as a member.
    pub(in crate::raft) fn peer(&self) -> Peer {
        Peer {
            name: self.node_id.clone(),
            cluster_address: self.cluster_address.clone(),
            public_key: self.public_key.0.to_vec(),
            api_address: self.api_address.clone(),
            non_voter: false,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("path", &self.path)
            .field("node_id", &self.node_id)
            .field("cluster_address", &self.cluster_address)
            .field("api_address", &self.api_address)
            .field("public_key", &self.public_key)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}
