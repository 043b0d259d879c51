//! Errors of opening a data directory.

use super::log_error::LogError;
use crate::store::state::StateError;
use std::io;
use std::path::{Path, PathBuf};

/// A reason for which the storage does not open. Nothing was changed in any of these cases.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operator's fault: another process uses the directory. Stop it, or give this node its own
    /// path.
    #[error(
        "data directory {0} is in use by another process: stop that one first, or set another \
         storage path"
    )]
    Locked(PathBuf),
    /// The operator's fault: the directory belongs to something else. Give another path, or empty
    /// it.
    #[error(
        "data directory {path} holds {found}, which is not coffer's: set another storage path, or \
         empty the directory if its contents are not needed"
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// A file in it that is not coffer's.
        found: String,
    },
    /// The operator's fault: another version wrote the directory. Run that version.
    #[error("{path} has data format {version}, which this version does not know")]
    Version {
        /// The file that names the format.
        path: PathBuf,
        /// The format's version.
        version: u64,
    },
    /// Fatal: the directory is damaged. Restore a snapshot into an empty one.
    #[error(
        "damaged data directory: {0}; nothing was changed. Restore a snapshot into an empty one"
    )]
    Damaged(String),
    /// The operator's fault: there is nothing to recover. Give the path of a node that was in a
    /// cluster.
    #[error("{0} holds no node's data: there is nothing to recover")]
    Unused(PathBuf),
    /// The operator's fault: the file that lists the remaining members cannot be followed. Correct
    /// or remove it.
    #[error("{path}: {reason}; nothing was changed. Correct the file, or remove it")]
    PeersFile {
        /// The file.
        path: PathBuf,
        /// The reason why it cannot be followed.
        reason: String,
    },
    /// The operator's fault: the disk is full. Free some space.
    #[error("no space left on the device of {0}: free some space and start again")]
    DiskFull(PathBuf),
    /// The operator's fault: the directory cannot be written.
    #[error("data directory {0} cannot be written: {1}; make it writable for this user")]
    ReadOnly(PathBuf, io::ErrorKind),
    /// Fatal: the log cannot be opened.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Fatal: the state cannot be opened.
    #[error("state in {path}: {source}")]
    State {
        /// The state's directory.
        path: PathBuf,
        /// The state's error.
        source: StateError,
    },
    /// The operating system failed.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// The operation that failed, as a verb.
        what: &'static str,
        /// The file or directory that it was tried on.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// Fatal: openraft refused the contents of log and state.
    #[error("raft: {0}")]
    Raft(String),
}

impl OpenError {
    /// Returns a function that makes an [`OpenError`] of the system's, for `what` done to `path`.
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

    /// Makes an [`OpenError`] of a log's error.
    pub(in crate::raft) fn log(error: LogError) -> Self {
        match error {
            LogError::Io { what, file, source } => Self::io(what, &file)(source),
            error => Self::Log(error),
        }
    }

    /// Makes an [`OpenError`] of a state's error.
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
