//! Why a light does not work.

use std::io;

/// Why a light does not work. Never the node's trouble: it goes on without.
#[derive(Debug, thiserror::Error)]
pub enum HardwareError {
    /// Nothing is there: fit it, load its driver, or take the stanza out of the configuration.
    #[error("{what} is not there: {remedy}")]
    Absent {
        /// What was looked for.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Somebody else has it, most likely the running service: stop that first.
    #[error("{0} is in use by another program: is the service running? (systemctl stop coffer)")]
    Busy(String),
    /// The service's user may not: the remedy says how it may.
    #[error("{what}: permission denied: {remedy}")]
    Denied {
        /// What was opened.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The device, or its driver, refused.
    #[error("{what}: {source}")]
    Failed {
        /// What was done.
        what: String,
        /// What the system says.
        source: io::Error,
    },
}

/// What to do about a device that is absent or shut.
#[derive(Clone, Copy)]
pub(super) struct Remedies {
    pub(super) absent: &'static str,
    pub(super) denied: &'static str,
}

impl Remedies {
    /// The system's answer, sorted.
    pub(super) fn sort(self, what: impl Into<String>, source: io::Error) -> HardwareError {
        let what = what.into();
        match source.kind() {
            io::ErrorKind::NotFound => HardwareError::Absent {
                what,
                remedy: self.absent,
            },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                HardwareError::Denied {
                    what,
                    remedy: self.denied,
                }
            }
            io::ErrorKind::ResourceBusy | io::ErrorKind::WouldBlock => HardwareError::Busy(what),
            _ => HardwareError::Failed { what, source },
        }
    }
}
