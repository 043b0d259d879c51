//! The token that is kept between commands: `~/.vault-token`, readable by its owner only.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::secret::{Secret, SecretString};

use super::environment::{self, VariableError};

/// The longest token that is read, in bytes.
const TOKEN_BYTES_MAX: u64 = 64 << 10;

/// Reasons why the caller's token cannot be read or sent. The message never holds the token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The token has control characters; perhaps a line end or a bell was pasted with it.
    #[error(
        "configured Vault token contains non-printable characters and cannot be used (it comes \
         from {0})"
    )]
    Unprintable(String),
    /// The file exists and the caller may not read it, or it holds no token.
    #[error("the token in {path} cannot be read: {reason}")]
    File {
        /// The path.
        path: String,
        /// The reason.
        reason: String,
    },
    /// The variable is not text.
    #[error(transparent)]
    Variable(#[from] VariableError),
}

/// Returns the token to use: from the environment, else from the file.
pub fn current() -> Result<Option<SecretString>, TokenError> {
    if let Some((name, token)) = environment::named("TOKEN")? {
        return printable(Secret::new(token), &name).map(Some);
    }
    match path() {
        Some(path) => load(&path),
        None => Ok(None),
    }
}

/// Returns the token, unless a header cannot carry it; `origin` names its source in the error.
pub fn printable(token: SecretString, origin: &str) -> Result<SecretString, TokenError> {
    match token.expose().chars().any(char::is_control) {
        true => Err(TokenError::Unprintable(origin.to_owned())),
        false => Ok(token),
    }
}

/// Keeps a token for later commands.
pub fn store(token: &SecretString) -> std::io::Result<()> {
    let no_home = || std::io::Error::other("HOME is not set");
    save(&path().ok_or_else(no_home)?, token)
}

fn path() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(PathBuf::from(home).join(".vault-token"))
}

fn load(path: &Path) -> Result<Option<SecretString>, TokenError> {
    let unreadable = |reason: String| TokenError::File {
        path: path.display().to_string(),
        reason,
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let mut text = Zeroizing::new(String::new());
    let read = file.take(TOKEN_BYTES_MAX + 1).read_to_string(&mut text);
    let length = read.map_err(|error| unreadable(error.to_string()))?;
    if length as u64 > TOKEN_BYTES_MAX {
        let reason = format!("it is longer than {TOKEN_BYTES_MAX} bytes");
        return Err(unreadable(reason));
    }
    match text.trim() {
        "" => Ok(None),
        token => {
            let token = Secret::new(token.to_owned());
            printable(token, &path.display().to_string()).map(Some)
        }
    }
}

/// Writes beside the file and renames, so that no reader meets half a token. The token ends up in a
/// file of the owner's alone, also if a link or a file that others may read stood there.
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
    // A full disk is noticed here at the latest, and the old token stays.
    let written = written.and_then(|()| file.sync_all());
    let moved = written.and_then(|()| std::fs::rename(&temporary, path));
    if moved.is_err() {
        // The token must not stay behind; only the first error is returned.
        let _ = std::fs::remove_file(&temporary);
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn only_the_owner_may_read_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(".vault-token");
        assert!(load(&path).expect("readable").is_none());
        for text in ["s.first", "s.second"] {
            save(&path, &Secret::new(String::from(text))).expect("saved");
            let kept = load(&path).expect("readable").expect("kept");
            assert_eq!(kept.expose(), text);
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

    #[test]
    fn what_stood_there_does_not_stay() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(".vault-token");
        let elsewhere = directory.path().join("elsewhere");
        let token = Secret::new(String::from("s.canary"));
        let mode = |path: &Path| std::fs::symlink_metadata(path).expect("there").mode();
        // A file that all may read, one that is open elsewhere, a second name, a link.
        std::fs::write(&path, "old").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("set");
        std::fs::hard_link(&path, &elsewhere).expect("linked");
        let mut open = std::fs::File::open(&path).expect("open");
        save(&path, &token).expect("saved");
        let mut seen = String::new();
        open.read_to_string(&mut seen).expect("read");
        assert_eq!(seen, "old");
        assert_eq!(mode(&path), 0o100_600);
        std::fs::remove_file(&path).expect("removed");
        std::os::unix::fs::symlink(&elsewhere, &path).expect("linked");
        save(&path, &token).expect("saved");
        assert_eq!(mode(&path), 0o100_600);
        let others = std::fs::read_to_string(&elsewhere).expect("read");
        assert_eq!(others, "old", "the link's target is left alone");
        let kept = load(&path).expect("readable").expect("kept");
        assert_eq!(kept.expose(), "s.canary");
    }

    #[test]
    fn a_file_that_holds_no_token_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(".vault-token");
        let long = vec![b'x'; TOKEN_BYTES_MAX as usize + 1];
        for bytes in [&b"s.a\nb"[..], b"s.\xff", b"s.\x07", &long] {
            std::fs::write(&path, bytes).expect("written");
            let error = load(&path).expect_err("no token").to_string();
            assert!(error.contains(".vault-token"), "{error}");
            assert!(!error.contains("s."), "{error}");
        }
        std::fs::write(&path, "\ts.good\r\n").expect("written");
        let token = load(&path).expect("readable").expect("kept");
        assert_eq!(token.expose(), "s.good");
    }
}
