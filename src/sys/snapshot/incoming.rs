//! A snapshot on its way in: a stream that becomes a file.

use super::{NO_RAFT, SNAPSHOT_BYTES_MAX, internal};
use crate::store::{Scratch, Storage};
use crate::stream::Chunks;
use crate::sys::ports::LifecycleError;
use bytes::Bytes;
use futures_util::StreamExt;
use std::fs::File;
use std::io::{self, Seek, Write};
use tokio::sync::mpsc;

/// Pieces that wait for the disk.
const PIECES_MAX: usize = 4;
/// Bytes of the device that a snapshot on its way in leaves free: the log and checkpoints go on.
const FREE_BYTES_MIN: u64 = 32 << 20;
/// Bytes after which the free space is looked at again.
const FREE_LOOK_BYTES: u64 = 4 << 20;

const BUSY: &str = "another snapshot is being restored: try again when that is done";
const TOO_LARGE: &str = "the snapshot is larger than can be restored";
const NO_SPACE: &str = "not enough space on the data directory's device for this snapshot";

/// Receives the whole body into a file, which is gone when the value is dropped.
pub(super) async fn receive(
    storage: &dyn Storage,
    mut body: Chunks,
) -> Result<Scratch, LifecycleError> {
    let whole = storage.whole();
    let whole = whole.ok_or_else(|| LifecycleError::Invalid(NO_RAFT.into()))?;
    let scratch = whole.scratch().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => LifecycleError::Invalid(BUSY.into()),
        _ => refusal(&error),
    })?;
    let file = scratch.file.try_clone().map_err(internal)?;
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let writing = tokio::task::spawn_blocking(move || write(file, receiver));
    let mut cut = None;
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => {
                // The file cannot take more; it will say why.
                if sender.send(piece).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                cut = Some(error);
                break;
            }
        }
    }
    drop(sender);
    let written = writing.await.map_err(internal)?;
    if let Some(error) = cut {
        let message = format!("the snapshot did not arrive whole: {error}");
        return Err(LifecycleError::Invalid(message));
    }
    written.map_err(|error| refusal(&error))?;
    Ok(scratch)
}

fn write(mut file: File, mut pieces: mpsc::Receiver<Bytes>) -> io::Result<()> {
    let mut written = 0;
    let mut looked_at = None;
    while let Some(piece) = pieces.blocking_recv() {
        let look = written / FREE_LOOK_BYTES;
        if looked_at != Some(look) {
            looked_at = Some(look);
            ensure_space(&file, 0)?;
        }
        written += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if written > SNAPSHOT_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, TOO_LARGE));
        }
        file.write_all(&piece)?;
    }
    file.rewind()
}

/// Fails unless the file's device has `bytes` to spare.
pub(super) fn ensure_space(file: &File, bytes: u64) -> io::Result<()> {
    let device = rustix::fs::fstatvfs(file)?;
    let free = device.f_bavail.saturating_mul(device.f_frsize);
    match free < bytes.saturating_add(FREE_BYTES_MIN) {
        true => Err(io::ErrorKind::StorageFull.into()),
        false => Ok(()),
    }
}

/// Returns the error for the client, with its reason where the client can do something about it.
pub(super) fn refusal(error: &io::Error) -> LifecycleError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            LifecycleError::Invalid(NO_SPACE.into())
        }
        io::ErrorKind::FileTooLarge => LifecycleError::Invalid(TOO_LARGE.into()),
        _ => internal(error),
    }
}
