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
        /// The kind of damage.
        what: &'static str,
        /// The damaged segment.
        file: PathBuf,
        /// The place in that segment, in bytes.
        offset: u64,
    },
    /// Fatal: files of the log are missing or unreadable from their start.
    #[error(
        "the log is damaged: {0}; nothing was changed. Restore a snapshot into an empty data \
         directory, or empty it and join the cluster again"
    )]
    Incomplete(String),
    /// The operator's fault: a newer version wrote the log. Run that version.
    #[error("log format {version} in {file} is not known to this version")]
    Version {
        /// The version of the format.
        version: u8,
        /// The segment.
        file: PathBuf,
    },
    /// Fatal: an entry that was read cannot be decoded.
    #[error("log entry: {0}")]
    Entry(#[from] WireError),
    /// A fault of this program: it let an entry through that does not fit a segment.
    #[error("a group of entries does not fit its segment")]
    GroupTooLarge,
    /// Fatal: a group that was written does not read back.
    #[error("a group of the log no longer reads back")]
    Unreadable,
    /// Fatal, except while opening: the operating system failed.
    #[error("{what} {file}: {source}")]
    Io {
        /// The operation that failed, as a verb.
        what: &'static str,
        /// The file or directory that it was tried on.
        file: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// Fatal: an earlier write failed, and nothing is written any more.
    #[error("the log stopped after an error: {0}")]
    Poisoned(String),
}

impl LogError {
    /// Returns the kind of the operating system's error; `None` for any other failure.
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
