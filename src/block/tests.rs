//! Trees as the kernel shows them, for tests: an SD card, an eMMC, a USB disk and more.

use super::{Card, Disk, DiskKind, Life, Machine, Unknown, beneath};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

/// A made-up machine, and a folder on its disk.
pub struct FakeMachine {
    folder: tempfile::TempDir,
    /// The machine.
    pub machine: Machine,
    /// The folder on the disk. Its device number is that of the folder for temporary files.
    pub data: PathBuf,
}

impl FakeMachine {
    /// Makes a machine without disks.
    pub fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        for made in [
            "data",
            "sys/dev/block",
            "sys/class/block",
            "proc/self",
            "dev",
        ] {
            fs::create_dir_all(folder.path().join(made)).unwrap();
        }
        Self {
            machine: Machine::at(folder.path()),
            data,
            folder,
        }
    }

    /// Writes a file below `sys/devices`.
    pub fn put(&self, below: &str, text: &str) {
        let path = self.devices().join(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{text}\n")).unwrap();
    }

    /// Returns the folder of all devices.
    pub fn devices(&self) -> PathBuf {
        self.folder.path().join("sys/devices")
    }

    /// Puts the data on the device at `below`.
    pub fn puts_data_on(&self, below: &str) {
        let device = fs::metadata(&self.data).unwrap().dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let link = format!("sys/dev/block/{major}:{minor}");
        symlink(self.devices().join(below), self.folder.path().join(link)).unwrap();
    }

    /// Writes the counters of the disk at `below`: bytes written and flushes.
    pub fn counts(&self, below: &str, bytes: u64, flushes: u64) {
        let sectors = bytes / 512;
        let text = format!("1 0 8 1 {flushes} 0 {sectors} 9 0 9 9 0 0 0 0 {flushes} 9");
        self.put(&format!("{below}/stat"), &text);
    }

    /// Makes an SD card of 32 GB with two partitions, the data on the second.
    pub fn sd() -> Self {
        let made = Self::bare();
        made.mmc("SD");
        for (name, text) in [
            ("name", "SD32G"),
            ("manfid", "0x000003"),
            ("oemid", "0x5344"),
            ("date", "05/2021"),
            ("serial", "0x12345678"),
        ] {
            made.put(&format!("mmc0:aaaa/{name}"), text);
        }
        made.puts_data_on(&format!("{MMC}/mmcblk0p2"));
        made
    }

    /// Makes an eMMC of 32 GB whose life is used by at most `steps` (such as `0x01 0x02`).
    pub fn emmc(steps: &str) -> Self {
        let made = Self::bare();
        made.mmc("MMC");
        for (name, text) in [
            ("name", "DG4032"),
            ("manfid", "0x000045"),
            ("date", "11/2020"),
            ("life_time", steps),
            ("pre_eol_info", "0x01"),
        ] {
            made.put(&format!("mmc0:aaaa/{name}"), text);
        }
        made.puts_data_on(&format!("{MMC}/mmcblk0p2"));
        made
    }

    fn mmc(&self, kind: &str) {
        self.put(&format!("{MMC}/size"), "62521344");
        self.put(&format!("{MMC}/queue/rotational"), "0");
        self.put(&format!("{MMC}/mmcblk0p2/partition"), "2");
        self.put(&format!("{MMC}/mmcblk0p2/stat"), "9 9 9 9 9 9 9 9 9 9 9");
        self.counts(MMC, 1 << 30, 7);
        self.put("mmc0:aaaa/type", kind);
        symlink(
            self.devices().join("mmc0:aaaa"),
            self.devices().join(MMC).join("device"),
        )
        .unwrap();
    }
}

/// The place of the card's disk below `sys/devices`.
pub const MMC: &str = "platform/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0";

fn disk(made: &FakeMachine) -> Disk {
    beneath(&made.machine, &made.data).unwrap()
}

#[test]
fn an_sd_card_tells_its_maker_and_not_its_health() {
    let made = FakeMachine::sd();
    let found = disk(&made);
    assert_eq!(found.name, "mmcblk0");
    assert_eq!(found.part.as_deref(), Some("mmcblk0p2"));
    assert_eq!(found.kind, DiskKind::Sd);
    assert_eq!(found.bytes, Some(62_521_344 * 512));
    let counters = found.counters().unwrap();
    assert_eq!((counters.bytes, counters.flushes), (1 << 30, Some(7)));
    let expected = Card {
        name: Some("SD32G".into()),
        maker_id: Some("0x000003".into()),
        maker: Some("SanDisk"),
        brand_id: Some("0x5344".into()),
        made: Some("05/2021".into()),
        life: None,
        spare: None,
    };
    assert_eq!(found.card(), Some(expected));
}

#[test]
fn an_emmc_tells_its_health() {
    let made = FakeMachine::emmc("0x01 0x02");
    let found = disk(&made);
    assert_eq!(found.kind, DiskKind::Emmc);
    let card = found.card().unwrap();
    let life = Life {
        used_percent_max: 20,
    };
    assert_eq!(card.life, Some(life));
    assert_eq!((card.spare, card.maker), (Some("normal"), Some("SanDisk")));
}

#[test]
fn a_usb_disk_has_no_card() {
    let made = FakeMachine::bare();
    let place = "pci0000:00/usb2/2-1/2-1:1.0/host0/target0/block/sda";
    made.put(&format!("{place}/size"), "1000");
    made.put(&format!("{place}/queue/rotational"), "1");
    made.counts(place, 512, 1);
    made.puts_data_on(place);
    let found = disk(&made);
    assert_eq!((found.kind, found.part.as_deref()), (DiskKind::Usb, None));
    assert!(found.rotates);
    assert_eq!(found.card(), None);
}

#[test]
fn a_loop_device_names_its_file() {
    let made = FakeMachine::bare();
    made.put("virtual/block/loop3/loop/backing_file", "/srv/disk.img");
    made.counts("virtual/block/loop3", 0, 0);
    made.puts_data_on("virtual/block/loop3");
    let found = disk(&made);
    assert_eq!(found.kind, DiskKind::Loop);
    assert_eq!(found.backing_file.as_deref(), Some("/srv/disk.img"));
}

fn layer(made: &FakeMachine, slaves: &[&str]) {
    let folder = made.devices().join("virtual/block/dm-0/slaves");
    fs::create_dir_all(&folder).unwrap();
    for slave in slaves {
        let name = Path::new(slave).file_name().unwrap();
        symlink(made.devices().join(slave), folder.join(name)).unwrap();
    }
    made.counts("virtual/block/dm-0", 4096, 0);
}

#[test]
fn encryption_on_a_card_is_seen_through() {
    let made = FakeMachine::bare();
    made.mmc("SD");
    layer(&made, &[&format!("{MMC}/mmcblk0p2")]);
    made.puts_data_on("virtual/block/dm-0");
    let found = disk(&made);
    assert_eq!((found.name.as_str(), found.kind), ("mmcblk0", DiskKind::Sd));
    assert_eq!(found.part.as_deref(), Some("dm-0"));
}

#[test]
fn a_volume_over_two_disks_counts_for_itself() {
    let made = FakeMachine::bare();
    made.mmc("SD");
    made.put("other/block/sdb/size", "8");
    layer(&made, &[&format!("{MMC}/mmcblk0p2"), "other/block/sdb"]);
    made.puts_data_on("virtual/block/dm-0");
    let found = disk(&made);
    assert_eq!(
        (found.name.as_str(), found.kind),
        ("dm-0", DiskKind::Layered)
    );
    assert_eq!(found.counters().unwrap().bytes, 4096);
}

#[test]
fn a_file_system_without_a_disk_is_named() {
    let made = FakeMachine::bare();
    let line = "22 1 0:40 / / rw,relatime - overlay overlay rw,lowerdir=/l,upperdir=/u";
    fs::write(made.machine.path("proc/self/mountinfo"), line).unwrap();
    let error = beneath(&made.machine, &made.data).unwrap_err();
    assert!(matches!(&error, Unknown::NoDisk { kind, .. } if kind == "overlay"));
    assert!(
        error
            .to_string()
            .ends_with("is on overlay, which has no disk that the kernel names")
    );
    let missing = beneath(&made.machine, Path::new("/nowhere/at/all"));
    assert!(matches!(missing, Err(Unknown::Folder { .. })));
}

#[test]
fn a_file_system_with_numbers_of_its_own_is_found_by_its_mount() {
    let made = FakeMachine::bare();
    made.mmc("MMC");
    let link = made.machine.path("sys/class/block/mmcblk0p2");
    symlink(made.devices().join(MMC).join("mmcblk0p2"), link).unwrap();
    let line = "22 1 0:40 / / rw,relatime - btrfs /dev/mmcblk0p2 rw,subvol=/";
    fs::write(made.machine.path("proc/self/mountinfo"), line).unwrap();
    let found = disk(&made);
    assert_eq!(
        (found.name.as_str(), found.kind),
        ("mmcblk0", DiskKind::Emmc)
    );
}

#[test]
fn this_machine_is_looked_at_without_harm() {
    let folder = tempfile::tempdir().unwrap();
    match beneath(&Machine::default(), folder.path()) {
        Ok(found) => assert!(found.counters().is_some(), "{found:?}"),
        Err(error) => assert!(matches!(error, Unknown::NoDisk { .. }), "{error}"),
    }
    assert!(Machine::default().uptime().as_secs() > 0);
}
