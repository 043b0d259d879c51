//! `operator raft snapshot save`.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::verb::{Arity, SharedFlags, Verb};
use crate::store::archive;

/// `operator raft snapshot save`.
pub static SAVE: Verb = Verb {
    name: "save",
    about: "Saves a snapshot of the cluster's state to a file, and checks that it is whole",
    usage: "SNAPSHOT_FILE",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Http,
    run,
};

const TAKING: &str = "Error taking the snapshot";

fn run(call: &mut Call) -> Outcome {
    let path = PathBuf::from(call.word(0));
    if path.as_os_str().is_empty() {
        return Err(Failure::usage("Snapshot file name can't be empty"));
    }
    let local = |error: io::Error| Failure::Local(format!("{TAKING}: {error}"));
    let unopened = |error: io::Error| {
        let name = path.display();
        Failure::Local(format!("{TAKING}: open {name}: {error}"))
    };
    let ask = Ask::get("sys/storage/raft/snapshot").unwrapped();
    // A pipe or a terminal is not replaced: the snapshot is written into it, for its reader to
    // check.
    if std::fs::metadata(&path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let out = OpenOptions::new().write(true).open(&path);
        let mut out = out.map_err(unopened)?;
        let saved = call.client()?.download(&ask, &mut out);
        saved.during(|| TAKING.into())?;
        return match out.sync_all() {
            // A pipe or a terminal has nothing to sync.
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(local(error)),
            _ => Ok(0),
        };
    }
    // A link stays, and its target is replaced.
    let target = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
    let mut draft = Draft::new(&target).map_err(unopened)?;
    let saved = call.client()?.download(&ask, &mut draft.file);
    saved.during(|| TAKING.into())?;
    draft.file.rewind().map_err(local)?;
    archive::check(&draft.file)
        .map_err(|error| Failure::Local(format!("{TAKING}: what came is no snapshot: {error}")))?;
    draft.keep(&target).map_err(local)?;
    Ok(0)
}

/// A file that only its owner may read, and that is removed unless it is kept.
struct Draft {
    file: File,
    name: Option<PathBuf>,
}

impl Draft {
    /// Opens a draft beside `path`, so that it can take its place at once.
    fn new(path: &Path) -> io::Result<Self> {
        let file_name = path.file_name();
        let file_name = file_name.ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
        let mut name = file_name.to_os_string();
        name.push(format!(".{}.part", std::process::id()));
        let name = path.with_file_name(name);
        let file = OpenOptions::new()
            .create_new(true)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&name)?;
        Ok(Self {
            file,
            name: Some(name),
        })
    }

    fn keep(mut self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        if let Some(name) = &self.name {
            std::fs::rename(name, path)?;
        }
        self.name = None;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _it_may_be_gone = std::fs::remove_file(name);
        }
    }
}
