//! Gives back the pages of the program's own code that nothing has used for a while.
//!
//! A start runs code that nothing runs again, and the kernel maps 64 KiB around each function that
//! was run. Those pages count as this process's memory until the kernel is short of it. Once the
//! process has been quiet for a moment, and every few minutes while it is busy, it unmaps all of
//! its code, and what goes on running comes back piece by piece from the page cache: about 50 small
//! faults, a tenth of a millisecond. Resident memory is then what the node uses, and a small
//! machine finds the rest of the file among the first pages that it may drop.

use rustix::mm::{Advice, madvise, munlock};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The time between two looks at how busy the process is.
const LOOK_EVERY: Duration = Duration::from_secs(4);
/// The processor time between two looks up to which the process counts as quiet.
const QUIET_MAX: Duration = Duration::from_millis(200);
/// The processor time since the last unmapping from which another is worth its faults. An idle
/// member of a cluster takes this in minutes.
const WORTH_MIN: Duration = Duration::from_millis(5);
/// The least time between two unmappings; a process that is never quiet takes as long.
const REST: Duration = Duration::from_secs(120);

/// Unmaps the program's code when the process is quiet, and from time to time. Runs for ever.
pub(super) async fn follow() {
    let Some(code) = code() else { return };
    let mut unmapped_at = Duration::ZERO;
    loop {
        let mut looks = REST.as_secs() / LOOK_EVERY.as_secs();
        let mut before = processor_time();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = processor_time();
            let is_quiet = now.saturating_sub(before) <= QUIET_MAX;
            let is_worth_it = now.saturating_sub(unmapped_at) >= WORTH_MIN;
            before = now;
            looks = looks.saturating_sub(1);
            if (is_quiet || looks == 0) && is_worth_it {
                break;
            }
        }
        code.iter().for_each(Mapping::unmap);
        unmapped_at = processor_time();
        tokio::time::sleep(REST).await;
    }
}

/// Returns the processor time that the process has taken.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// A range of memory that shows a file's contents and cannot be written.
#[derive(Debug, PartialEq, Eq)]
struct Mapping {
    start: usize,
    bytes: usize,
}

/// Returns the mappings of the code of program and libraries, and of the constants in front of it;
/// `None` when the kernel does not tell.
fn code() -> Option<Vec<Mapping>> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let found: Vec<_> = maps.lines().filter_map(Mapping::of_code).collect();
    (!found.is_empty()).then_some(found)
}

impl Mapping {
    /// Returns the mapping of a line of `/proc/self/maps` when it is private code of a file, or the
    /// constants at a file's beginning. Data that relocations have changed is never there: it lies
    /// in a segment that was writable, behind the others.
    fn of_code(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (range, permissions, offset) = (words.next()?, words.next()?, words.next()?);
        let path = words.nth(2)?;
        let is_front = permissions == "r--p" && offset.bytes().all(|digit| digit == b'0');
        if !(permissions == "r-xp" || is_front) || !path.starts_with('/') {
            return None;
        }
        let (start, end) = range.split_once('-')?;
        let start = usize::from_str_radix(start, 16).ok()?;
        let end = usize::from_str_radix(end, 16).ok()?;
        let bytes = end.checked_sub(start)?;
        Some(Self { start, bytes })
    }

    /// Unmaps the pages. Those of a locked process (`mlockall`) are unlocked first: code is no
    /// secret.
    #[allow(unsafe_code)]
    fn unmap(&self) {
        let start = std::ptr::with_exposed_provenance_mut(self.start);
        // SAFETY: the range is code or constants of a file, private, and never written to: programs
        // have no text relocations (a loader asks for those to be writable, and this range is not),
        // and relocated data has a segment of its own. A page that is dropped comes back from the
        // file with the same contents at its next use; a running program's file cannot be written,
        // and a library's is replaced, not changed in place. Nothing but speed changes.
        unsafe {
            let _ = munlock(start, self.bytes);
            let _ = madvise(start, self.bytes, Advice::LinuxDontNeed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the resident bytes of the mappings that show files.
    fn resident() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("RssFile:"));
        let kib: u64 = line
            .unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        kib << 10
    }

    #[test]
    fn code_is_found_and_data_is_not() {
        for code in [
            "55d0c000-55d0f000 r-xp 00002000 08:01 17  /usr/bin/coffer",
            "55d0c000-55d0f000 r--p 00000000 08:01 17  /usr/bin/coffer",
        ] {
            let (start, bytes) = (0x55d0_c000, 0x3000);
            assert_eq!(Mapping::of_code(code), Some(Mapping { start, bytes }));
        }
        for other in [
            "55d0c000-55d0f000 r--p 00002000 08:01 17  /usr/bin/coffer",
            "55d0c000-55d0f000 rw-p 00000000 08:01 17  /usr/bin/coffer",
            "55d0c000-55d0f000 rwxp 00002000 08:01 17  /usr/bin/coffer",
            "55d0c000-55d0f000 r-xs 00002000 08:01 17  /usr/bin/coffer",
            "7ffd1000-7ffd3000 r-xp 00000000 00:00 0  [vdso]",
            "7ffd1000-7ffd3000 r-xp 00000000 00:00 0",
            "",
        ] {
            assert_eq!(Mapping::of_code(other), None, "{other}");
        }
    }

    /// Other tests run beside this one, and bring pages back; not megabytes in a moment.
    #[test]
    fn unmapped_code_is_no_longer_resident_and_runs_on() {
        let code = code().unwrap();
        let before = resident();
        let least = (0..50).map(|_| {
            code.iter().for_each(Mapping::unmap);
            resident()
        });
        let least = least.min().unwrap();
        assert!(least + (1 << 20) < before, "{before} bytes, then {least}");
    }
}
