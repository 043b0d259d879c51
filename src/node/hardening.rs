//! Keeps the process's memory and files to itself.

use crate::secret;

/// Forbids core dumps, and other processes of this user to read this one's memory. Only logs a
/// failure: a kernel may lack either.
pub fn forbid_dumps() {
    super::wear::keep_account();
    if let Err(error) = secret::forbid_core_dumps() {
        tracing::warn!("{error}");
    }
}

/// Gives files made from here on to this user alone, whatever the umask was (CVE-2021-38553).
pub fn restrict_umask() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}
