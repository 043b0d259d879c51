//! The settings of a device, and their checks.

use super::AuditError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A device as stored, or as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSpec {
    /// The mount path, which ends in `/`: `file/`.
    pub path: String,
    /// The kind: `file`.
    pub kind: String,
    /// A text for people.
    pub description: String,
    /// A flag that is kept for clients only.
    pub local: bool,
    /// The options: `file_path`, `log_raw`, ...
    pub options: BTreeMap<String, String>,
    /// The device's id, from which its key follows.
    pub uuid: String,
}

/// The options of a file device, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileOptions {
    pub target: DeviceTarget,
    pub mode: Option<u32>,
    pub prefix: String,
    pub log_raw: bool,
    pub hmac_accessor: bool,
    pub elide_lists: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DeviceTarget {
    File(PathBuf),
    Stdout,
    Discard,
}

const MODE_DEFAULT: u32 = 0o600;
const PREFIX_BYTES_MAX: usize = 256;

impl DeviceSpec {
    /// Returns a device with a fresh key.
    pub fn new(path: &str, kind: &str, options: BTreeMap<String, String>) -> Self {
        Self {
            path: format!("{}/", path.trim_matches('/')),
            kind: kind.to_owned(),
            options,
            uuid: uuid::Uuid::new_v4().to_string(),
            ..Self::default()
        }
    }

    pub(super) fn parse(&self) -> Result<FileOptions, AuditError> {
        let bad = |message: String| Err(AuditError::Option(message));
        if self.kind != "file" {
            return bad(format!("unknown backend type: {:?}", self.kind));
        }
        let path = self
            .options
            .get("file_path")
            .or_else(|| self.options.get("path"));
        let target = match path.map(|path| path.trim()) {
            None | Some("") => return bad("file_path is required".into()),
            Some("stdout") => DeviceTarget::Stdout,
            Some("discard" | "/dev/null") => DeviceTarget::Discard,
            Some(path) if path.starts_with('/') => DeviceTarget::File(path.into()),
            Some(_) => return bad("file_path must be absolute".into()),
        };
        match self.options.get("format").map(String::as_str) {
            None | Some("" | "json") => {}
            Some(other) => return bad(format!("unknown format type {other:?}")),
        }
        let prefix = self.options.get("prefix").cloned().unwrap_or_default();
        if prefix.len() > PREFIX_BYTES_MAX || prefix.chars().any(char::is_control) {
            return bad("prefix is too long or has a control character".into());
        }
        Ok(FileOptions {
            target,
            mode: self.mode()?,
            prefix,
            log_raw: self.flag("log_raw", false)?,
            hmac_accessor: self.flag("hmac_accessor", true)?,
            elide_lists: self.flag("elide_list_responses", false)?,
        })
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool, AuditError> {
        match self.options.get(name).map(|text| text.to_lowercase()) {
            None => Ok(default),
            Some(text) => match text.as_str() {
                "true" | "1" | "t" => Ok(true),
                "false" | "0" | "f" | "" => Ok(false),
                _ => Err(AuditError::Option(format!("{name} must be true or false"))),
            },
        }
    }

    /// Returns the file's mode; `None` (for `0000`) leaves the mode of an existing file alone.
    fn mode(&self) -> Result<Option<u32>, AuditError> {
        let Some(text) = self.options.get("mode") else {
            return Ok(Some(MODE_DEFAULT));
        };
        let Ok(mode) = u32::from_str_radix(text.trim_start_matches("0o"), 8) else {
            return Err(AuditError::Option("mode must be an octal number".into()));
        };
        if mode & !0o666 != 0 {
            // A log whose content a client controls must not become a program (CVE-2025-6000).
            let message = "mode must not make the file executable or set special bits";
            return Err(AuditError::Option(message.into()));
        }
        Ok((mode != 0).then_some(mode))
    }
}
