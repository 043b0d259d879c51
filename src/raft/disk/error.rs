//! Errors of opening a data directory.

use super::log_error::LogError;
use crate::store::state::StateError;
use std::io;
use std::path::{Path, PathBuf};

/// A reason for which the storage does not open. Nothing was changed in any of these cases.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operator's: another process uses the directory. Stop it, or give this one its own path.
    #[error(
        "data directory {0} is in use by another process: stop that one first, or set another \
         storage path"
    )]
    Locked(PathBuf),
    /// The operator's: the directory belongs to something else. Give another path, or empty it.
    #[error(
        "data directory {path} holds {found}, which is not coffer's: set another storage path, or \
         empty the directory if its contents are not needed"
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// One thing in it.
        found: String,
    },
    /// The operator's: written by another version. Run that one.
    #[error("{path} has data format {version}, which this version does not know")]
    Version {
        /// The file that tells.
        path: PathBuf,
        /// Its format.
        version: u64,
    },
    /// Fatal: the directory is damaged. Restore a snapshot into an empty one.
    #[error(
        "damaged data directory: {0}; nothing was changed. Restore a snapshot into an empty one"
    )]
    Damaged(String),
    /// The operator's: there is nothing to recover. Give the path of a node that was in a cluster.
    #[error("{0} holds no node's data: there is nothing to recover")]
    Unused(PathBuf),
    /// The operator's: the file that names who is left of the cluster. Correct or remove it.
    #[error("{path}: {reason}; nothing was changed. Correct the file, or remove it")]
    PeersFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operator's: the disk is full. Free some space.
    #[error("no space left on the device of {0}: free some space and start again")]
    DiskFull(PathBuf),
    /// The operator's: the directory cannot be written.
    #[error("data directory {0} cannot be written: {1}; make it writable for this user")]
    ReadOnly(PathBuf, io::ErrorKind),
    /// Fatal: the log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Fatal: the state.
    #[error("state in {path}: {source}")]
    State {
        /// Its directory.
        path: PathBuf,
        /// What failed.
        source: StateError,
    },
    /// The operating system failed.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Fatal: openraft refused what log and state say.
    #[error("raft: {0}")]
    Raft(String),
}

impl OpenError {
    /// Makes the error for `what` on `path`.
    pub(in crate::raft) fn io(
        what: &'static str,
        path: &Path,
    ) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull => Self::DiskFull(path.clone()),
            kind @ (io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied) => {
                Self::ReadOnly(path.clone(), kind)
            }
            _ => Self::Io {
                what,
                path: path.clone(),
                source,
            },
        }
    }

    /// Sorts a log's error.
    pub(in crate::raft) fn log(error: LogError) -> Self {
        match error {
            LogError::Io { what, file, source } => Self::io(what, &file)(source),
            error => Self::Log(error),
        }
    }

    /// Sorts a state's error.
    pub(in crate::raft) fn state(path: &Path, source: StateError) -> Self {
        match &source {
            StateError::DiskFull => Self::DiskFull(path.to_path_buf()),
            _ => Self::State {
                path: path.to_path_buf(),
                source,
            },
        }
    }
}
