//! Why the network between members cannot be used at all.

use std::io;
use std::path::{Path, PathBuf};

/// What keeps a node from having an identity or a cluster listener.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The operator's: whoever read the key may speak as this node. If that can have happened,
    /// remove the peer and join anew; if not, mend the mode.
    #[error(
        "{path} may be read by others (mode {mode:04o}): run chmod 600 {path}, and if somebody \
         may have copied it, remove this peer from the cluster and let it join with a new key"
    )]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The operator's: the key is gone. The other members know this node by it.
    #[error(
        "{0} is damaged or is no Ed25519 key: restore the file, or run `operator raft \
         remove-peer` for this node on another one and let it join again with an empty data \
         directory"
    )]
    Damaged(PathBuf),
    /// The operator's: the disk, or a permission.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The operator's: the name of `cluster_address` is not known, or names no port.
    #[error("cluster address '{address}' cannot be resolved: {source}")]
    Resolve {
        /// As configured.
        address: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The operator's: taken by another process, or not an address of this machine.
    #[error("cannot listen on cluster address '{address}': {source}")]
    Listen {
        /// As configured.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The caller's: it was shut down.
    #[error("the network between members is shut down")]
    ShutDown,
}

impl PeerError {
    pub(super) fn io<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Self + 'a {
        move |source| Self::File {
            action,
            path: path.to_path_buf(),
            source,
        }
    }
}
