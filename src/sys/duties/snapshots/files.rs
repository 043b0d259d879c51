//! The files in a directory: their names, their space, and the removal of the oldest.

use super::Config;
use crate::clock::Timestamp;
use crate::store::space::{self, HIGH_WATER_BYTES};
use crate::telemetry::writes;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The bytes that a snapshot leaves free on the device: from so many on, new data is taken.
const FREE_BYTES_MIN: u64 = HIGH_WATER_BYTES;
/// The bytes of a snapshot between looks at the free space.
const LOOK_BYTES: u64 = 1 << 20;
const ENDING: &str = ".snap";
/// The ending of the name of a file that is not whole yet.
const PART: &str = ".part";
/// The length of a time in a name, such as `20261122T085918Z`.
const TIME_BYTES: usize = 16;

/// A snapshot that this setting took. Snapshots are ordered by age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Taken {
    /// The time of its beginning, as it stands in the name.
    time: String,
    /// The index of the last entry in it.
    pub index: u64,
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

impl Taken {
    /// Returns the time at which it was begun.
    pub(super) fn time(&self) -> Timestamp {
        let at = |range| self.time.get(range).unwrap_or_default();
        let text = format!(
            "{}-{}-{}:{}:{}",
            at(0..4),
            at(4..6),
            at(6..11),
            at(11..13),
            at(13..16)
        );
        Timestamp::parse_rfc3339(&text).unwrap_or_default()
    }
}

/// Returns the name of a snapshot that is begun `at` a time and holds the entries up to `index`.
pub(super) fn name(config: &Config, at: Timestamp, index: u64) -> String {
    let time = Timestamp::from_secs(at.as_secs()).rfc3339();
    let time = time.replace(['-', ':'], "");
    format!("{}-{time}-{index}{ENDING}", config.file_prefix)
}

fn parse(config: &Config, name: &str) -> Option<(String, u64)> {
    let rest = name.strip_prefix(config.file_prefix.as_str())?;
    let rest = rest.strip_prefix('-')?.strip_suffix(ENDING)?;
    let (time, index) = rest.split_once('-')?;
    let is_time = time.len() == TIME_BYTES
        && time.char_indices().all(|(at, c)| match at {
            8 => c == 'T',
            15 => c == 'Z',
            _ => c.is_ascii_digit(),
        });
    let is_number = index.chars().all(|c| c.is_ascii_digit());
    (is_time && is_number).then(|| Some((time.to_owned(), index.parse().ok()?)))?
}

/// Lists the snapshots of this setting, oldest first, and removes files that were left unfinished.
pub(super) fn taken(config: &Config) -> io::Result<Vec<Taken>> {
    let mut taken = Vec::new();
    for entry in fs::read_dir(&config.path_prefix)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let unfinished = name.strip_prefix('.').and_then(|n| n.strip_suffix(PART));
        if unfinished.is_some_and(|name| parse(config, name).is_some()) {
            fs::remove_file(entry.path())?;
        } else if let Some((time, index)) = parse(config, &name) {
            taken.push(Taken {
                time,
                index,
                name,
                bytes: entry.metadata()?.len(),
            });
        }
    }
    taken.sort();
    Ok(taken)
}

/// Deletes the oldest snapshots until no more than `retain` are left.
pub(super) fn prune(config: &Config) -> io::Result<()> {
    let taken = taken(config)?;
    let retain = usize::try_from(config.retain).unwrap_or(usize::MAX);
    let too_many = taken.len().saturating_sub(retain);
    for old in taken.iter().take(too_many) {
        fs::remove_file(Path::new(&config.path_prefix).join(&old.name))?;
    }
    Ok(())
}

/// A file that gets its name once it is whole, and is gone otherwise. No more than `room` bytes go
/// into it.
#[derive(Debug)]
pub(super) struct Draft {
    file: File,
    path: PathBuf,
    part: Option<PathBuf>,
    room: u64,
    /// The bytes after which the free space is looked at again.
    unseen: u64,
}

impl Draft {
    /// Creates the file under a name that marks it as unfinished.
    pub(super) fn new(config: &Config, name: &str, room: u64) -> io::Result<Self> {
        let folder = Path::new(&config.path_prefix);
        let part = folder.join(format!(".{name}{PART}"));
        let mut options = OpenOptions::new();
        options.create_new(true).write(true).mode(0o600);
        Ok(Self {
            file: options.open(&part)?,
            path: folder.join(name),
            part: Some(part),
            room,
            unseen: 0,
        })
    }

    /// Fails when the device has no more free space than new data needs: a snapshot must not be
    /// what fills it. Looks once a [`LOOK_BYTES`].
    fn leave_space(&mut self) -> io::Result<()> {
        if self.unseen > 0 {
            return Ok(());
        }
        self.unseen = LOOK_BYTES;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let free = space::figures(folder)?.free;
        if free >= FREE_BYTES_MIN + LOOK_BYTES {
            return Ok(());
        }
        let message = format!(
            "not enough space: {} MiB are free, and a snapshot leaves {}: delete old ones, lower \
             \"retain\", or give another \"path_prefix\"",
            free >> 20,
            FREE_BYTES_MIN >> 20,
        );
        Err(io::Error::new(io::ErrorKind::StorageFull, message))
    }

    pub(super) fn keep(mut self) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        writes().snapshots.add(0, 2);
        if let Some(part) = &self.part {
            fs::rename(part, &self.path)?;
        }
        self.part = None;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(self.path.clone())
    }
}

/// Makes the directory when only its last part is missing. Refuses a directory that a stranger
/// made, or where everyone may exchange files.
pub(super) fn make_folder(config: &Config) -> io::Result<()> {
    crate::file::check_folder(Path::new(&config.path_prefix))?;
    match fs::DirBuilder::new()
        .mode(0o700)
        .create(&config.path_prefix)
    {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.leave_space()?;
        let count = self.file.write(bytes)?;
        writes().snapshots.add(count, 0);
        let written = u64::try_from(count).unwrap_or(u64::MAX);
        self.unseen = self.unseen.saturating_sub(written);
        let room = self.room.checked_sub(written);
        self.room = room.ok_or_else(|| {
            let message = "not enough space left within local_max_space";
            io::Error::new(io::ErrorKind::QuotaExceeded, message)
        })?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            let _it_may_be_gone = fs::remove_file(part);
        }
    }
}
