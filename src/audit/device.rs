//! A file to which lines are appended.

use super::AuditError;
use super::hash::Hasher;
use super::spec::{DeviceSpec, DeviceTarget, FileOptions};
use crate::file::Links;
use crate::telemetry::writes;
use std::fs::File;
use std::io::{Error, ErrorKind, Seek, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// An opened device. After an error it opens its file again by itself.
pub(super) struct Device {
    pub spec: DeviceSpec,
    pub configured: bool,
    pub hasher: Hasher,
    pub options: FileOptions,
    file: Mutex<Option<File>>,
}

impl Device {
    /// Checks the options; the file is opened with the first line.
    pub fn new(spec: DeviceSpec, configured: bool, key: &[u8]) -> Result<Self, AuditError> {
        let options = spec.parse()?;
        Ok(Self {
            hasher: Hasher::new(key, options.log_raw, options.hmac_accessor),
            spec,
            configured,
            options,
            file: Mutex::new(None),
        })
    }

    /// Appends `line` (without its newline) in one write.
    pub fn write(&self, line: &[u8]) -> std::io::Result<()> {
        let mut whole = Vec::with_capacity(self.options.prefix.len() + line.len() + 1);
        whole.extend_from_slice(self.options.prefix.as_bytes());
        whole.extend_from_slice(line);
        whole.push(b'\n');
        match &self.options.target {
            DeviceTarget::Discard => Ok(()),
            DeviceTarget::Stdout => std::io::stdout().lock().write_all(&whole),
            DeviceTarget::File(path) => self.append(path, &whole),
        }
    }

    fn append(&self, path: &Path, line: &[u8]) -> std::io::Result<()> {
        let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = match slot.take() {
            Some(file) => file,
            None => open(path, self.options.mode)?,
        };
        let file = slot.insert(opened);
        let done = write_whole(file, line);
        match &done {
            Ok(()) => writes().audit.add(line.len(), 0),
            Err(_) => *slot = None,
        }
        done
    }

    /// Opens the file now, so that an impossible one is noticed before it is relied on.
    pub fn probe(&self) -> std::io::Result<()> {
        if let DeviceTarget::File(path) = &self.options.target {
            let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            *slot = Some(open(path, self.options.mode)?);
        }
        Ok(())
    }

    /// Closes the file; the next line opens it anew, under the name that it has then.
    pub fn release(&self) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns true if the file lies in one of `directories`, after links on the way are resolved.
    pub fn lies_in(&self, directories: &[PathBuf]) -> bool {
        let DeviceTarget::File(path) = &self.options.target else {
            return true;
        };
        let Some(parent) = path.parent().and_then(|parent| parent.canonicalize().ok()) else {
            return false;
        };
        directories.iter().any(|allowed| {
            allowed
                .canonicalize()
                .is_ok_and(|allowed| parent.starts_with(allowed))
        })
    }
}

/// Appends `line`, or nothing: the front of a line for which a disk had no space goes again, lest
/// the next one stand behind it.
fn write_whole(file: &mut File, line: &[u8]) -> std::io::Result<()> {
    let mut written = 0;
    while let Some(rest) = line.get(written..).filter(|rest| !rest.is_empty()) {
        let failed = match file.write(rest) {
            Ok(0) => Error::from(ErrorKind::WriteZero),
            Ok(bytes) => {
                written += bytes;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        if written > 0 && file.metadata()?.is_file() {
            let end = file.stream_position()?;
            file.set_len(end.saturating_sub(u64::try_from(written).unwrap_or(end)))?;
        }
        return Err(failed);
    }
    Ok(())
}

/// Opens the file; refuses links, folders and files of other users, and files that could be
/// executed (CVE-2025-6000, CVE-2026-5051).
fn open(path: &Path, mode: Option<u32>) -> std::io::Result<File> {
    let refuse = |reason: &str| Error::new(ErrorKind::PermissionDenied, reason);
    let file = crate::file::append(path, mode.unwrap_or(0o600), Links::Refused)?;
    let metadata = file.metadata()?;
    if metadata.file_type().is_char_device() {
        return Ok(file);
    }
    if !metadata.is_file() {
        return Err(refuse("not a regular file"));
    }
    if let Some(mode) = mode.filter(|mode| metadata.permissions().mode() & 0o7777 != *mode) {
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    } else if metadata.permissions().mode() & 0o111 != 0 {
        return Err(refuse("the file is executable"));
    }
    Ok(file)
}
