//! The files of sheets: made before the keys are asked for, filled when they have come.
//!
//! A file is made for its owner alone and never over another one. Its room on the disk is taken
//! before the request is sent, so that a full disk is found while there is nothing to lose yet.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The room that is taken for a sheet, in bytes.
const RESERVED_BYTES: usize = 64 << 10;
const MODE: u32 = 0o600;

/// Files that wait for their content. Dropping them deletes those that were not filled.
#[derive(Debug)]
pub struct ReservedFiles {
    folder: PathBuf,
    files: Vec<Reserved>,
}

#[derive(Debug)]
struct Reserved {
    path: PathBuf,
    file: File,
    is_filled: bool,
}

impl ReservedFiles {
    /// Makes the files `names` in `folder`, which must exist.
    ///
    /// # Errors
    /// The message names what is in the way; no file is left then.
    pub fn make(folder: &Path, names: &[String]) -> Result<Self, String> {
        let shown = folder.display();
        match fs::metadata(folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(format!("{shown} is not a directory")),
            Err(error) => return Err(format!("{shown}: {}", reason(&error))),
        }
        let mut made = Self {
            folder: folder.to_owned(),
            files: Vec::new(),
        };
        for name in names {
            let path = folder.join(name);
            let wrong = |error: io::Error| format!("{}: {}", path.display(), reason(&error));
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(MODE);
            let mut file = options.open(&path).map_err(wrong)?;
            let taken = file.write_all(&vec![b' '; RESERVED_BYTES]);
            let taken = taken.and_then(|()| file.sync_all());
            made.files.push(Reserved {
                path: path.clone(),
                file,
                is_filled: false,
            });
            taken.map_err(wrong)?;
        }
        Ok(made)
    }

    /// Fills the file at this place, and returns its path once that is on the disk.
    pub fn fill(&mut self, at: usize, content: &[u8]) -> Result<PathBuf, String> {
        let Some(reserved) = self.files.get_mut(at) else {
            return Err("there are more keys than sheets".into());
        };
        let path = reserved.path.clone();
        let wrong = |error: io::Error| format!("{}: {}", path.display(), reason(&error));
        reserved.fill(content).map_err(wrong)?;
        reserved.is_filled = true;
        Ok(path)
    }

    /// Waits until the names are on the disk, too.
    pub fn finish(self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

impl Reserved {
    fn fill(&mut self, content: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(content)?;
        self.file
            .set_len(content.len().try_into().unwrap_or(u64::MAX))?;
        self.file.sync_all()
    }
}

impl Drop for ReservedFiles {
    fn drop(&mut self) {
        for file in self.files.iter().filter(|file| !file.is_filled) {
            // What cannot be deleted holds blanks only, or half of a sheet whose key is printed.
            let _ = fs::remove_file(&file.path);
        }
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such directory".into(),
        io::ErrorKind::AlreadyExists => "it exists, and is not written over".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::StorageFull => "the disk is full".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn names() -> Vec<String> {
        vec!["a".into(), "b".into()]
    }

    fn listed(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_filled_stays_and_the_rest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = ReservedFiles::make(folder.path(), &names()).unwrap();
        assert_eq!(listed(folder.path()), ["a", "b"]);
        let path = files.fill(0, b"sheet").unwrap();
        drop(files);
        assert_eq!(listed(folder.path()), ["a"]);
        assert_eq!(fs::read(&path).unwrap(), b"sheet");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_in_the_way_is_named_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b"), "mine").unwrap();
        let refused = ReservedFiles::make(folder.path(), &names()).unwrap_err();
        assert!(
            refused.ends_with("/b: it exists, and is not written over"),
            "{refused}"
        );
        assert_eq!(listed(folder.path()), ["b"]);
        assert_eq!(fs::read(folder.path().join("b")).unwrap(), b"mine");
        let link = folder.path().join("a");
        std::os::unix::fs::symlink("elsewhere", &link).unwrap();
        assert!(ReservedFiles::make(folder.path(), &names()).is_err());
        let refused = ReservedFiles::make(&folder.path().join("b"), &names()).unwrap_err();
        assert!(refused.ends_with("/b is not a directory"), "{refused}");
        let refused = ReservedFiles::make(&folder.path().join("c"), &names()).unwrap_err();
        assert!(refused.ends_with("/c: no such directory"), "{refused}");
    }
}
