//! How a verb fails, and the exit code that goes with it.

use super::client::ClientError;
use super::data::DataError;
use super::environment::VariableError;
use super::flags::FlagError;
use crate::outbound::SetupError;

/// A verb's exit code, or why it failed.
pub type Outcome = Result<u8, Failure>;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The caller typed something that makes no command.
    #[error("{0}")]
    Usage(String),
    /// The caller's flags are wrong.
    #[error(transparent)]
    Flags(#[from] FlagError),
    /// A variable of the caller's makes no sense.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// The caller's `key=value` words are wrong.
    #[error("Failed to parse K=V data: {0}")]
    Data(#[from] DataError),
    /// The server has nothing at this path.
    #[error("No value found at {0}")]
    NotFound(String),
    /// The request could not be made or was refused; `during` says what was being done.
    #[error("{during}{source}")]
    Request {
        /// A prefix such as `Error reading a/b: `, or nothing.
        during: String,
        /// What the client says.
        source: ClientError,
    },
    /// A file or the terminal of this machine; the caller should look there.
    #[error("{0}")]
    Local(String),
    /// The server answered something that this verb cannot read; its version may not fit.
    #[error("The server's answer has no {0}")]
    Answer(&'static str),
}

impl Failure {
    /// The exit code: 1 for what was typed, 2 for what happened.
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

    /// A usage failure.
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

/// Says what was being done when a request failed.
pub trait During<T> {
    /// Prefixes the failure's message, as in `Error reading a/b: `.
    fn during(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T> During<T> for Result<T, ClientError> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|source| match source {
            // Nothing was begun yet: these are about the client itself.
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
