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

fn booted() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::from_secs(u64::try_from(now.tv_sec).unwrap_or(0))
}
