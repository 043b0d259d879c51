//! Room on the data directory's file system.

use crate::diagnose::finding::Finding;
use crate::diagnose::subject::Examined;

const NAME: &str = "Free space";
const MIB: u64 = 1 << 20;
/// The room below which the log cannot grow and checkpoints fail, and the room that is wanted.
const FREE_MIN: u64 = 16 * MIB;
const FREE_WANTED: u64 = 256 * MIB;
/// The least number of files that can still be made.
const FILES_WANTED: u64 = 1000;

/// Judges the room for the data directory.
pub fn check(subject: &Examined<'_>) -> Vec<Finding> {
    let Some(place) = subject.place() else {
        return Vec::new();
    };
    let shown = place.display();
    let found = match rustix::fs::statvfs(&place) {
        Ok(found) => found,
        Err(error) => {
            let advice = "run this as root or as the service's user";
            return vec![Finding::skip(NAME, format!("{shown}: {error}"), advice)];
        }
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let files = (found.f_files > 0).then_some(found.f_favail);
    vec![judged(&shown.to_string(), free, files)]
}

fn judged(place: &str, free: u64, files: Option<u64>) -> Finding {
    let message = format!("{} MiB are free at {place}", free / MIB);
    let advice = format!(
        "make room at {place}, or give the data a larger partition: a full disk refuses writes"
    );
    match (free, files) {
        (0..FREE_MIN, _) => Finding::fail(NAME, message, advice),
        (_, Some(files @ 0..FILES_WANTED)) => {
            let message = format!("{message}, but only {files} more files can be made");
            Finding::warn(
                NAME,
                message,
                "remove files, or make the file system anew with more inodes",
            )
        }
        (FREE_MIN..FREE_WANTED, _) => Finding::warn(NAME, message, advice),
        _ => Finding::ok(NAME, message),
    }
}

#[cfg(test)]
mod unit {
    use super::*;
    use crate::diagnose::finding::Grade;

    #[test]
    fn little_room_is_a_warning_and_none_a_failure() {
        let grade = |mib: u64, files| judged("/d", mib * MIB, files).grade;
        assert_eq!(grade(4000, None), Grade::Ok);
        assert_eq!(grade(100, None), Grade::Warn);
        assert_eq!(grade(3, Some(5)), Grade::Fail);
        assert_eq!(grade(4000, Some(5)), Grade::Warn);
        assert_eq!(grade(4000, Some(100_000)), Grade::Ok);
    }
}
