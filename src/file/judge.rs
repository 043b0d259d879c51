//! The owners of files, and the users that may change them.

use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The permission bit that lets everyone write.
const WORLD_WRITABLE: u32 = 0o002;
/// The mode bit of a directory in which only owners may remove files.
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;

pub(super) fn refuse(reason: &str) -> Error {
    Error::new(ErrorKind::PermissionDenied, reason)
}

/// The facts on which a judgment rests.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    pub owner: u32,
    pub mode: u32,
    pub names: u64,
    pub is_file: bool,
}

impl From<&Metadata> for Facts {
    fn from(metadata: &Metadata) -> Self {
        Self {
            owner: metadata.uid(),
            mode: metadata.mode(),
            names: metadata.nlink(),
            is_file: metadata.is_file(),
        }
    }
}

/// Returns this process's user.
pub(super) fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

const fn is_ours(owner: u32, me: u32) -> bool {
    owner == me || owner == ROOT
}

/// Refuses a file to which `me` should not write data that other users may not see or change.
pub(super) fn writable(facts: Facts, me: u32) -> Result<()> {
    if !is_ours(facts.owner, me) {
        let owner = facts.owner;
        return Err(refuse(&format!(
            "it belongs to another user (uid {owner}): remove it, or give it to this one"
        )));
    }
    match facts.is_file && facts.names > 1 {
        true => Err(refuse("the file has more than one name")),
        false => Ok(()),
    }
}

/// Refuses a file that `me` should not believe, or a directory that `me` should not use.
/// `in_public` is true if everyone may make files beside it.
fn trusted(facts: Facts, in_public: bool, me: u32) -> Result<()> {
    if in_public && !is_ours(facts.owner, me) {
        let owner = facts.owner;
        return Err(refuse(&format!(
            "another user (uid {owner}) put it where everyone may put files: give it to this user, \
             or move it"
        )));
    }
    let is_open = facts.mode & WORLD_WRITABLE != 0;
    match is_open && (facts.is_file || facts.mode & STICKY == 0) {
        true => Err(refuse("everyone may write to it: chmod o-w")),
        false => Ok(()),
    }
}

/// Judges an opened file whose content is believed; `path` is the path at which it was found.
///
/// # Errors
/// A stranger may have written the file.
pub fn check_trusted(path: &Path, file: &File) -> Result<()> {
    let metadata = file.metadata()?;
    // Devices and pipes are passed in by the operator, who can be asked.
    if !metadata.is_file() {
        return Ok(());
    }
    trusted(Facts::from(&metadata), is_public(path)?, me())
}

/// Judges a directory in which files are made. An absent one passes.
///
/// # Errors
/// A stranger made the directory, or everyone may remove files from it.
pub fn check_folder(path: &Path) -> Result<()> {
    judge_folder(path, |metadata| Facts::from(metadata))
}

/// Judges a directory as [`check_folder`] does, but not its mode, which is about to be set.
///
/// # Errors
/// A stranger made the directory.
pub fn check_folder_owner(path: &Path) -> Result<()> {
    judge_folder(path, |metadata| Facts {
        mode: 0,
        ..Facts::from(metadata)
    })
}

fn judge_folder(path: &Path, facts: fn(&Metadata) -> Facts) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(metadata) => trusted(facts(&metadata), is_public(path)?, me()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Returns the directory that holds `path`; the root is in itself.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => path,
    }
}

/// Returns true if everyone may make files beside `path`, or beside the target of a link in its
/// place.
fn is_public(path: &Path) -> Result<bool> {
    let real = path.canonicalize()?;
    for path in [path, &real] {
        if std::fs::metadata(folder_of(path))?.mode() & WORLD_WRITABLE != 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u32 = 1000;
    const OTHER: u32 = 1001;

    fn facts(owner: u32, mode: u32) -> Facts {
        Facts {
            owner,
            mode,
            names: 1,
            is_file: true,
        }
    }

    #[test]
    fn only_ones_own_files_and_roots_are_written_to() {
        for owner in [ME, ROOT] {
            assert!(writable(facts(owner, 0o600), ME).is_ok());
        }
        let told = writable(facts(OTHER, 0o666), ME).unwrap_err().to_string();
        assert!(told.contains("uid 1001"), "{told}");
        assert!(
            writable(facts(OTHER, 0o600), ROOT).is_err(),
            "not even by root"
        );
        let linked = Facts {
            names: 2,
            ..facts(ME, 0o600)
        };
        assert!(writable(linked, ME).is_err());
    }

    #[test]
    fn what_a_stranger_may_have_put_there_is_not_believed() {
        for (owner, mode, in_public, is_believed) in [
            (ME, 0o600, true, true),
            (ROOT, 0o644, true, true),
            (OTHER, 0o640, false, true),
            (OTHER, 0o640, true, false),
            (ME, 0o646, false, false),
        ] {
            let judged = trusted(facts(owner, mode), in_public, ME);
            assert_eq!(judged.is_ok(), is_believed, "{owner} {mode:o} {in_public}");
        }
        let folder = |mode| Facts {
            is_file: false,
            ..facts(ROOT, mode)
        };
        assert!(trusted(folder(0o1777), false, ME).is_ok(), "/tmp itself");
        assert!(trusted(folder(0o777), false, ME).is_err());
    }
}
