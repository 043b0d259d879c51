//! Errors that keep a node from using the network between members.

use std::io;
use std::path::{Path, PathBuf};

/// The reason for which a node has no identity or no cluster listener.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The operator's fault: other users may read the key, and its readers may speak as this node.
    /// If that can have happened, remove the peer and join anew; if not, correct the mode.
    #[error(
        "{path} may be read by others (mode {mode:04o}): run chmod 600 {path}, and if somebody \
         may have copied it, remove this peer from the cluster and let it join with a new key"
    )]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// The file's permissions.
        mode: u32,
    },
    /// The operator's fault: the key is gone. The other members know this node by it.
    #[error(
        "{0} is damaged or is no Ed25519 key: restore the file, or run `operator raft \
         remove-peer` for this node on another one and let it join again with an empty data \
         directory"
    )]
    Damaged(PathBuf),
    /// The operator's fault: the disk, or a permission.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// The operation that failed, as a verb.
        action: &'static str,
        /// The file or directory that it was tried on.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The operator's fault: the name of `cluster_address` is not known, or names no port.
    #[error("cluster address '{address}' cannot be resolved: {source}")]
    Resolve {
        /// The address as configured.
        address: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// The operator's fault: the address is taken by another process, or is not one of this
    /// machine.
    #[error("cannot listen on cluster address '{address}': {source}")]
    Listen {
        /// The address as configured.
        address: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// The caller's fault: the network was shut down.
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
