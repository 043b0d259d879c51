//! The error of an engine: its class, its messages for the client and its message for the log.

use crate::barrier::BarrierError;
use crate::store::CommitError;
use serde_json::{Map, Value};

/// The class of an error; `http` turns it into a status in one exhaustive table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 400: the client must change the request.
    Invalid,
    /// 403.
    Denied,
    /// 404 with the errors given (often none).
    NotFound,
    /// 405: the path knows no such operation.
    UnsupportedOperation,
    /// 412: a check-and-set or index precondition of the client failed.
    PreconditionFailed,
    /// 413.
    TooLarge,
    /// 415.
    UnsupportedMediaType,
    /// 429.
    RateLimited,
    /// 500: our fault; the message inside goes to the log only.
    Internal,
    /// 502: something behind us failed.
    Upstream,
    /// 503: sealed, no quorum, stopping.
    Unavailable,
    /// 507: the disk is full, or so nearly that new data is refused.
    NoSpace,
}

/// An error with two messages: `messages` for the client, `inside` for the log.
#[derive(Debug, thiserror::Error)]
#[error("{kind:?}: {messages:?} ({inside:?})")]
pub struct Error {
    /// Its class.
    pub kind: ErrorKind,
    /// The `errors` array.
    pub messages: Vec<String>,
    /// A message for the log in addition. No secrets here either.
    pub inside: Option<String>,
    /// A `data` object that goes with it, where Vault sends one.
    pub data: Option<Map<String, Value>>,
    /// Warnings that go with it.
    pub warnings: Vec<String>,
    /// The refusal of the storage below; kept so that the router can retry conflicts and the node
    /// can stop on fatal ones.
    pub cause: Option<BarrierError>,
}

impl Error {
    /// Returns an error of `kind` with one message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            messages: vec![message.into()],
            ..Self::silent(kind)
        }
    }

    /// Returns an error of `kind` with an empty `errors` array.
    pub fn silent(kind: ErrorKind) -> Self {
        Self {
            kind,
            messages: Vec::new(),
            inside: None,
            data: None,
            warnings: Vec::new(),
            cause: None,
        }
    }

    /// Returns 400 with one message.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Returns 404 with an empty `errors` array.
    pub fn not_found() -> Self {
        Self::silent(ErrorKind::NotFound)
    }

    /// Returns 405 `unsupported operation`.
    pub fn unsupported_operation() -> Self {
        Self::new(
            ErrorKind::UnsupportedOperation,
            "1 error occurred:\n\t* unsupported operation\n\n",
        )
    }

    /// Returns 404 `unsupported path`, for a path at which the engine has nothing.
    pub fn unsupported_path() -> Self {
        Self::new(
            ErrorKind::NotFound,
            "1 error occurred:\n\t* unsupported path\n\n",
        )
    }

    /// Returns 403 with the text of a denial by policy.
    pub fn denied() -> Self {
        Self::new(
            ErrorKind::Denied,
            "1 error occurred:\n\t* permission denied\n\n",
        )
    }

    /// Returns 500; `inside` goes to the log.
    pub fn internal(inside: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Internal, "internal error");
        error.inside = Some(inside.into());
        error
    }

    /// Returns whether a record changed between its read and the commit.
    pub const fn is_conflict(&self) -> bool {
        matches!(
            self.cause,
            Some(BarrierError::Commit(CommitError::Conflict))
        )
    }

    /// Adds a warning.
    pub fn with_warning(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }
}

impl From<BarrierError> for Error {
    fn from(cause: BarrierError) -> Self {
        use crate::store::{CommitError, ReadError};
        let inside = cause.to_string();
        let mut error = match &cause {
            BarrierError::Path(path) => Self::invalid(path.to_string()),
            BarrierError::RotationOperations
            | BarrierError::RotationInterval
            | BarrierError::TooManyKeyTerms
            | BarrierError::AlreadyInitialized
            | BarrierError::NotInitialized
            | BarrierError::WrongJoinKey
            | BarrierError::ChallengeExpired
            | BarrierError::WrongProof
            | BarrierError::NoJoinKey
            | BarrierError::WrongSealKey
            | BarrierError::WrongRecoveryKey => Self::invalid(inside.clone()),
            BarrierError::Commit(CommitError::TooLarge { .. }) => {
                Self::new(ErrorKind::TooLarge, inside.clone())
            }
            BarrierError::Sealed => Self::new(ErrorKind::Unavailable, "Vault is sealed"),
            BarrierError::Commit(CommitError::NotLeader)
            | BarrierError::Read(ReadError::Unavailable(_)) => {
                Self::new(ErrorKind::Unavailable, "no quorum: try again")
            }
            BarrierError::Commit(CommitError::Unavailable(_)) => Self::new(
                ErrorKind::Unavailable,
                "no quorum answered: the write may or may not have taken effect",
            ),
            BarrierError::Commit(CommitError::DiskFull(told)) => {
                Self::new(ErrorKind::NoSpace, told.clone())
            }
            BarrierError::Commit(CommitError::Conflict) => Self::new(
                ErrorKind::Internal,
                "the record changed underneath too often: try again",
            ),
            BarrierError::Commit(CommitError::Fatal(_))
            | BarrierError::Read(ReadError::Fatal(_))
            | BarrierError::Tampered
            | BarrierError::UnknownKeyTerm(_)
            | BarrierError::Decode(_)
            | BarrierError::Encode(_) => Self::new(ErrorKind::Internal, "internal error"),
        };
        error.inside = Some(inside);
        error.cause = Some(cause);
        error
    }
}
