//! Errors of the state.

use std::io;

/// The reason for which the state could not be read or saved.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not now: the disk is full. Nothing was lost; free space and try again.
    #[error("no space left for a checkpoint")]
    DiskFull,
    /// The operator's fault: this version does not know the format. Run the version that wrote it.
    #[error("state format {0} is not known to this version")]
    Version(u8),
    /// Fatal: a record on the disk is damaged.
    #[error("damaged state: {0}")]
    Damaged(&'static str),
    /// Not now: a peer's snapshot ended early, or was damaged on its way. The peer sends it again.
    #[error("a state from a peer was not whole: {0}")]
    Cut(String),
    /// Fatal: the log could not be read, and it holds values that are not saved yet.
    #[error("a value in the log: {0}")]
    Journal(String),
    /// Fatal: fjall failed.
    #[error("state store: {0}")]
    Fjall(fjall::Error),
}

impl From<fjall::Error> for StateError {
    fn from(error: fjall::Error) -> Self {
        let is_full = |io: &io::Error| {
            matches!(
                io.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            )
        };
        if io_error(&error).is_some_and(is_full) {
            return Self::DiskFull;
        }
        Self::Fjall(error)
    }
}

/// Returns the operating system's error beneath fjall's, if there is one.
fn io_error(error: &fjall::Error) -> Option<&io::Error> {
    match error {
        fjall::Error::Io(io) | fjall::Error::Storage(fjall::LsmError::Io(io)) => Some(io),
        _ => None,
    }
}

impl StateError {
    /// Returns true when another holder has the state open, perhaps only for a moment more.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Fjall(fjall::Error::Locked))
    }

    /// Returns the operating system's error; `None` for any other failure.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Fjall(error) => io_error(error),
            _ => None,
        }
    }
}
