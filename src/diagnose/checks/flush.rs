//! The time that a small durable write takes where the data lies, measured in a nameless file.

use crate::diagnose::finding::Finding;
use crate::diagnose::subject::Examined;
use crate::telemetry::{Histogram, Percentiles};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

const NAME: &str = "Flush time";
/// A write of the log is of this size at least where the device wants whole blocks.
const WRITE_BYTES: usize = 4096;
const WRITES_MAX: u64 = 64;
/// The time after which no further write is begun.
const WITHIN: Duration = Duration::from_secs(3);
/// The times from which the device is called slow, and very slow: every acknowledged write waits
/// for one flush, and a write that takes more than 1.2 s costs a node its leadership.
const P50_SLOW: Duration = Duration::from_millis(30);
const P99_SLOW: Duration = Duration::from_millis(300);
const LONGEST_BAD: Duration = Duration::from_millis(1200);

/// Measures small durable writes beside the data.
pub fn check(subject: &Examined<'_>) -> Vec<Finding> {
    let Some(place) = subject.place() else {
        return Vec::new();
    };
    match measured(&place) {
        Ok(times) => vec![judged(&times, &place)],
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => vec![Finding::skip(
            NAME,
            format!("no file can be made in {}: {error}", place.display()),
            "run this as root or as the service's user",
        )],
        Err(error) if has_no_nameless_files(&error) => vec![Finding::skip(
            NAME,
            format!(
                "the file system of {} has no nameless files",
                place.display()
            ),
            "measure it with fio, or move the data to ext4",
        )],
        Err(error) => vec![Finding::fail(
            NAME,
            format!("a durable write in {} failed: {error}", place.display()),
            "look at `dmesg` and at the free space; a device that fails writes must be replaced",
        )],
    }
}

/// Writes to a file without a name, which is gone once it is closed, also after a kill.
fn measured(place: &Path) -> io::Result<Percentiles> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(place, flags, Mode::RUSR | Mode::WUSR)?);
    let size = WRITES_MAX * WRITE_BYTES as u64;
    // As the log's: the blocks are there before, so that a write changes no metadata.
    file.write_all_at(&vec![0; usize::try_from(size).unwrap_or(WRITE_BYTES)], 0)?;
    file.sync_all()?;
    let (times, begun) = (Histogram::new(), Instant::now());
    for at in 0..WRITES_MAX {
        let started = Instant::now();
        file.write_all_at(&[0x5a; WRITE_BYTES], at * WRITE_BYTES as u64)?;
        file.sync_data()?;
        times.observe(started.elapsed());
        if begun.elapsed() > WITHIN {
            break;
        }
    }
    Ok(times.percentiles())
}

/// Returns true for the errors with which a file system says that it does not know `O_TMPFILE`.
fn has_no_nameless_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let unknown = [Errno::OPNOTSUPP, Errno::ISDIR, Errno::INVAL];
    let code = error.raw_os_error();
    unknown
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}

fn judged(times: &Percentiles, place: &Path) -> Finding {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let message = format!(
        "p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms of {} durable writes of 4 KiB in {}",
        ms(times.p50),
        ms(times.p99),
        ms(times.max),
        times.count,
        place.display()
    );
    let advice = "a worn or slow card, or other programs that write to it: `coffer operator wear` \
                  shows their part; a better card (A2, \"endurance\") helps most";
    if times.max > LONGEST_BAD {
        let message = format!("{message}: a write of more than 1.2 s costs a node its leadership");
        return Finding::warn(NAME, message, advice);
    }
    if times.p50 > P50_SLOW || times.p99 > P99_SLOW {
        let message = format!("{message}: slow, and each acknowledged write waits for one");
        return Finding::warn(NAME, message, advice);
    }
    Finding::ok(NAME, message)
}

#[cfg(test)]
mod unit {
    use super::*;
    use crate::diagnose::finding::Grade;

    #[test]
    fn it_is_measured_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let times = match measured(folder.path()) {
            Ok(times) => times,
            Err(error) => {
                eprintln!("skipped: no nameless files here: {error}");
                return;
            }
        };
        assert!(times.count >= 1 && times.p50 <= times.p99 && times.p99 <= times.max);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let missing = measured(&folder.path().join("missing"));
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn slow_devices_are_warned_of() {
        let grade = |p50, p99, max| {
            let ms = Duration::from_millis;
            let times = Percentiles {
                count: 64,
                p50: ms(p50),
                p99: ms(p99),
                max: ms(max),
            };
            judged(&times, Path::new("/d"))
        };
        assert_eq!(grade(4, 40, 90).grade, Grade::Ok);
        assert_eq!(grade(50, 80, 90).grade, Grade::Warn);
        assert_eq!(grade(4, 500, 600).grade, Grade::Warn);
        let stalls = grade(4, 40, 1300);
        assert!(stalls.message.contains("leadership"), "{}", stalls.message);
    }
}
