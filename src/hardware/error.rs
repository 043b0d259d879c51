//! Reasons why a light does not work.

use std::io;

/// Reasons why a light does not work. The node goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum HardwareError {
    /// The device is absent: fit it, load its driver, or take the stanza out of the configuration.
    #[error("{what} is not there: {remedy}")]
    Absent {
        /// The device.
        what: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// Another process has the device, most likely the running service: stop that first.
    #[error("{0} is in use by another program: is the service running? (systemctl stop coffer)")]
    Busy(String),
    /// The service's user may not open the device; the remedy says how to allow it.
    #[error("{what}: permission denied: {remedy}")]
    Denied {
        /// The device.
        what: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// The device, or its driver, refused.
    #[error("{what}: {source}")]
    Failed {
        /// The operation.
        what: String,
        /// The system's error.
        source: io::Error,
    },
}

/// The remedies for a device that is absent or shut.
#[derive(Clone, Copy)]
pub(super) struct Remedies {
    pub(super) absent: &'static str,
    pub(super) denied: &'static str,
}

impl Remedies {
    /// Turns the system's error into one of this room.
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
