//! The log on disk, rotated by size and age.

use crate::clock::{Timestamp, wall_clock};
use crate::file::Links;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The conditions for a new file. Zero or `None` is never.
#[derive(Clone, Debug, Default)]
pub struct Rotation {
    /// The size beyond which a file ends, in bytes.
    pub bytes: Option<u64>,
    /// The age at which a file ends.
    pub age: Option<Duration>,
    /// The number of old files that are kept; `None` is all.
    pub files_max: Option<u64>,
}

/// An open log file, mode 0600.
pub struct LogFile {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    bytes: u64,
    opened: Timestamp,
}

impl LogFile {
    /// Opens `path` for appending; a directory gets a `coffer.log`.
    ///
    /// # Errors
    /// The path is not writable, or the file is another user's.
    pub fn open(path: &Path, rotation: Rotation) -> std::io::Result<Self> {
        let path = if path.is_dir() {
            path.join("coffer.log")
        } else {
            path.to_owned()
        };
        let (file, bytes) = open(&path)?;
        Ok(Self {
            path,
            rotation,
            file,
            bytes,
            opened: wall_clock(),
        })
    }

    /// Opens the same path again, after the file was moved away.
    ///
    /// # Errors
    /// The system's error; the old file stays open then.
    pub fn reopen(&mut self) -> std::io::Result<()> {
        let (file, bytes) = open(&self.path)?;
        self.file = file;
        self.bytes = bytes;
        self.opened = wall_clock();
        Ok(())
    }

    /// Appends one line. A full disk loses the line, not the node.
    pub(super) fn write(&mut self, line: &str) {
        if self.is_due(line.len() as u64) {
            self.rotate();
        }
        if self.file.write_all(line.as_bytes()).is_ok() {
            self.bytes += line.len() as u64;
            super::writes().server_log.add(line.len(), 0);
        }
    }

    fn is_due(&self, more: u64) -> bool {
        let full = |limit: u64| limit > 0 && self.bytes > 0 && self.bytes + more > limit;
        let old = |age: Duration| !age.is_zero() && wall_clock().since(self.opened) >= age;
        self.rotation.bytes.is_some_and(full) || self.rotation.age.is_some_and(old)
    }

    fn rotate(&mut self) {
        let moved = format!("{}-{}.log", self.stem(), wall_clock().0);
        if std::fs::rename(&self.path, self.path.with_file_name(moved)).is_ok() {
            // If opening fails the lines go on into the moved file: late, not lost.
            let _ = self.reopen();
            self.prune();
        }
    }

    fn stem(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    }

    fn prune(&self) {
        let (Some(keep), Some(folder)) = (self.rotation.files_max, self.path.parent()) else {
            return;
        };
        let prefix = format!("{}-", self.stem());
        let Ok(items) = std::fs::read_dir(folder) else {
            return;
        };
        let mut old: Vec<PathBuf> = items
            .filter_map(|item| Some(item.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with(&prefix) && name.ends_with(".log")
            })
            .collect();
        old.sort();
        let surplus = old
            .len()
            .saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
        for path in old.into_iter().take(surplus) {
            // A file that cannot be removed is tried again at the next rotation.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn open(path: &Path) -> std::io::Result<(File, u64)> {
    let file = crate::file::append(path, 0o600, Links::Own)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotates_by_size_and_keeps_as_many_as_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.log");
        let rotation = Rotation {
            bytes: Some(10),
            age: None,
            files_max: Some(2),
        };
        let mut log = LogFile::open(&path, rotation).unwrap();
        for line in ["first---\n", "second--\n", "third---\n", "fourth--\n"] {
            log.write(line);
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "fourth--\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn reopens_after_a_move() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.log");
        let mut log = LogFile::open(&path, Rotation::default()).unwrap();
        log.write("one\n");
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        log.reopen().unwrap();
        log.write("two\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
    }
}
