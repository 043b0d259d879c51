//! `pid_file`.

use std::path::{Path, PathBuf};

/// A file with this process's id; removed when dropped.
#[derive(Debug)]
pub struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file, replacing an old one.
    ///
    /// # Errors
    /// What the system says: the path is not writable.
    pub fn write(path: &Path) -> std::io::Result<Self> {
        std::fs::write(path, std::process::id().to_string())?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody else removed it: then it is gone, as it should be.
        let _ = std::fs::remove_file(&self.0);
    }
}
