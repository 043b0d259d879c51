//! The choice of the sizes.

use super::sizes::{DEFAULT, SMALL, Sizes};
use crate::block::Machine;
use std::fmt;
use std::path::Path;

/// The memory, of the machine or of the process's control group, below which `small` is chosen: a
/// Pi with 512 MB has less, one with 1 GB has more.
pub const SMALL_BELOW_BYTES: u64 = 768 << 20;
const MIB: u64 = 1 << 20;

/// A name for sizes: `memory_profile`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// [`SMALL`].
    Small,
    /// [`DEFAULT`].
    Default,
}

/// A profile, and the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The profile.
    pub profile: Profile,
    /// The reason, as people read it: `the machine has 427 MiB`.
    pub reason: String,
}

impl Profile {
    /// The names in configurations.
    pub const NAMES: [(&'static str, Self); 2] =
        [("small", Self::Small), ("default", Self::Default)];

    /// Returns the name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Default => "default",
        }
    }

    /// Returns the sizes.
    pub const fn sizes(self) -> &'static Sizes {
        match self {
            Self::Small => &SMALL,
            Self::Default => &DEFAULT,
        }
    }
}

impl Chosen {
    /// Returns the sizes.
    pub const fn sizes(&self) -> &'static Sizes {
        self.profile.sizes()
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.profile.name(), self.reason)
    }
}

/// Returns the profile that was set, or the one for the memory of `machine` and of the control
/// group of `process` (a number, or `self`), whichever is less.
pub fn choose(machine: &Machine, process: &str, set: Option<Profile>) -> Chosen {
    if let Some(profile) = set {
        let reason = String::from("memory_profile is set");
        return Chosen { profile, reason };
    }
    let all = machine.memory_bytes();
    let (bytes, whose) = match group_limit(machine, process) {
        Some(limit) if limit < all => (limit, "the control group allows"),
        _ => (all, "the machine has"),
    };
    let profile = match bytes < SMALL_BELOW_BYTES {
        true => Profile::Small,
        false => Profile::Default,
    };
    let reason = format!("{whose} {} MiB", bytes / MIB);
    Chosen { profile, reason }
}

/// Returns the limit of the control group of `process` (a number, or `self`), in bytes: the least
/// of the group and those above it, in both versions of control groups; `None` when there is none.
pub fn group_limit(machine: &Machine, process: &str) -> Option<u64> {
    let text = machine.text(format!("proc/{process}/cgroup"))?;
    text.lines()
        .filter_map(|line| {
            // `4:memory:/path` in version 1, `0::/path` in version 2.
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            let (root, file) = match controllers {
                "" => ("sys/fs/cgroup", "memory.max"),
                _ if controllers.split(',').any(|name| name == "memory") => {
                    ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
                }
                _ => return None,
            };
            least(machine, Path::new(root), path.trim_start_matches('/'), file)
        })
        .min()
}

fn least(machine: &Machine, root: &Path, group: &str, file: &str) -> Option<u64> {
    let groups = Path::new(group).ancestors();
    let limit = |group: &Path| -> Option<u64> {
        let bytes = machine.text(root.join(group).join(file))?.parse().ok()?;
        // Version 1 says "no limit" with the largest number of whole pages.
        (bytes < u64::MAX >> 2).then_some(bytes)
    };
    groups.filter_map(limit).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Makes a machine with these files.
    fn machine(folder: &Path, files: &[(&str, &str)]) -> Machine {
        for (file, text) in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Machine::at(folder)
    }

    fn chosen(files: &[(&str, &str)], set: Option<Profile>) -> String {
        let folder = tempfile::tempdir().unwrap();
        choose(&machine(folder.path(), files), "self", set).to_string()
    }

    const MEMORY_512: (&str, &str) = ("proc/meminfo", "MemTotal:  437248 kB\nMemFree: 1 kB\n");
    const MEMORY_1G: (&str, &str) = ("proc/meminfo", "MemTotal:  948304 kB\n");

    #[test]
    fn the_memory_of_the_machine_decides() {
        assert_eq!(
            chosen(&[MEMORY_512], None),
            "small (the machine has 427 MiB)"
        );
        assert_eq!(
            chosen(&[MEMORY_1G], None),
            "default (the machine has 926 MiB)"
        );
        let at = ("proc/meminfo", "MemTotal: 786432 kB\n");
        assert_eq!(chosen(&[at], None), "default (the machine has 768 MiB)");
        let below = ("proc/meminfo", "MemTotal: 786431 kB\n");
        assert_eq!(chosen(&[below], None), "small (the machine has 767 MiB)");
    }

    #[test]
    fn a_control_group_of_either_version_decides_when_it_allows_less() {
        let small = "small (the control group allows 64 MiB)";
        let second = ("proc/self/cgroup", "0::/system.slice/coffer.service\n");
        let limit = "67108864\n";
        let own = "sys/fs/cgroup/system.slice/coffer.service/memory.max";
        let above = "sys/fs/cgroup/system.slice/memory.max";
        assert_eq!(chosen(&[MEMORY_1G, second, (own, limit)], None), small);
        let outer = [MEMORY_1G, second, (own, "max\n"), (above, limit)];
        assert_eq!(chosen(&outer, None), small);
        let first = ("proc/self/cgroup", "5:devices:/\n4:memory,x:/a/b\n0::/\n");
        let own = "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes";
        assert_eq!(chosen(&[MEMORY_1G, first, (own, limit)], None), small);
        // In a container the path is the host's, and the root is the container's own group.
        let root = "sys/fs/cgroup/memory/memory.limit_in_bytes";
        assert_eq!(chosen(&[MEMORY_1G, first, (root, limit)], None), small);
    }

    #[test]
    fn a_group_without_a_limit_or_with_a_larger_one_does_not() {
        let default = "default (the machine has 926 MiB)";
        let first = ("proc/self/cgroup", "4:memory:/a\n");
        let own = "sys/fs/cgroup/memory/a/memory.limit_in_bytes";
        for limit in ["9223372036854771712", "9223372036854710272", "4294967296"] {
            assert_eq!(chosen(&[MEMORY_1G, first, (own, limit)], None), default);
        }
        let devices = ("proc/self/cgroup", "4:devices:/a\n");
        assert_eq!(chosen(&[MEMORY_1G, devices, (own, "1000")], None), default);
    }

    #[test]
    fn a_setting_goes_before_both() {
        for (name, profile) in Profile::NAMES {
            let said = format!("{name} (memory_profile is set)");
            assert_eq!(chosen(&[MEMORY_512], Some(profile)), said);
            assert_eq!(chosen(&[MEMORY_1G], Some(profile)), said);
        }
        assert_eq!(Profile::Small.sizes(), &SMALL);
        assert_eq!(Profile::Default.sizes(), &DEFAULT);
    }
}
