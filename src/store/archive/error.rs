//! Errors of an archive.

use std::io;

/// The reason for which an archive could not be written or read. A reader has changed nothing yet.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file or the stream failed, not its content.
    #[error("failed to read or write snapshot data: {0}")]
    Io(io::Error),
    /// The client's fault: the file ends early. Take it anew, or check whether it was copied whole.
    #[error("the snapshot is truncated: it ends in the middle of {0}")]
    Truncated(&'static str),
    /// The client's fault: not a snapshot at all, or damaged beyond reading.
    #[error("failed to decompress snapshot: {0}")]
    Compression(String),
    /// The client's fault: no archive of a snapshot.
    #[error("failed to read snapshot file: {0}")]
    Layout(String),
    /// The client's fault: a member differs from its sum, so the file is damaged.
    #[error("failed checking integrity of snapshot: hash check failed for {0:?}")]
    Sum(&'static str),
    /// The client's fault: another program wrote the state.
    #[error("the snapshot's state is not coffer's: another program wrote it")]
    Foreign,
    /// The operator's fault: a newer version wrote the archive. Run that version.
    #[error("the snapshot has state format {0}, which this version does not know: run a newer one")]
    Version(u8),
    /// The client's fault: the state inside is inconsistent, although its sum is right.
    #[error("the snapshot's state is damaged: {0}")]
    State(&'static str),
}

impl ArchiveError {
    /// Returns a function that makes the error of reading `member`.
    pub(super) fn reading(member: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated(member),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                Self::Compression(error.to_string())
            }
            _ => Self::Io(error),
        }
    }

    /// Returns true when the archive is at fault, and not the machine that reads it.
    pub const fn is_clients(&self) -> bool {
        !matches!(self, Self::Io(_))
    }
}
