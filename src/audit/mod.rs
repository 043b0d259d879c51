//! The audit log: every request before an engine sees it, every answer before the client does.
//!
//! Owns the devices (files), their records (`core/audit` for those enabled over the API), the
//! form of a line, and the request headers that have a place in it.
//!
//! Invariants
//! - Where devices exist, one of them must have taken a line, or the request of that line fails.
//! - No value that a client sent or received is written in clear unless the mount's tuning or the
//!   device's `log_raw` says so: strings become `hmac-sha256:<hex>` under the device's own key.
//!   Raw bodies are never written.
//! - A request without a good token is written with the size and one hash of all its fields, and
//!   the lines of such requests are bounded by the bytes that their address sent (`refusals.rs`).
//! - A log file is never executable, is not reached through a link, and, when it was asked for
//!   over the API, lies in an allowed directory.

mod broker;
mod device;
mod hash;
mod headers;
mod line;
mod refusals;
mod spec;

pub use broker::{Broker, DEVICES_MAX, Devices, Options, Reserve, codec};
pub use headers::{HEADERS_MAX, HeaderRule};
pub use line::{Exchange, Subject};
pub use refusals::{BURST_BYTES, FACTOR, REFILL_BYTES_PER_S, SUM_INTERVAL};
pub use spec::DeviceSpec;

/// Reasons why a request cannot be audited, or a device not be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The operator's fault: no device takes a line; free space or repair one. The request fails.
    #[error("no audit device could write: {0}")]
    NoDevice(String),
    /// The operator's fault: no device takes a line, and each has no space for it. The request
    /// fails.
    #[error("no audit device could write: {0}; free some space, or disable the device")]
    NoSpace(String),
    /// Client's fault: the option is missing or wrong.
    #[error("{0}")]
    Option(String),
    /// Client's fault: choose another name.
    #[error("path already in use")]
    InUse,
    /// Client's fault: there is no such device.
    #[error("unknown audit backend {0:?}")]
    Unknown(String),
    /// Client's fault: the device stands in the configuration; remove it there.
    #[error("cannot disable configuration-managed audit device")]
    Configured,
    /// Client's fault: disable a device first.
    #[error("there are {DEVICES_MAX} audit devices already")]
    TooMany,
    /// The barrier's error.
    #[error(transparent)]
    Barrier(#[from] crate::barrier::BarrierError),
}

impl From<AuditError> for crate::engine::Error {
    fn from(error: AuditError) -> Self {
        let message = error.to_string();
        match error {
            AuditError::NoDevice(_) => Self::internal(message),
            AuditError::NoSpace(_) => Self::new(crate::engine::ErrorKind::NoSpace, message),
            AuditError::Barrier(cause) => cause.into(),
            AuditError::Option(_)
            | AuditError::InUse
            | AuditError::Unknown(_)
            | AuditError::Configured
            | AuditError::TooMany => Self::invalid(message),
        }
    }
}
