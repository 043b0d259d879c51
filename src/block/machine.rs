//! The folder that holds `sys` and `proc`.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most bytes of a file that are read; `mountinfo` of a host with many containers is the
/// longest.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The folder that holds `sys`, `proc` and `dev`: `/`, or a tree that a test made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine(PathBuf);

impl Default for Machine {
    fn default() -> Self {
        Self(PathBuf::from("/"))
    }
}

impl Machine {
    /// Returns the machine whose `sys`, `proc` and `dev` lie in `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// Returns the path of `below` (`sys/block`), without a slash in front.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.0.join(below)
    }

    /// Returns the text of a small file without the blanks at its ends; `None` when there is none
    /// that can be read.
    pub fn text(&self, below: impl AsRef<Path>) -> Option<String> {
        read(&self.path(below))
    }

    /// Returns the memory of the machine that its kernel manages, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        let text = self.text("proc/meminfo").unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        // A service may not see the file: `ProcSubset=pid` hides it.
        kib.map_or_else(managed, |kib| kib.saturating_mul(1024))
    }

    /// Returns the time since the machine started, sleep included.
    pub fn uptime(&self) -> Duration {
        let text = self.text("proc/uptime").unwrap_or_default();
        let told = text.split_whitespace().next().and_then(|s| s.parse().ok());
        // A service may not see the file: `ProcSubset=pid` hides it.
        told.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .unwrap_or_else(booted)
    }
}

/// Returns the text of a small file without the blanks at its ends.
pub(super) fn read(path: &Path) -> Option<String> {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text.trim().to_owned())
}

fn managed() -> u64 {
    let system = rustix::system::sysinfo();
    // The first is as wide as a pointer.
    let bytes = u128::from(system.totalram) * u128::from(system.mem_unit);
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn booted() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::from_secs(u64::try_from(now.tv_sec).unwrap_or(0))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn where_no_file_tells_the_memory_the_kernel_does() {
        let folder = tempfile::tempdir().unwrap();
        let (here, hidden) = (Machine::default(), Machine::at(folder.path()));
        assert_eq!(here.memory_bytes() >> 20, hidden.memory_bytes() >> 20);
        assert!(here.memory_bytes() > 64 << 20);
    }
}
