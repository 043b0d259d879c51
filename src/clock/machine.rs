//! The clocks of this machine.

use super::Timestamp;
use std::time::{Duration, Instant, SystemTime};

/// The clocks of a machine. Tests inject ones that lie.
pub trait Machine: Send + Sync {
    /// Returns the time since some moment that stays the same; never goes back, and goes on while
    /// the process is stopped.
    fn monotonic(&self) -> Duration;

    /// Returns the wall clock, right or wrong.
    fn wall(&self) -> Timestamp;

    /// Returns true when a trusted source has set the wall clock.
    fn wall_is_trusted(&self) -> bool;
}

/// The machine that the process runs on.
pub struct ThisMachine {
    started: Instant,
}

impl Default for ThisMachine {
    fn default() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Machine for ThisMachine {
    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn wall(&self) -> Timestamp {
        wall_clock()
    }

    fn wall_is_trusted(&self) -> bool {
        wall_is_trusted()
    }
}

/// Returns this machine's wall clock, right or wrong: for log lines, never for deadlines.
pub fn wall_clock() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

/// Returns true when a trusted source has set the wall clock: a time service, or a hardware clock
/// at boot.
fn wall_is_trusted() -> bool {
    timesyncd_has_synchronised() || std::path::Path::new("/sys/class/rtc/rtc0").exists()
}

/// Returns true when systemd-timesyncd has marked the clock as synchronised. The kernel's flag
/// (`STA_UNSYNC`, which chrony and ntpd clear too) is told by a system call only, which no safe
/// wrapper here offers, and those two leave no file that means "synchronised" rather than
/// "running". So on a machine with one of them and without a hardware clock cluster time goes on
/// from the last write by the monotonic clock: the time that the machine was off does not count,
/// and deadlines come later, never sooner.
fn timesyncd_has_synchronised() -> bool {
    std::path::Path::new("/run/systemd/timesync/synchronized").exists()
}
