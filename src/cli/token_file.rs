//! The token between commands: `~/.vault-token`, readable by its owner only.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroize;

use crate::secret::{Secret, SecretString};

use super::environment;

/// The longest token that is read.
const TOKEN_BYTES_MAX: u64 = 64 << 10;

/// The token to use: from the environment, else from the file.
pub fn current() -> Option<SecretString> {
    if let Some(token) = environment::variable("TOKEN") {
        return Some(Secret::new(token));
    }
    load(&path()?)
}

/// Keeps a token for the commands to come.
pub fn store(token: &SecretString) -> std::io::Result<()> {
    let no_home = || std::io::Error::other("HOME is not set");
    save(&path().ok_or_else(no_home)?, token)
}

fn path() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(PathBuf::from(home).join(".vault-token"))
}

fn load(path: &Path) -> Option<SecretString> {
    let mut text = String::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(TOKEN_BYTES_MAX).read_to_string(&mut text).ok()?;
    let token = text.trim().to_owned();
    text.zeroize();
    (!token.is_empty()).then(|| Secret::new(token))
}

/// Writes beside the file and renames, so that no reader meets half a token.
fn save(path: &Path, token: &SecretString) -> std::io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    // A leftover of a killed command may have other permissions.
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    let written = file.write_all(token.expose().as_bytes());
    let moved = written.and_then(|()| std::fs::rename(&temporary, path));
    if moved.is_err() {
        // The token must not stay behind; the first error is the one to tell.
        let _ = std::fs::remove_file(&temporary);
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_the_owner_may_read_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(".vault-token");
        assert!(load(&path).is_none());
        for text in ["s.first", "s.second"] {
            save(&path, &Secret::new(String::from(text))).expect("saved");
            assert_eq!(load(&path).expect("kept").expose(), text);
            let mode = std::fs::metadata(&path)
                .expect("there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let files = std::fs::read_dir(directory.path())
            .expect("readable")
            .count();
        assert_eq!(files, 1, "nothing is left beside it");
    }
}
