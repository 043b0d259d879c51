//! What is wrong with an archive.

use std::io;

/// Why an archive could not be written or read. Whoever reads one has changed nothing yet.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file or the stream failed, not what is in it.
    #[error("failed to read or write snapshot data: {0}")]
    Io(io::Error),
    /// The client's: the file ends early. Take it anew, or look whether it was copied whole.
    #[error("the snapshot is truncated: it ends in the middle of {0}")]
    Truncated(&'static str),
    /// The client's: not a snapshot at all, or damaged beyond reading.
    #[error("failed to decompress snapshot: {0}")]
    Compression(String),
    /// The client's: no archive of a snapshot.
    #[error("failed to read snapshot file: {0}")]
    Layout(String),
    /// The client's: a member differs from its sum, so the file is damaged.
    #[error("failed checking integrity of snapshot: hash check failed for {0:?}")]
    Sum(&'static str),
    /// The client's: the state was written by another program.
    #[error("the snapshot's state is not coffer's: another program wrote it")]
    Foreign,
    /// The operator's: a newer version wrote it. Run that one.
    #[error("the snapshot has state format {0}, which this version does not know: run a newer one")]
    Version(u8),
    /// The client's: the state inside does not hold together, although its sum is right.
    #[error("the snapshot's state is damaged: {0}")]
    State(&'static str),
}

impl ArchiveError {
    /// Sorts what reading `member` failed by.
    pub(super) fn reading(member: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated(member),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                Self::Compression(error.to_string())
            }
            _ => Self::Io(error),
        }
    }

    /// True when the archive is at fault, and not the machine that reads it.
    pub const fn is_clients(&self) -> bool {
        !matches!(self, Self::Io(_))
    }
}
