//! `cluster.key`: the cluster's public key, kept beside the log.
//!
//! ```text
//! <64 hexadecimal digits> "\n"
//! ```
//!
//! The state has it, too, but a node must know it before it has applied anything, and must not
//! forget it when a snapshot of an older release is restored.

use super::ClusterPublicKey;
use crate::raft::disk::error::OpenError;
use crate::telemetry::writes;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const NAME: &str = "cluster.key";
const TEMPORARY: &str = "cluster.new";
const FILE_MODE: u32 = 0o600;

/// Reads the cluster's public key; `None` when the node was never told one.
pub(super) fn read(dir: &Path) -> Result<Option<ClusterPublicKey>, OpenError> {
    let path = dir.join(NAME);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::io("read", &path)(error)),
    };
    let mut key = [0; 32];
    hex::decode_to_slice(text.trim_end(), &mut key).map_err(|_| {
        OpenError::Damaged(format!(
            "{} is not a key in 64 hexadecimal digits; a sound copy is on every other member",
            path.display()
        ))
    })?;
    Ok(Some(ClusterPublicKey(key)))
}

/// Writes the cluster's public key, whole or not at all; `None` removes the file.
pub(super) fn write(dir: &Path, key: Option<ClusterPublicKey>) -> io::Result<()> {
    let path = dir.join(NAME);
    let Some(key) = key else {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => File::open(dir)?.sync_all(),
        };
    };
    let beside = dir.join(TEMPORARY);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(FILE_MODE)
        .open(&beside)?;
    writeln!(file, "{}", hex::encode(key.0))?;
    file.sync_all()?;
    writes().files.add(2 * key.0.len() + 1, 2);
    std::fs::rename(&beside, &path)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_replaced_and_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        for byte in [1, 2] {
            let key = ClusterPublicKey([byte; 32]);
            write(dir.path(), Some(key)).unwrap();
            assert_eq!(read(dir.path()).unwrap(), Some(key));
        }
        std::fs::write(dir.path().join(NAME), "01").unwrap();
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits"), "{error}");
        write(dir.path(), None).unwrap();
        write(dir.path(), None).unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
    }
}
