//! What the process does so that its memory stays its own.

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// Why memory could not be locked: grant `CAP_IPC_LOCK` (or raise `RLIMIT_MEMLOCK`), or set
/// `disable_mlock = true` and keep swap off or encrypted.
#[derive(Debug, thiserror::Error)]
#[error(
    "memory cannot be locked ({0}): grant the process CAP_IPC_LOCK or an unlimited \
     RLIMIT_MEMLOCK, or set disable_mlock = true and do without swap"
)]
pub struct LockError(rustix::io::Errno);

/// No core dumps, and no other process of this user may read our memory. Failing is not fatal: a
/// kernel without either has its reasons.
pub fn forbid_dumps() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = rustix::process::setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
    if let Err(error) = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "memory could not be closed to debuggers");
    }
}

/// Keeps every page out of swap, those of the future too. Pages are locked when they are first
/// touched, so that reserved but unused memory (stacks) costs nothing.
///
/// # Errors
/// The system refuses; nothing is locked then.
pub fn lock_memory() -> Result<(), LockError> {
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    rustix::mm::mlockall(flags).map_err(LockError)
}

/// Files made from here on are ours alone, whatever the umask was (CVE-2021-38553).
pub fn restrict_umask() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}
