//! Media that are found by the label or the UUID of their file system, such as a USB stick.
//!
//! Each block device's first bytes are looked at, so that two media with one label are told apart
//! from one. Where none may be opened, the links that udev makes tell of one.

use super::{Machine, Mount};
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;

/// The bytes at the beginning of a device that tell its file system.
const HEAD_BYTES: usize = 2048;

/// The mark by which a medium is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediumName {
    /// The file system's label.
    Label(String),
    /// Its UUID, or a FAT's serial number (`1A2B-3C4D`), as `lsblk -f` shows it.
    Uuid(String),
}

/// A medium that is present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Medium {
    /// The device: `/dev/sda1`.
    pub device: PathBuf,
    /// The file system, as `mount` calls it; `None` where only a link told of the medium.
    pub kind: Option<&'static str>,
    /// The folder that it is mounted on, if it is.
    pub folder: Option<PathBuf>,
}

/// The marks of a file system.
#[derive(Debug, PartialEq, Eq)]
struct Marks {
    kind: &'static str,
    label: String,
    uuid: String,
}

/// Returns all media that have this name. Reads from every block device that may be opened.
pub fn media(machine: &Machine, name: &MediumName) -> Vec<Medium> {
    let entries = fs::read_dir(machine.path("sys/class/block"));
    let mut names: Vec<_> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    names.sort();
    let (mut found, mut opened) = (Vec::new(), false);
    for entry in names {
        let device = machine.path("dev").join(entry);
        let Some(head) = head(&device) else { continue };
        opened = true;
        let Some(marks) = Marks::of(&head) else {
            continue;
        };
        let is_it = match name {
            MediumName::Label(label) => marks.label == *label,
            MediumName::Uuid(uuid) => marks.uuid.eq_ignore_ascii_case(uuid),
        };
        if is_it {
            found.push((device, Some(marks.kind)));
        }
    }
    if !opened {
        found.extend(linked(machine, name).map(|device| (device, None)));
    }
    let media = found.into_iter().map(|(device, kind)| Medium {
        folder: Mount::from(machine, &device).map(|mount| mount.folder),
        device,
        kind,
    });
    media.collect()
}

fn head(device: &PathBuf) -> Option<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let file = File::open(device).ok()?;
    file.take(HEAD_BYTES as u64).read_to_end(&mut head).ok()?;
    Some(head)
}

/// Returns the device that udev's link names.
fn linked(machine: &Machine, name: &MediumName) -> Option<PathBuf> {
    let link = match name {
        MediumName::Label(label) => format!("dev/disk/by-label/{}", escaped(label)),
        MediumName::Uuid(uuid) => format!("dev/disk/by-uuid/{}", escaped(uuid)),
    };
    fs::canonicalize(machine.path(link)).ok()
}

/// Returns the name as udev writes it: what is no letter, digit or one of a few marks is `\x20`.
fn escaped(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "#+-.:=@_".contains(c);
    let escape = |c: char| match is_plain(c) {
        true => c.to_string(),
        false => {
            let mut bytes = [0; 4];
            let bytes = c.encode_utf8(&mut bytes).bytes();
            bytes.map(|byte| format!("\\x{byte:02x}")).collect()
        }
    };
    name.chars().map(escape).collect()
}

impl Marks {
    fn of(head: &[u8]) -> Option<Self> {
        Self::of_ext(head)
            .or_else(|| Self::of_exfat(head))
            .or_else(|| Self::of_fat(head))
    }

    /// Reads the superblock of ext2 to ext4, which the kernel mounts alike.
    fn of_ext(head: &[u8]) -> Option<Self> {
        if head.get(0x438..0x43a)? != [0x53, 0xef] {
            return None;
        }
        let hex = hex::encode(head.get(0x468..0x478)?);
        let (mut parts, mut rest) = (Vec::new(), hex.as_str());
        for digits in [8, 4, 4, 4, 12] {
            let (part, after) = rest.split_at_checked(digits)?;
            parts.push(part);
            rest = after;
        }
        Some(Self {
            kind: "ext4",
            label: text(head.get(0x478..0x488)?),
            uuid: parts.join("-"),
        })
    }

    /// Reads the boot sector of exFAT. Its label is a file of the root directory, and is not read.
    fn of_exfat(head: &[u8]) -> Option<Self> {
        (head.get(3..11)? == b"EXFAT   ").then_some(Self {
            kind: "exfat",
            label: String::new(),
            uuid: serial(head.get(100..104)?),
        })
    }

    /// Reads the boot sector of FAT32, FAT16 or FAT12.
    fn of_fat(head: &[u8]) -> Option<Self> {
        if head.get(510..512)? != [0x55, 0xaa] {
            return None;
        }
        let at = match (head.get(0x52..0x57)?, head.get(0x36..0x39)?) {
            (b"FAT32", _) => 0x43,
            (_, b"FAT") => 0x27,
            _ => return None,
        };
        Some(Self {
            kind: "vfat",
            label: text(head.get(at + 4..at + 15)?),
            uuid: serial(head.get(at..at + 4)?),
        })
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    let text = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    String::from_utf8_lossy(text).trim_end().to_owned()
}

/// Returns the serial number of a FAT, as it is shown: `1A2B-3C4D`.
fn serial(bytes: &[u8]) -> String {
    let number = bytes.iter().rev();
    let digits: String = number.map(|byte| format!("{byte:02X}")).collect();
    match digits.split_at_checked(4) {
        Some((high, low)) => format!("{high}-{low}"),
        None => digits,
    }
}

#[cfg(test)]
mod unit {
    use super::*;
    use crate::block::tests::FakeMachine;
    use std::path::Path;

    fn ext(label: &str, first: u8) -> Vec<u8> {
        let mut head = vec![0; 4096];
        head[0x438..0x43a].copy_from_slice(&[0x53, 0xef]);
        head[0x468] = first;
        head[0x478..0x478 + label.len()].copy_from_slice(label.as_bytes());
        head
    }

    fn fat32(label: &str) -> Vec<u8> {
        let mut head = vec![0; 512];
        head[0x52..0x5a].copy_from_slice(b"FAT32   ");
        head[0x43..0x47].copy_from_slice(&[0x4d, 0x3c, 0x2b, 0x1a]);
        head[0x47..0x52].copy_from_slice(format!("{label:<11}").as_bytes());
        head[510..512].copy_from_slice(&[0x55, 0xaa]);
        head
    }

    fn machine(devices: &[(&str, Vec<u8>)]) -> FakeMachine {
        let fake = FakeMachine::bare();
        for (name, head) in devices {
            fs::write(fake.machine.path("dev").join(name), head).unwrap();
            fs::create_dir(fake.machine.path("sys/class/block").join(name)).unwrap();
        }
        fake
    }

    fn found(fake: &FakeMachine, name: MediumName) -> Vec<(PathBuf, Option<&'static str>)> {
        let media = media(&fake.machine, &name).into_iter();
        let below = |device: &Path| device.strip_prefix(fake.machine.path("")).unwrap().into();
        media
            .map(|medium| (below(&medium.device), medium.kind))
            .collect()
    }

    #[test]
    fn a_medium_is_found_by_what_its_file_system_is_called() {
        let mut serial_only = vec![0; 512];
        serial_only[3..11].copy_from_slice(b"EXFAT   ");
        serial_only[100..104].copy_from_slice(&[4, 3, 2, 1]);
        let fake = machine(&[
            ("sda1", ext("KEYS", 0xab)),
            ("sdb1", fat32("STICK")),
            ("sdc1", serial_only),
            ("sdd", vec![0; 4096]),
            ("sde", vec![]),
        ]);
        let label = |label: &str| found(&fake, MediumName::Label(label.into()));
        let uuid = |uuid: &str| found(&fake, MediumName::Uuid(uuid.into()));
        assert_eq!(label("KEYS"), [("dev/sda1".into(), Some("ext4"))]);
        assert_eq!(label("STICK"), [("dev/sdb1".into(), Some("vfat"))]);
        assert_eq!(uuid("1a2b-3C4D"), [("dev/sdb1".into(), Some("vfat"))]);
        assert_eq!(uuid("0102-0304"), [("dev/sdc1".into(), Some("exfat"))]);
        let ext_id = "ab000000-0000-0000-0000-000000000000";
        assert_eq!(uuid(ext_id), [("dev/sda1".into(), Some("ext4"))]);
        assert!(label("keys").is_empty() && label("KEYS2").is_empty());
    }

    #[test]
    fn two_of_one_name_are_both_found_and_a_mounted_one_has_its_folder() {
        let fake = machine(&[("sda1", ext("KEYS", 1)), ("sdb1", ext("KEYS", 2))]);
        let device = fake.machine.path("dev/sdb1");
        let line = format!(
            "30 21 8:17 / /media/my\\040keys ro - ext4 {} ro",
            device.display()
        );
        fs::write(fake.machine.path("proc/self/mountinfo"), line).unwrap();
        let media = media(&fake.machine, &MediumName::Label("KEYS".into()));
        let folders: Vec<_> = media.iter().map(|medium| medium.folder.clone()).collect();
        assert_eq!(folders, [None, Some(PathBuf::from("/media/my keys"))]);
    }

    #[test]
    fn where_no_device_may_be_opened_udev_s_link_tells() {
        let fake = machine(&[]);
        fs::create_dir(fake.machine.path("sys/class/block/sda1")).unwrap();
        let links = fake.machine.path("dev/disk/by-label");
        fs::create_dir_all(&links).unwrap();
        let target = fake.machine.path("dev/elsewhere");
        fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, links.join("my\\x20keys")).unwrap();
        let found = found(&fake, MediumName::Label("my keys".into()));
        assert_eq!(found, [("dev/elsewhere".into(), None)]);
    }
}
