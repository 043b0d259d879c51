//! Failures of verbs, and the exit codes that go with them.

use super::client::ClientError;
use super::data::DataError;
use super::environment::VariableError;
use super::flags::FlagError;
use crate::outbound::SetupError;

/// A verb's exit code, or its failure.
pub type Outcome = Result<u8, Failure>;

/// The failures of verbs.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The caller's words make no command.
    #[error("{0}")]
    Usage(String),
    /// The caller's flags are wrong.
    #[error(transparent)]
    Flags(#[from] FlagError),
    /// A variable of the caller cannot be used.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// The caller's `key=value` words are wrong.
    #[error("Failed to parse K=V data: {0}")]
    Data(#[from] DataError),
    /// The server has nothing at this path.
    #[error("No value found at {0}")]
    NotFound(String),
    /// The request could not be made, or was refused.
    #[error("{during}{source}")]
    Request {
        /// A prefix such as `Error reading a/b: `, or nothing.
        during: String,
        /// The client's error.
        source: ClientError,
    },
    /// A file or the terminal of this machine failed; the caller should look there.
    #[error("{0}")]
    Local(String),
    /// The server's answer cannot be read; its version may not fit.
    #[error("The server's answer has no {0}")]
    Answer(&'static str),
}

impl Failure {
    /// Returns the exit code: 1 for faults of the command line, 2 for all others.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_)
            | Failure::Flags(_)
            | Failure::Data(_)
            | Failure::Variable(_)
            | Failure::Request {
                source: ClientError::Variable(_),
                ..
            } => 1,
            Failure::NotFound(_)
            | Failure::Request { .. }
            | Failure::Local(_)
            | Failure::Answer(_) => 2,
        }
    }

    /// Returns a usage failure.
    pub fn usage(message: impl Into<String>) -> Self {
        Failure::Usage(message.into())
    }
}

impl From<ClientError> for Failure {
    fn from(source: ClientError) -> Self {
        Failure::Request {
            during: String::new(),
            source,
        }
    }
}

/// Names the action that a failed request was part of.
pub trait During<T> {
    /// Prefixes the failure's message, as in `Error reading a/b: `.
    fn during(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T> During<T> for Result<T, ClientError> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|source| match source {
            // The action had not begun yet: these errors concern the client itself.
            ClientError::Setup(SetupError::Tls(_) | SetupError::Address(_))
            | ClientError::Header { .. }
            | ClientError::Variable(_) => Failure::from(source),
            _ => Failure::Request {
                during: format!("{}: ", what()),
                source,
            },
        })
    }
}
