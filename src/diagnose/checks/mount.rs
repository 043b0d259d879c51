//! The mount of the data directory: writable, durable, and sparing for the card.

use crate::block::{DiskKind, Mount, beneath};
use crate::diagnose::finding::Finding;
use crate::diagnose::subject::Examined;

const NAME: &str = "Mount";
/// The seconds between two commits of ext4's journal that spare a card: see README, "The card".
const COMMIT_S_WANTED: u64 = 60;
const COMMIT_S_DEFAULT: u64 = 5;

/// Judges the options of the mount.
pub fn check(subject: &Examined<'_>) -> Vec<Finding> {
    let Some(place) = subject.place() else {
        return Vec::new();
    };
    let path = std::fs::canonicalize(&place).unwrap_or(place);
    let Some(mount) = Mount::of(&subject.machine, &path) else {
        let message = "the list of mounts cannot be read";
        return vec![Finding::skip(
            NAME,
            message,
            "run this where /proc is mounted",
        )];
    };
    let disk = beneath(&subject.machine, &path).ok();
    judged(&mount, disk.map(|disk| disk.kind))
}

fn judged(mount: &Mount, kind: Option<DiskKind>) -> Vec<Finding> {
    let (folder, fs) = (mount.folder.display(), mount.kind.as_str());
    let mut findings = Vec::new();
    if mount.has("ro") {
        findings.push(Finding::fail(
            NAME,
            format!("{folder} is mounted read-only"),
            format!(
                "mount -o remount,rw {folder}; when the kernel made it so after errors, look at \
                 `dmesg` and replace the card"
            ),
        ));
    }
    if ["nobarrier", "barrier=0"]
        .iter()
        .any(|option| mount.has(option))
    {
        findings.push(Finding::fail(
            NAME,
            format!("{folder} is mounted without barriers: a power cut loses acknowledged writes"),
            "remove nobarrier or barrier=0 from its line in /etc/fstab",
        ));
    }
    match fs {
        "tmpfs" | "ramfs" | "overlay" => findings.push(Finding::warn(
            NAME,
            format!(
                "{folder} is {fs}: the data may be gone when the machine or container starts anew"
            ),
            "put the data directory on a disk of its own (in a container: a volume)",
        )),
        "nfs" | "nfs4" | "cifs" | "smb3" | "fuse" | "9p" => findings.push(Finding::warn(
            NAME,
            format!("{folder} is {fs}: locks and flushes are as good as the server behind it"),
            "put the data directory on a local file system",
        )),
        "vfat" | "exfat" | "ntfs3" => findings.push(Finding::fail(
            NAME,
            format!("{folder} is {fs}, which knows neither owners nor durable renames"),
            "put the data directory on ext4 or another of Linux's own file systems",
        )),
        _ => {}
    }
    findings.extend(wear(mount, kind));
    if findings.is_empty() {
        let options = mount.options.join(",");
        findings.push(Finding::ok(NAME, format!("{folder} is {fs} ({options})")));
    }
    findings
}

/// Returns a warning where options wear a card out without need.
fn wear(mount: &Mount, kind: Option<DiskKind>) -> Option<Finding> {
    let is_card = matches!(kind, Some(DiskKind::Sd | DiskKind::Emmc | DiskKind::Usb));
    if !is_card || mount.kind != "ext4" {
        return None;
    }
    let commit = mount.value("commit").and_then(|value| value.parse().ok());
    let commit_s: u64 = commit
        .filter(|commit| *commit > 0)
        .unwrap_or(COMMIT_S_DEFAULT);
    let mut lacks = Vec::new();
    if commit_s < COMMIT_S_WANTED {
        lacks.push(format!("its journal commits every {commit_s} s"));
    }
    if !mount.has("noatime") {
        lacks.push("reading a file may write to it".to_owned());
    }
    if lacks.is_empty() {
        return None;
    }
    let message = format!(
        "{} is on a card, and {}",
        mount.folder.display(),
        lacks.join(", and ")
    );
    let advice = "give the data a partition of its own, noatime,commit=300: rare writes then \
                  cost the card an eighth, and nothing is less durable (README, \"The card\")";
    Some(Finding::warn(NAME, message, advice))
}

#[cfg(test)]
mod unit {
    use super::*;
    use crate::diagnose::finding::Grade;

    fn worst(kind: &str, options: &str, disk: Option<DiskKind>) -> (Grade, String) {
        let mount = Mount {
            folder: "/d".into(),
            kind: kind.into(),
            source: "/dev/x".into(),
            options: options.split(',').map(str::to_owned).collect(),
        };
        let findings = judged(&mount, disk);
        let worst = findings
            .into_iter()
            .max_by_key(|finding| finding.grade)
            .unwrap();
        (worst.grade, format!("{} {}", worst.message, worst.advice))
    }

    #[test]
    fn what_loses_data_fails_and_what_wears_warns() {
        let sd = Some(DiskKind::Sd);
        for (kind, options, disk, grade, part) in [
            (
                "ext4",
                "rw,noatime,commit=300",
                sd,
                Grade::Ok,
                "noatime,commit=300",
            ),
            ("ext4", "rw,relatime", sd, Grade::Warn, "commits every 5 s"),
            ("ext4", "rw,noatime", sd, Grade::Warn, "commit=300"),
            ("ext4", "rw,relatime", Some(DiskKind::Nvme), Grade::Ok, ""),
            ("btrfs", "rw,relatime", sd, Grade::Ok, ""),
            (
                "ext4",
                "ro,noatime,commit=300",
                sd,
                Grade::Fail,
                "remount,rw",
            ),
            ("ext4", "rw,nobarrier", None, Grade::Fail, "power cut"),
            ("tmpfs", "rw", None, Grade::Warn, "gone"),
            ("nfs4", "rw", None, Grade::Warn, "local"),
            ("vfat", "rw", sd, Grade::Fail, "ext4"),
        ] {
            let (found, text) = worst(kind, options, disk);
            assert_eq!(found, grade, "{kind} {options}: {text}");
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
