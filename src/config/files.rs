//! The files behind `-config`.

use super::ConfigError;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest configuration file in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads all files behind `paths` and returns their names and texts, in order; a directory stands
/// for its `.hcl` and `.json` files by name.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<(String, String)>, ConfigError> {
    let mut texts = Vec::new();
    for path in paths {
        let failed = |source| ConfigError::Read {
            path: path.clone(),
            source,
        };
        if !std::fs::metadata(path).map_err(failed)?.is_dir() {
            texts.push(read(path)?);
            continue;
        }
        let mut files = Vec::new();
        for item in std::fs::read_dir(path).map_err(failed)? {
            let file = item.map_err(failed)?.path();
            if is_configuration(&file) && file.is_file() {
                files.push(file);
            }
        }
        if files.is_empty() {
            return Err(ConfigError::EmptyDirectory(path.clone()));
        }
        files.sort();
        for file in files {
            texts.push(read(&file)?);
        }
    }
    Ok(texts)
}

/// Returns true for a configuration file, and false for files such as `.#a.hcl` and `#a.hcl#` that
/// editors leave behind.
fn is_configuration(path: &Path) -> bool {
    let named = path
        .extension()
        .is_some_and(|extension| extension == "hcl" || extension == "json");
    let hidden = path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    named && !hidden
}

fn read(path: &Path) -> Result<(String, String), ConfigError> {
    let failed = |source| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    crate::file::read(path)
        .map_err(failed)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
            limit: FILE_BYTES_MAX,
        });
    }
    Ok((path.display().to_string(), text))
}
