//! A node's own key: made at the first start, kept for the node's life.

use super::error::PeerError;
use super::network::PublicKey;
use crate::telemetry::writes;
use bytes::Bytes;
use ring::signature::Ed25519KeyPair;
use rustix::fs::{CWD, RenameFlags};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::sign::SigningKey;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The name of the key's file in the data directory.
pub const IDENTITY_FILE: &str = "identity.key";

const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;
/// The most bytes of a key's file: an Ed25519 key in PKCS#8 takes 83.
const FILE_BYTES_MAX: u64 = 512;

/// An Ed25519 key. The private half signs handshakes and never leaves the process.
#[derive(Clone)]
pub struct Identity {
    signer: Arc<dyn SigningKey>,
    public_key: PublicKey,
}

impl Identity {
    /// Reads the key at `path` (PKCS#8, version 2, DER), or makes one there, mode 0600. The
    /// directory is made too, mode 0700.
    ///
    /// # Errors
    /// Other users may read the file, it is theirs or a link, is damaged, or cannot be read or
    /// made. A key that is there is never replaced.
    pub fn open(path: &Path) -> Result<Self, PeerError> {
        match crate::file::read_own(path) {
            Ok(file) => Self::read(path, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(PeerError::io("open", path)(error)),
        }
    }

    /// Makes a key that is stored nowhere: for tests, and for nodes that never come back.
    pub fn ephemeral() -> Self {
        let der = fresh_key();
        Self::parse(&der).expect("what ring made, ring and rustls read")
    }

    /// Returns the public half, by which others know this node.
    pub fn public_key(&self) -> PublicKey {
        self.public_key.clone()
    }

    pub(super) fn signer(&self) -> Arc<dyn SigningKey> {
        self.signer.clone()
    }

    fn read(path: &Path, file: File) -> Result<Self, PeerError> {
        let meta = file.metadata().map_err(PeerError::io("inspect", path))?;
        if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
            return Err(PeerError::Damaged(path.to_path_buf()));
        }
        let mode = meta.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(PeerError::Exposed {
                path: path.to_path_buf(),
                mode,
            });
        }
        let mut der = Zeroizing::new(Vec::new());
        file.take(FILE_BYTES_MAX)
            .read_to_end(&mut der)
            .map_err(PeerError::io("read", path))?;
        Self::parse(&der).ok_or_else(|| PeerError::Damaged(path.to_path_buf()))
    }

    /// Parses a key; `None` unless the private half is whole and belongs to the public one.
    fn parse(der: &[u8]) -> Option<Self> {
        // rustls would take a key without its public half too; ours always have both, so that a
        // flipped bit is seen here and not as a refusal by every peer.
        Ed25519KeyPair::from_pkcs8(der).ok()?;
        let signer = rustls::crypto::ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(der));
        let signer = signer.ok()?;
        let public_key = PublicKey(Bytes::copy_from_slice(signer.public_key()?.as_ref()));
        Some(Self { signer, public_key })
    }

    fn create(path: &Path) -> Result<Self, PeerError> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let made = DirBuilder::new()
            .recursive(true)
            .mode(DIR_MODE)
            .create(folder);
        made.map_err(PeerError::io("create", folder))?;
        let beside = beside(path);
        let done = write_beside(&beside).and_then(|()| move_to(&beside, path));
        if done.is_err() {
            // A half made file is of no use; a failure to remove it changes nothing.
            let _ = std::fs::remove_file(&beside);
        }
        done.map_err(PeerError::io("create", path))?;
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(PeerError::io("flush", folder))?;
        // Read back: the key that the next start will find counts.
        let file = crate::file::read_own(path).map_err(PeerError::io("open", path))?;
        Self::read(path, file)
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({:?})", self.public_key)
    }
}

fn fresh_key() -> Zeroizing<Vec<u8>> {
    let made = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new())
        .expect("Linux 3.17 and later always answers getrandom");
    Zeroizing::new(made.as_ref().to_vec())
}

/// Returns `<path>.<process>`, so that two processes that start on one directory do not write one
/// file.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    PathBuf::from(name)
}

fn write_beside(path: &Path) -> io::Result<()> {
    // A killed process may have left a file that is open to others; the key is not written through
    // it.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(FILE_MODE)
        .open(path)?;
    let key = fresh_key();
    file.write_all(&key)?;
    file.sync_all()?;
    // With the flush of the folder, which follows.
    writes().files.add(key.len(), 2);
    Ok(())
}

/// Gives the file its name, unless another process was faster; then that one's key stays.
fn move_to(beside: &Path, path: &Path) -> io::Result<()> {
    use rustix::io::Errno;
    match rustix::fs::renameat_with(CWD, beside, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => std::fs::remove_file(beside),
        Err(Errno::INVAL | Errno::NOSYS) => std::fs::rename(beside, path),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data").join(IDENTITY_FILE);
        let made = Identity::open(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(made.public_key().0.len(), 44, "an Ed25519 SPKI");
        assert_eq!(
            Identity::open(&path).unwrap().public_key(),
            made.public_key()
        );
        let names = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(names, 1, "nothing half made is left");
        assert_ne!(Identity::ephemeral().public_key(), made.public_key());
    }

    #[test]
    fn what_a_killed_process_left_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(IDENTITY_FILE);
        let (left, other) = (beside(&path), folder.path().join("other"));
        std::fs::write(&left, "left").unwrap();
        std::fs::set_permissions(&left, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::hard_link(&left, &other).unwrap();
        Identity::open(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(std::fs::read(&other).unwrap(), b"left");
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(IDENTITY_FILE);
        Identity::open(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = Identity::open(&path).unwrap_err().to_string();
        assert!(
            error.contains("chmod 600") && error.contains("0640"),
            "{error}"
        );
    }

    #[test]
    fn a_damaged_key_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(IDENTITY_FILE);
        Identity::open(&path).unwrap();
        let good = std::fs::read(&path).unwrap();
        let seed_at = 20;
        for (what, bad) in [
            ("empty", Vec::new()),
            ("short", good[..good.len() - 1].to_vec()),
            ("long", vec![0x30; 4096]),
            ("flipped", {
                let mut bad = good.clone();
                bad[seed_at] ^= 1;
                bad
            }),
        ] {
            std::fs::write(&path, &bad).unwrap();
            let error = Identity::open(&path).unwrap_err().to_string();
            assert!(error.contains("damaged"), "{what}: {error}");
            assert!(error.contains("remove-peer"), "{what}: the remedy: {error}");
            assert_eq!(std::fs::read(&path).unwrap(), bad, "{what}: kept");
        }
    }

    #[test]
    fn debug_shows_no_private_key() {
        let identity = Identity::ephemeral();
        assert_eq!(
            format!("{identity:?}"),
            format!("Identity({:?})", identity.public_key())
        );
    }
}
