//! The file of the setting `pid_file`.

use std::io::Write;
use std::path::{Path, PathBuf};

/// A file with this process's id; removed when dropped.
#[derive(Debug)]
pub struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file, replacing an old one.
    ///
    /// # Errors
    /// The path is not writable, or there is a link or another user's file.
    pub fn write(path: &Path) -> std::io::Result<Self> {
        let mut file = crate::file::replace(path, 0o644)?;
        file.write_all(std::process::id().to_string().as_bytes())?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another process removed it: then it is gone, as it should be.
        let _ = std::fs::remove_file(&self.0);
    }
}
