//! The clock: set by a time service, and not behind the data.

use crate::diagnose::finding::Finding;
use crate::diagnose::subject::Examined;
use std::path::Path;
use std::time::{Duration, SystemTime};

const NAME: &str = "Clock";
/// A time before which no such program existed, in seconds since 1970: 2026-01-01.
const EARLIEST_S: u64 = 1_767_225_600;
/// The most by which a file may be younger than the clock.
const AHEAD_MAX: Duration = Duration::from_secs(60);
const ADVICE: &str = "`timedatectl` tells whether a time server is in reach; without one \
                      certificates are refused, and leases end late while the machine is off";

/// Judges the clock.
pub fn check(subject: &Examined<'_>) -> Vec<Finding> {
    let now = subject.world.now();
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    if since.as_secs() < EARLIEST_S {
        let shown = humantime::format_rfc3339_seconds(now);
        let message = format!("it is {shown} here, which cannot be");
        return vec![Finding::warn(NAME, message, ADVICE)];
    }
    let newest = subject.raft().and_then(|raft| newest(&raft.path));
    if let Some(ahead) = newest.and_then(|newest| newest.duration_since(now).ok())
        && ahead > AHEAD_MAX
    {
        let message = format!("the clock is {} behind the data's last write", days(ahead));
        return vec![Finding::warn(NAME, message, ADVICE)];
    }
    let has_flag = subject
        .machine
        .path("run/systemd/timesync/synchronized")
        .exists();
    let has_battery = subject.machine.path("sys/class/rtc/rtc0").exists();
    vec![
        match (subject.world.is_synchronised(), has_flag, has_battery) {
            (Some(true), ..) | (None, true, _) => Finding::ok(NAME, "set by a time service"),
            (_, _, true) => Finding::ok(
                NAME,
                "kept by a battery; no time service has set it since the start",
            ),
            _ => Finding::warn(
                NAME,
                "no time service has set it, and no battery keeps it",
                ADVICE,
            ),
        },
    ]
}

/// Returns the time of the youngest file of the log and of the state, which stands for the last
/// stamp: that is in the store, and a running server has it open.
fn newest(data: &Path) -> Option<SystemTime> {
    let folders = ["raft", "state", "."].map(|folder| data.join(folder));
    let files = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok());
    let times = files.flat_map(|files| files.flatten());
    times
        .filter_map(|file| file.metadata().ok()?.modified().ok())
        .max()
}

fn days(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..7200 => format!("{} minutes", seconds / 60),
        seconds @ 7200..172_800 => format!("{} hours", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
