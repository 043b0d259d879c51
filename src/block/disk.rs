//! Finds the disk beneath a folder.

use super::card::Card;
use super::counters::Counters;
use super::machine::{Machine, read};
use super::mount::Mount;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The most layers (encryption, volumes) that are followed downwards.
const LAYERS_MAX: usize = 8;
const SECTOR_BYTES: u64 = 512;

/// A whole disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The kernel's name, such as `mmcblk0`.
    pub name: String,
    /// The partition or layer that holds the file system, such as `mmcblk0p2` or `dm-0`, if it is
    /// not the disk itself.
    pub part: Option<String>,
    /// The kind.
    pub kind: DiskKind,
    /// The size in bytes.
    pub bytes: Option<u64>,
    /// True when the kernel takes it for one with turning plates. Many USB sticks say so.
    pub rotates: bool,
    /// The file of a loop device.
    pub backing_file: Option<String>,
    /// The folder in `/sys`.
    folder: PathBuf,
}

/// The kind of a disk, from its place in `/sys`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskKind {
    /// An SD card.
    Sd,
    /// An eMMC.
    Emmc,
    /// A disk or a stick on USB.
    Usb,
    /// An NVMe drive.
    Nvme,
    /// Another disk: SATA, SCSI, virtual.
    Other,
    /// A file that is used as a disk.
    Loop,
    /// Several disks as one: a volume, an array.
    Layered,
    /// Memory.
    Memory,
}

impl DiskKind {
    /// Returns the name that outputs show.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sd => "sd",
            Self::Emmc => "emmc",
            Self::Usb => "usb",
            Self::Nvme => "nvme",
            Self::Other => "disk",
            Self::Loop => "loop",
            Self::Layered => "layered",
            Self::Memory => "memory",
        }
    }
}

/// The reason why no disk is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// The folder cannot be looked at: make it, or look at its permissions.
    #[error("{} cannot be looked at: {error}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The reason.
        error: String,
    },
    /// The file system has no disk of its own, as overlay, tmpfs and network file systems. Put the
    /// data on a disk.
    #[error("{} is on {kind}, which has no disk that the kernel names", .folder.display())]
    NoDisk {
        /// The folder.
        folder: PathBuf,
        /// The file system.
        kind: String,
    },
}

/// Returns the disk beneath `folder`, which must exist.
///
/// # Errors
/// See [`Unknown`].
pub fn beneath(machine: &Machine, folder: &Path) -> Result<Disk, Unknown> {
    let looked = fs::canonicalize(folder).and_then(|path| Ok((fs::metadata(&path)?.dev(), path)));
    let (device, path) = looked.map_err(|error| Unknown::Folder {
        folder: folder.to_path_buf(),
        error: error.to_string(),
    })?;
    let mount = Mount::of(machine, &path);
    let by_number = by_number(
        machine,
        rustix::fs::major(device),
        rustix::fs::minor(device),
    );
    // btrfs and others have numbers of their own; their mounts name the disk.
    let found = by_number.or_else(|| by_source(machine, &mount.as_ref()?.source));
    let found = found.and_then(|entry| Disk::read(&entry));
    found.ok_or_else(|| Unknown::NoDisk {
        folder: path,
        kind: mount.map_or_else(|| "a file system".into(), |mount| mount.kind),
    })
}

fn by_number(machine: &Machine, major: u32, minor: u32) -> Option<PathBuf> {
    let link = machine.path(format!("sys/dev/block/{major}:{minor}"));
    fs::canonicalize(link).ok()
}

fn by_source(machine: &Machine, source: &str) -> Option<PathBuf> {
    let name = source.strip_prefix("/dev/")?;
    // `/dev/mapper/data` is a link to `/dev/dm-0`.
    let linked = fs::canonicalize(machine.path(format!("dev/{name}"))).ok();
    let linked = linked.as_deref().and_then(Path::file_name);
    let name = linked.and_then(|name| name.to_str()).unwrap_or(name);
    fs::canonicalize(machine.path(format!("sys/class/block/{name}"))).ok()
}

impl Disk {
    /// Reads the disk that holds `entry`, the folder in `/sys` of a disk, partition or layer.
    fn read(entry: &Path) -> Option<Self> {
        let mut folder = entry.to_path_buf();
        for _ in 0..LAYERS_MAX {
            if folder.join("partition").exists() {
                folder = folder.parent()?.to_path_buf();
            }
            match only_slave(&folder) {
                Some(below) => folder = below,
                None => break,
            }
        }
        let name = name_of(&folder)?;
        let part = name_of(entry).filter(|part| *part != name);
        let sectors = read(&folder.join("size")).and_then(|text| text.parse::<u64>().ok());
        Some(Self {
            kind: kind(&folder, &name),
            part,
            bytes: sectors.map(|sectors| sectors.saturating_mul(SECTOR_BYTES)),
            rotates: read(&folder.join("queue/rotational")).as_deref() == Some("1"),
            backing_file: read(&folder.join("loop/backing_file")),
            name,
            folder,
        })
    }

    /// Returns the counters as they stand now; `None` when the disk has gone.
    pub fn counters(&self) -> Option<Counters> {
        Counters::parse(&read(&self.folder.join("stat"))?)
    }

    /// Returns the card's own account of itself as it stands now; only SD cards and eMMC have one.
    pub fn card(&self) -> Option<Card> {
        match self.kind {
            DiskKind::Sd | DiskKind::Emmc => {
                Card::read(&self.folder.join("device"), self.kind == DiskKind::Emmc)
            }
            _ => None,
        }
    }
}

/// Returns the one disk or partition that a layer lies on; `None` for a disk, and for a layer over
/// several.
fn only_slave(folder: &Path) -> Option<PathBuf> {
    let mut slaves = fs::read_dir(folder.join("slaves")).ok()?.flatten();
    match (slaves.next(), slaves.next()) {
        (Some(only), None) => fs::canonicalize(only.path()).ok(),
        _ => None,
    }
}

fn name_of(folder: &Path) -> Option<String> {
    Some(folder.file_name()?.to_str()?.to_owned())
}

fn kind(folder: &Path, name: &str) -> DiskKind {
    let is = |prefix: &str| name.starts_with(prefix);
    let is_on_usb = folder.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        part.strip_prefix("usb")
            .is_some_and(|bus| bus.bytes().all(|digit| digit.is_ascii_digit()))
    });
    match read(&folder.join("device/type")).as_deref() {
        Some("SD") if is("mmcblk") => DiskKind::Sd,
        Some("MMC") if is("mmcblk") => DiskKind::Emmc,
        _ if is("loop") => DiskKind::Loop,
        _ if is("dm-") || is("md") => DiskKind::Layered,
        _ if is("zram") || is("ram") || is("pmem") => DiskKind::Memory,
        _ if is("nvme") => DiskKind::Nvme,
        _ if is_on_usb => DiskKind::Usb,
        _ => DiskKind::Other,
    }
}
