//! The cluster's clock on this node.

use super::Timestamp;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Where the time comes from. Tests inject [`ManualClock`].
pub trait Clock: Send + Sync {
    /// Cluster time now; never goes backwards.
    fn now(&self) -> Timestamp;

    /// Raises the floor: time has reached `floor` somewhere in the cluster.
    fn raise(&self, floor: Timestamp);
}

/// Continues from the floor by the monotonic clock, adopting a trusted wall clock forwards.
pub struct ClusterClock {
    base: Mutex<Base>,
}

struct Base {
    time: Timestamp,
    taken: Instant,
    wall_checked: Option<Instant>,
}

/// How often it is asked again whether the wall clock is trusted.
const WALL_CHECK_INTERVAL: Duration = Duration::from_secs(16);

impl ClusterClock {
    /// Starts at `floor`, or at the wall clock where that is trusted and later. A floor of zero
    /// (nothing was ever written) takes the wall clock as it is: there is nothing to protect yet.
    pub fn start(floor: Timestamp) -> Self {
        let wall = wall_clock();
        let first = if floor.is_zero() || wall_is_trusted() {
            wall.max(floor)
        } else {
            floor
        };
        Self {
            base: Mutex::new(Base {
                time: first,
                taken: Instant::now(),
                wall_checked: None,
            }),
        }
    }
}

impl Clock for ClusterClock {
    fn now(&self) -> Timestamp {
        let mut base = self
            .base
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let instant = Instant::now();
        let mut time = base.time.plus(instant.duration_since(base.taken));
        let due = base
            .wall_checked
            .is_none_or(|at| instant - at >= WALL_CHECK_INTERVAL);
        if due {
            base.wall_checked = Some(instant);
            if wall_is_trusted() {
                time = time.max(wall_clock());
            }
        }
        base.time = time;
        base.taken = instant;
        time
    }

    fn raise(&self, floor: Timestamp) {
        let now = self.now();
        if floor > now {
            let mut base = self
                .base
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            base.time = base.time.max(floor);
        }
    }
}

/// This machine's wall clock, right or wrong: for log lines, never for deadlines.
pub fn wall_clock() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

/// Did somebody who should know set the wall clock? Either a time service, or a hardware clock
/// at boot.
fn wall_is_trusted() -> bool {
    timesyncd_has_synchronised() || std::path::Path::new("/sys/class/rtc/rtc0").exists()
}

/// systemd-timesyncd's own mark. The kernel's flag (`STA_UNSYNC`, which chrony and ntpd clear
/// too) is told by a system call only, which no safe wrapper here offers, and those two leave no
/// file that means "synchronised" rather than "running". So on a machine with one of them and
/// without a hardware clock cluster time goes on from the last write by the monotonic clock: the
/// time that the machine was off does not count, and what has an end ends later, never sooner.
fn timesyncd_has_synchronised() -> bool {
    std::path::Path::new("/run/systemd/timesync/synchronized").exists()
}

/// A clock that only moves when told to.
#[derive(Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Starts at `time`.
    pub fn new(time: Timestamp) -> Self {
        Self(AtomicU64::new(time.0))
    }

    /// Moves forward by `duration`.
    pub fn advance(&self, duration: Duration) {
        let now = Timestamp(self.0.load(Ordering::SeqCst));
        self.0.store(now.plus(duration).0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn raise(&self, floor: Timestamp) {
        self.0.fetch_max(floor.0, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_goes_back() {
        let clock = ClusterClock::start(Timestamp::from_secs(5_000_000_000));
        let first = clock.now();
        assert!(
            first >= Timestamp::from_secs(5_000_000_000),
            "the floor holds"
        );
        assert!(clock.now() >= first);
        clock.raise(Timestamp::from_secs(6_000_000_000));
        assert!(clock.now() >= Timestamp::from_secs(6_000_000_000));
        clock.raise(Timestamp::from_secs(1));
        assert!(clock.now() >= Timestamp::from_secs(6_000_000_000));
    }
}
