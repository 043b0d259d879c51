//! The mount that a folder is on, from `/proc/self/mountinfo`.

use super::Machine;
use std::path::{Path, PathBuf};

/// One mounted file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// The folder that it is mounted on.
    pub folder: PathBuf,
    /// The file system, such as `ext4`.
    pub kind: String,
    /// The source, such as `/dev/mmcblk0p2` or `overlay`.
    pub source: String,
    /// The options of the mount and of the file system, such as `noatime` and `commit=300`.
    pub options: Vec<String>,
}

impl Mount {
    /// Returns the mount that `path` (absolute, without links) is on: of those above it the
    /// deepest, and of several on one folder the last.
    pub fn of(machine: &Machine, path: &Path) -> Option<Self> {
        let text = machine.text("proc/self/mountinfo")?;
        let mounts = text.lines().filter_map(Self::parse);
        let above = mounts.filter(|mount| path.starts_with(&mount.folder));
        above.max_by_key(|mount| mount.folder.components().count())
    }

    /// Returns the first mount of a device, `/dev/sda1`.
    pub fn from(machine: &Machine, device: &Path) -> Option<Self> {
        let text = machine.text("proc/self/mountinfo")?;
        let mut mounts = text.lines().filter_map(Self::parse);
        mounts.find(|mount| Path::new(&mount.source) == device)
    }

    /// Returns true when the file system has this option.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|given| given == option)
    }

    /// Returns the value of an option, such as `300` of `commit=300`.
    pub fn value(&self, option: &str) -> Option<&str> {
        let mut values = self.options.iter().rev();
        values.find_map(|given| given.strip_prefix(option)?.strip_prefix('='))
    }

    /// Reads one line: numbers, root, folder, options, more fields up to a dash, kind, source,
    /// options of the file system.
    fn parse(line: &str) -> Option<Self> {
        let (head, tail) = line.split_once(" - ")?;
        let mut head = head.split(' ').skip(4);
        let (folder, options) = (head.next()?, head.next()?);
        let mut tail = tail.split(' ');
        let (kind, source) = (tail.next()?, tail.next()?);
        let more = tail.next().unwrap_or_default();
        Some(Self {
            folder: unescaped(folder).into(),
            kind: kind.to_owned(),
            source: unescaped(source),
            options: options
                .split(',')
                .chain(more.split(','))
                .filter(|option| !option.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }
}

/// Returns the text with the kernel's octal escapes (`\040` for a blank) undone.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = after
            .get(..3)
            .and_then(|code| u8::from_str_radix(code, 8).ok());
        match code {
            Some(code) => {
                plain.push(char::from(code));
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                plain.push('\\');
                rest = after;
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_deepest_mount_counts_and_its_options_are_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("proc/self")).unwrap();
        let text = "\
21 1 179:2 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
30 21 179:3 / /var/lib/my\\040data rw,noatime shared:2 - ext4 /dev/mmcblk0p3 rw,commit=300\n\
31 21 0:30 / /var/lib/other ro - tmpfs tmpfs rw,size=4k\n";
        std::fs::write(folder.path().join("proc/self/mountinfo"), text).unwrap();
        let machine = Machine::at(folder.path());
        let of = |path: &str| Mount::of(&machine, Path::new(path)).unwrap();
        let data = of("/var/lib/my data/raft");
        assert_eq!(data.source, "/dev/mmcblk0p3");
        assert!(data.has("noatime") && !data.has("ro"));
        assert_eq!(data.value("commit"), Some("300"));
        let root = of("/var/lib/mydata");
        assert_eq!((root.kind.as_str(), root.value("commit")), ("ext4", None));
        assert!(of("/var/lib/other").has("ro"));
    }
}
