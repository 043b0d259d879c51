//! The data directory: its owner, its lock, its format and its numbers.
//!
//! ```text
//! <path>/coffer.lock   locked while a process uses the directory
//! <path>/coffer.data   text: what this directory is (see `Numbers`)
//! <path>/identity.key  the node's key, see `peer`
//! <path>/raft/         the log
//! <path>/state/        the state
//! ```

use super::error::OpenError;
use crate::telemetry::writes;
use rustix::fs::{FlockOperation, Mode};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = "coffer.lock";
const DATA_FILE: &str = "coffer.data";
const TEMPORARY_FILE: &str = "coffer.new";
const SCRATCH_FILE: &str = "coffer.incoming";
const TITLE: &str = "coffer data";
const VERSION: u64 = 1;
const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Names that a fresh directory may hold: those that mkfs leaves on a partition of its own.
const IGNORED: [&str; 3] = [LOCK_FILE, TEMPORARY_FILE, "lost+found"];

/// The beginning of the file names of the node's key, whole or half made: it may be there before
/// the rest.
const IDENTITY: &str = "identity.key";

/// The numbers that are drawn when a directory is first used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// This node's number in the membership; a log that starts anew gets another.
    pub raft_id: u64,
    /// The number in every group of the log, so that no other log's bytes pass for one.
    pub log_id: u64,
}

/// A directory that this process alone uses, until it is dropped.
pub struct DataDir {
    path: PathBuf,
    _lock: File,
    /// The directory's numbers.
    pub numbers: Numbers,
    /// True when the directory had its numbers before it was opened.
    pub was_used: bool,
}

impl DataDir {
    /// Takes the directory, or makes it. Changes nothing in a directory that belongs to something
    /// else.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        // fjall makes files with the process's mask; no other user may read any of them.
        rustix::process::umask(Mode::from_raw_mode(0o077));
        check_owner(path)?;
        make_dir(path)?;
        let is_ours = is_ours(path)?;
        let lock = lock(path)?;
        remove_scratch(path)?;
        let numbers = if is_ours {
            read_numbers(&path.join(DATA_FILE))?
        } else {
            write_numbers(path)?
        };
        Ok(Self {
            path: path.to_path_buf(),
            _lock: lock,
            numbers,
            was_used: is_ours,
        })
    }

    /// Draws other numbers: the node is a new one then, of which no member has heard.
    pub fn renumber(&mut self) -> Result<(), OpenError> {
        self.numbers = write_numbers(&self.path)?;
        Ok(())
    }

    /// Returns the directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true when a node has used `path` before.
    pub fn is_used(path: &Path) -> bool {
        path.join(DATA_FILE).exists()
    }

    /// Returns the directory of the log.
    pub fn log(&self) -> PathBuf {
        self.path.join("raft")
    }

    /// Returns the directory of the state.
    pub fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Makes the directories of the log and of the state.
    pub fn make_rooms(&self) -> Result<(), OpenError> {
        make_dir(&self.log())?;
        make_dir(&self.state())
    }
}

/// Checks whether a directory is a data directory or may become one, and changes nothing.
///
/// # Errors
/// [`OpenError::Foreign`], or the operating system's error.
pub fn check_directory(path: &Path) -> Result<(), OpenError> {
    if !path.exists() {
        return Ok(());
    }
    check_owner(path)?;
    is_ours(path).map(drop)
}

/// Refuses a directory that another user made for this node to find.
fn check_owner(path: &Path) -> Result<(), OpenError> {
    crate::file::check_folder_owner(path).map_err(|source| OpenError::Io {
        what: "use",
        path: path.to_path_buf(),
        source,
    })
}

/// Returns true for a data directory and false for a fresh one. Another program's is an error.
fn is_ours(path: &Path) -> Result<bool, OpenError> {
    let found = names(path)?;
    if found.iter().any(|name| name == DATA_FILE) {
        return Ok(true);
    }
    let is_foreign =
        |name: &&String| !IGNORED.contains(&name.as_str()) && !name.starts_with(IDENTITY);
    match found.iter().find(is_foreign) {
        Some(other) => Err(OpenError::Foreign {
            path: path.to_path_buf(),
            found: other.clone(),
        }),
        None => Ok(false),
    }
}

/// Makes a nameless file in `dir`, for data too large for memory. It is gone once it is closed.
pub(in crate::raft) fn scratch_file(dir: &Path) -> io::Result<File> {
    let name = dir.join(SCRATCH_FILE);
    let file = OpenOptions::new()
        .create_new(true)
        .read(true)
        .write(true)
        .mode(FILE_MODE)
        .open(&name)?;
    std::fs::remove_file(&name)?;
    Ok(file)
}

/// Removes the file that a power cut between the two steps of [`scratch_file`] leaves behind.
fn remove_scratch(dir: &Path) -> Result<(), OpenError> {
    let name = dir.join(SCRATCH_FILE);
    match std::fs::remove_file(&name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(OpenError::io("remove", &name)(error))
        }
        _ => Ok(()),
    }
}

fn make_dir(path: &Path) -> Result<(), OpenError> {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(DIR_MODE)
        .create(path);
    made.map_err(OpenError::io("create", path))?;
    let meta = std::fs::metadata(path).map_err(OpenError::io("inspect", path))?;
    let mut permissions = meta.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(DIR_MODE);
        std::fs::set_permissions(path, permissions).map_err(OpenError::io("protect", path))?;
    }
    Ok(())
}

fn names(path: &Path) -> Result<Vec<String>, OpenError> {
    let fail = OpenError::io("list", path);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(&fail)? {
        let name = entry.map_err(&fail)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let name = path.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(FILE_MODE)
        .open(&name)
        .map_err(OpenError::io("open", &name))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::Locked(path.to_path_buf())),
        Err(error) => Err(OpenError::io("lock", &name)(error.into())),
    }
}

fn read_numbers(path: &Path) -> Result<Numbers, OpenError> {
    let text = std::fs::read_to_string(path).map_err(OpenError::io("read", path))?;
    let damaged = || OpenError::Damaged(format!("{} is not readable", path.display()));
    let (body, sum) = text.trim_end().rsplit_once('\n').ok_or_else(damaged)?;
    let mut words = body.lines().map(|line| line.rsplit_once(' '));
    let mut number = |name: &str, radix| match words.next().flatten() {
        Some((found, value)) if found == name => u64::from_str_radix(value, radix).ok(),
        _ => None,
    };
    let version = number(TITLE, 10).ok_or_else(damaged)?;
    if version != VERSION {
        return Err(OpenError::Version {
            path: path.to_path_buf(),
            version,
        });
    }
    let raft_id = number("raft_id", 10).ok_or_else(damaged)?;
    let log_id = number("log_id", 16).ok_or_else(damaged)?;
    if sum != sum_line(body) {
        return Err(damaged());
    }
    Ok(Numbers { raft_id, log_id })
}

fn write_numbers(dir: &Path) -> Result<Numbers, OpenError> {
    let (raft_id, log_id) = uuid::Uuid::new_v4().as_u64_pair();
    // Raft ids are shown to people; half the digits are still unique enough.
    let numbers = Numbers {
        raft_id: (raft_id >> 32).max(1),
        log_id,
    };
    let body = format!(
        "{TITLE} {VERSION}\nraft_id {}\nlog_id {:016x}",
        numbers.raft_id, numbers.log_id
    );
    let text = format!("{body}\n{}\n", sum_line(&body));
    write_whole(dir, TEMPORARY_FILE, DATA_FILE, text.as_bytes())?;
    Ok(numbers)
}

/// Writes `dir/name` whole or not at all, by way of `dir/temporary`. The file is on the device when
/// this returns.
pub(in crate::raft) fn write_whole(
    dir: &Path,
    temporary: &str,
    name: &str,
    bytes: &[u8],
) -> Result<(), OpenError> {
    let (name, temporary) = (dir.join(name), dir.join(temporary));
    write_file(&temporary, bytes).map_err(OpenError::io("write", &temporary))?;
    std::fs::rename(&temporary, &name).map_err(OpenError::io("write", &name))?;
    sync_dir(dir)
}

/// Flushes `dir`, so that its renames and removals last.
pub(in crate::raft) fn sync_dir(dir: &Path) -> Result<(), OpenError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(OpenError::io("sync", dir))
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(FILE_MODE)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // With the flush of the folder, which follows.
    writes().files.add(bytes.len(), 2);
    Ok(())
}

fn sum_line(body: &str) -> String {
    format!("crc {:08x}", crc32fast::hash(body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_and_one_process_holds_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let first = DataDir::open(&path).unwrap();
        assert!(matches!(DataDir::open(&path), Err(OpenError::Locked(_))));
        let numbers = first.numbers;
        assert!(!first.was_used);
        drop(first);
        let mut again = DataDir::open(&path).unwrap();
        assert!(again.was_used);
        assert_eq!(again.numbers, numbers);
        again.renumber().unwrap();
        let others = again.numbers;
        assert!(others.raft_id != numbers.raft_id && others.log_id != numbers.log_id);
        drop(again);
        assert_eq!(DataDir::open(&path).unwrap().numbers, others);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_foreign_directory_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("vault.db"), b"x").unwrap();
        let error = DataDir::open(dir.path()).err().unwrap();
        assert!(error.to_string().contains("vault.db"), "{error}");
        assert_eq!(names(dir.path()).unwrap(), ["vault.db"]);
    }

    #[test]
    fn other_versions_and_damage_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        drop(DataDir::open(dir.path()).unwrap());
        let file = dir.path().join(DATA_FILE);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("data 1", "data 2")).unwrap();
        let error = DataDir::open(dir.path()).err().unwrap();
        assert!(matches!(error, OpenError::Version { version: 2, .. }));
        std::fs::write(&file, text.replace("raft_id ", "raft_id 1")).unwrap();
        assert!(matches!(
            DataDir::open(dir.path()),
            Err(OpenError::Damaged(_))
        ));
        std::fs::write(&file, b"").unwrap();
        assert!(matches!(
            DataDir::open(dir.path()),
            Err(OpenError::Damaged(_))
        ));
    }
}
