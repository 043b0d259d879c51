//! What the process does so that its memory and its files stay its own.

use crate::secret;

/// No core dumps, and no other process of this user may read our memory. Failing is not fatal: a
/// kernel without either has its reasons.
pub fn forbid_dumps() {
    if let Err(error) = secret::forbid_core_dumps() {
        tracing::warn!("{error}");
    }
}

/// Files made from here on are ours alone, whatever the umask was (CVE-2021-38553).
pub fn restrict_umask() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}
