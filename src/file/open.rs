//! Opens files, and judges the opened file.

use super::judge::{Facts, check_trusted, folder_of, me, refuse, writable};
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::Result;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The rule for a path whose last part is a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// The path may not be a link.
    Refused,
    /// The path may be a link that this process's user or root made.
    Own,
}

/// Opens `path` for appending, and makes it with `mode` where it is absent. Never waits for a
/// pipe's reader.
///
/// # Errors
/// The path is a link or a directory, has other names, or belongs to another user.
pub fn append(path: &Path, mode: u32, links: Links) -> Result<File> {
    let open = |flags: OFlags| {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(mode)
            .custom_flags(
                (flags | OFlags::CLOEXEC | OFlags::NONBLOCK)
                    .bits()
                    .cast_signed(),
            )
            .open(path)?;
        judged(file)
    };
    let opened = open(OFlags::NOFOLLOW);
    let is_link = || std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    match opened {
        Err(_) if is_link() => match links {
            Links::Own if is_own_link(path)? => open(OFlags::empty()),
            Links::Own => Err(refuse("it is a symbolic link of another user")),
            Links::Refused => Err(refuse("it is a symbolic link: name the file itself")),
        },
        opened => opened,
    }
}

/// Makes `path` anew, or empties the file that is there.
///
/// # Errors
/// As for [`append`] without links; the file is unchanged then.
pub fn replace(path: &Path, mode: u32) -> Result<File> {
    let file = append(path, mode, Links::Refused)?;
    file.set_len(0)?;
    Ok(file)
}

/// Opens `path` to read and believe it.
///
/// # Errors
/// As for [`check_trusted`].
pub fn read(path: &Path) -> Result<File> {
    let file = File::open(path)?;
    check_trusted(path, &file)?;
    Ok(file)
}

/// Opens `path` to read it, in a directory that is this process's alone.
///
/// # Errors
/// The path is a link, or belongs to another user than this process's, root, or the owner of the
/// directory.
pub fn read_own(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed())
        .open(path)?;
    let owner = file.metadata()?.uid();
    let is_own = [me(), 0, std::fs::metadata(folder_of(path))?.uid()].contains(&owner);
    match is_own {
        true => Ok(file),
        false => Err(refuse(&format!("it belongs to another user (uid {owner})"))),
    }
}

fn judged(file: File) -> Result<File> {
    let metadata = file.metadata()?;
    // Devices such as /dev/null and terminals are for everyone.
    if metadata.file_type().is_char_device() {
        return Ok(file);
    }
    writable(Facts::from(&metadata), me())?;
    Ok(file)
}

fn is_own_link(path: &Path) -> Result<bool> {
    let owner = std::fs::symlink_metadata(path)?.uid();
    Ok(owner == me() || owner == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    const STRANGER: Option<u32> = Some(54_321);

    /// Returns true for root, which alone can make files of other users; without it only `judge` is
    /// tested.
    fn is_root() -> bool {
        me() == 0
    }

    /// Makes a directory where everyone may make files, as /tmp.
    fn public() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mode = std::fs::Permissions::from_mode(0o1777);
        std::fs::set_permissions(folder.path(), mode).unwrap();
        folder
    }

    #[test]
    fn what_another_user_made_is_neither_written_to_nor_believed() {
        let folder = public();
        let path = folder.path().join("planted");
        std::fs::write(&path, "theirs").unwrap();
        assert!(append(&path, 0o600, Links::Refused).is_ok(), "it is ours");
        assert!(read(&path).is_ok());
        if !is_root() {
            return;
        }
        chown(&path, STRANGER, None).unwrap();
        for links in [Links::Refused, Links::Own] {
            let told = append(&path, 0o600, links).unwrap_err().to_string();
            assert!(told.contains("another user"), "{told}");
        }
        assert!(replace(&path, 0o600).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
        let told = read(&path).unwrap_err().to_string();
        assert!(told.contains("another user"), "{told}");
        let private = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), private).unwrap();
        assert!(read(&path).is_ok(), "nobody but root could put it there");
    }

    #[test]
    fn links_are_refused_or_must_be_ones_own() {
        let folder = public();
        let (target, link) = (folder.path().join("precious"), folder.path().join("link"));
        std::fs::write(&target, "precious").unwrap();
        symlink(&target, &link).unwrap();
        assert!(append(&link, 0o600, Links::Refused).is_err());
        assert!(replace(&link, 0o600).is_err());
        let mut file = append(&link, 0o600, Links::Own).unwrap();
        file.write_all(b", and more").unwrap();
        assert_eq!(
            std::fs::read_to_string(&target).unwrap(),
            "precious, and more"
        );
        if is_root() {
            lchown(&link, STRANGER, None).unwrap();
            let told = append(&link, 0o600, Links::Own).unwrap_err().to_string();
            assert!(told.contains("symbolic link of another user"), "{told}");
        }
        let second = folder.path().join("second");
        std::fs::hard_link(&target, &second).unwrap();
        let told = append(&second, 0o600, Links::Own).unwrap_err().to_string();
        assert!(told.contains("more than one name"), "{told}");
    }

    #[test]
    fn ones_own_file_is_no_link_and_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let (own, link) = (folder.path().join("own"), folder.path().join("link"));
        std::fs::write(&own, "key").unwrap();
        symlink(&own, &link).unwrap();
        assert!(read_own(&own).is_ok());
        assert!(read_own(&link).is_err());
        if is_root() {
            chown(&own, STRANGER, None).unwrap();
            let told = read_own(&own).unwrap_err().to_string();
            assert!(told.contains("another user"), "{told}");
            chown(folder.path(), STRANGER, None).unwrap();
            assert!(read_own(&own).is_ok(), "root looks after a service's files");
        }
    }

    #[test]
    fn an_absent_file_is_made_and_a_full_one_emptied() {
        let folder = public();
        let path = folder.path().join("new");
        replace(&path, 0o640).unwrap().write_all(b"12345").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777 & !0o640, 0);
        replace(&path, 0o640).unwrap().write_all(b"1").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1");
        assert!(
            append(folder.path(), 0o600, Links::Own).is_err(),
            "a directory"
        );
    }
}
