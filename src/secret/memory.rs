//! Keeps the process's memory off the disk: no swap, no core dumps.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use rustix::thread::{CapabilitySet, capabilities};

/// Reasons why memory could not be protected; always the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The service may lock too little memory: set `LimitMEMLOCK=infinity` or `disable_mlock`.
    #[error(
        "memory cannot be locked: the limit is {limit_bytes} bytes; set LimitMEMLOCK=infinity \
         in the service (or ulimit -l unlimited), or disable_mlock = true"
    )]
    Limit {
        /// The present `RLIMIT_MEMLOCK`, in bytes.
        limit_bytes: u64,
    },
    /// The kernel refused to lock memory.
    #[error("memory cannot be locked: {0}; set disable_mlock = true to go on without")]
    Lock(std::io::Error),
    /// The kernel refused to forbid core dumps.
    #[error("core dumps cannot be switched off: {0}")]
    Dump(std::io::Error),
}

/// Locks all memory, now and later, so that no page with a key is ever swapped out.
///
/// Pages are locked as they are first touched (`MCL_ONFAULT`), so stacks and reserves that are
/// never used cost nothing. A process without `CAP_IPC_LOCK` needs an unlimited `RLIMIT_MEMLOCK`:
/// under a finite one the lock would succeed today and a later allocation would fail.
pub fn lock_memory() -> Result<(), MemoryError> {
    let privileged =
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    if !privileged {
        raise_lock_limit()?;
    }
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
        .map_err(|error| MemoryError::Lock(error.into()))
}

fn raise_lock_limit() -> Result<(), MemoryError> {
    let limit = getrlimit(Resource::Memlock);
    if let Some(limit_bytes) = limit.maximum {
        return Err(MemoryError::Limit { limit_bytes });
    }
    let raised = Rlimit {
        current: None,
        maximum: None,
    };
    setrlimit(Resource::Memlock, raised).map_err(|error| MemoryError::Lock(error.into()))
}

/// Forbids core dumps, so that a crash writes no memory to disk, and keeps other processes of the
/// same user from attaching and reading it.
pub fn forbid_core_dumps() -> Result<(), MemoryError> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(|error| MemoryError::Dump(error.into()))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| MemoryError::Dump(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_dumps_are_off_afterwards() {
        forbid_core_dumps().unwrap();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert_eq!(
            rustix::process::dumpable_behavior().unwrap(),
            DumpableBehavior::NotDumpable
        );
    }

    #[test]
    fn locking_succeeds_or_names_the_limit() {
        match lock_memory() {
            Ok(()) => {
                let status = std::fs::read_to_string("/proc/self/status").unwrap();
                let line = status.lines().find(|l| l.starts_with("VmLck:")).unwrap();
                assert!(!line.contains(" 0 kB"), "{line}");
            }
            Err(MemoryError::Limit { limit_bytes }) => {
                assert_eq!(getrlimit(Resource::Memlock).maximum, Some(limit_bytes));
            }
            Err(error) => assert!(error.to_string().contains("disable_mlock"), "{error}"),
        }
    }
}
