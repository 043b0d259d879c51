//! Errors of the log.

use crate::raft::wire::record::WireError;
use std::io;
use std::path::PathBuf;

/// A reason for which the log is not opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Fatal: acknowledged writes are gone. Restore a snapshot, or wipe the data directory and
    /// join the cluster anew; the files are left as they are for inspection.
    #[error(
        "the log is damaged: {what} in {file} at byte {offset}, and later writes are intact, so \
         acknowledged writes were lost; nothing was changed. Restore a snapshot into an empty \
         data directory, or empty it and join the cluster again"
    )]
    Damaged {
        /// What was found.
        what: &'static str,
        /// Where.
        file: PathBuf,
        /// Where in it.
        offset: u64,
    },
    /// Fatal: files of the log are missing or unreadable from their start.
    #[error(
        "the log is damaged: {0}; nothing was changed. Restore a snapshot into an empty data \
         directory, or empty it and join the cluster again"
    )]
    Incomplete(String),
    /// The operator's: written by a newer version. Run that one.
    #[error("log format {version} in {file} is not known to this version")]
    Version {
        /// The format.
        version: u8,
        /// Where.
        file: PathBuf,
    },
    /// Fatal: an entry that was read cannot be decoded.
    #[error("log entry: {0}")]
    Entry(#[from] WireError),
    /// Ours: an entry was let through that does not fit a segment.
    #[error("a group of entries does not fit its segment")]
    GroupTooLarge,
    /// Fatal: a group that was written once does not read back.
    #[error("a group of the log no longer reads back")]
    Unreadable,
    /// Fatal, except while opening: the operating system failed.
    #[error("{what} {file}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Fatal: an earlier write failed and nothing is written any more.
    #[error("the log stopped after an error: {0}")]
    Poisoned(String),
}

impl LogError {
    /// The operating system's error, when that is what failed.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}

impl From<LogError> for io::Error {
    fn from(error: LogError) -> Self {
        let kind = error.io_kind().unwrap_or(io::ErrorKind::Other);
        io::Error::new(kind, error)
    }
}
