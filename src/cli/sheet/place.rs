//! The warning about a folder for sheets that stays in the machine.

use crate::block::{self, DiskKind, Machine};
use std::path::Path;

/// Returns a warning where `folder` is on a disk that stays in this machine: sheets are then beside
/// the data that they open, or can be read back after they were deleted. A folder whose disk the
/// kernel does not name, such as one in memory, has none.
pub fn warning(machine: &Machine, folder: &Path) -> Option<String> {
    let disk = block::beneath(machine, folder).ok()?;
    if matches!(disk.kind, DiskKind::Usb | DiskKind::Memory) {
        return None;
    }
    Some(format!(
        "WARNING! {} is on {}, which stays in this machine: what is written there can be read back \
         after it was deleted, and where the data is on it as well, one thief has both. Print the \
         sheets and delete them; a folder in memory (/dev/shm) or on a stick is better.",
        folder.display(),
        disk.name,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::tests::FakeMachine;

    #[test]
    fn a_disk_that_stays_is_warned_of_and_memory_is_not() {
        let pi = FakeMachine::sd();
        let folder = tempfile::tempdir().unwrap();
        let bare = FakeMachine::bare();
        assert_eq!(warning(&bare.machine, folder.path()), None);
        let told = warning(&pi.machine, &pi.data).unwrap_or_default();
        assert!(told.contains("is on mmcblk0, which stays"), "{told}");
    }
}
